"""Label and field selectors: parsed once, matched many times.

``parse_labels("app=web,tier in (a,b),!old")`` and ``from_label_selector({"matchLabels": …})`` give the same ``LabelSelector``;
its text form (``str``) parses back to an equal one, so that it can travel in a query.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from brickyard.kube.objects import errors, names


class Operator(enum.Enum):
    """How a requirement judges a label."""

    EQUALS = "="
    NOT_EQUALS = "!="
    IN = "in"
    NOT_IN = "notin"
    EXISTS = "exists"
    ABSENT = "!"
    GREATER = ">"
    LESS = "<"


@dataclasses.dataclass(frozen=True, slots=True)
class LabelRequirement:
    """One clause. ``values`` has one item for ``= != > <``, at least one for ``in`` and ``notin``, none for the rest."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether ``labels`` satisfy it. An absent label satisfies ``!=`` and ``notin``."""
        value = labels.get(self.key)
        match self.operator:
            case Operator.EQUALS | Operator.IN:
                return value is not None and value in self.values
            case Operator.NOT_EQUALS | Operator.NOT_IN:
                return value is None or value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.ABSENT:
                return value is None
            case Operator.GREATER | Operator.LESS:
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        if value is None or _INTEGER.fullmatch(value) is None:
            return False
        return (
            int(value) > int(self.values[0]) if self.operator is Operator.GREATER else int(value) < int(self.values[0])
        )

    def __str__(self) -> str:
        match self.operator:
            case Operator.EXISTS:
                return self.key
            case Operator.ABSENT:
                return f"!{self.key}"
            case Operator.IN | Operator.NOT_IN:
                return f"{self.key} {self.operator.value} ({','.join(self.values)})"
            case _:
                return f"{self.key}{self.operator.value}{self.values[0]}"


@dataclasses.dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold. ``nothing`` selects no object at all (an absent selector in a spec)."""

    requirements: tuple[LabelRequirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected. An empty selector selects everything."""
        return not self.nothing and all(each.matches(labels) for each in self.requirements)

    @property
    def is_everything(self) -> bool:
        """Whether it selects every object."""
        return not self.nothing and not self.requirements

    def __str__(self) -> str:
        """Text that ``parse_labels`` takes; meaningless for ``nothing``, which no text can say."""
        return ",".join(str(each) for each in self.requirements)


EVERYTHING = LabelSelector()
NOTHING = LabelSelector(nothing=True)

_OPERATORS = {
    "=": Operator.EQUALS,
    "==": Operator.EQUALS,
    "!=": Operator.NOT_EQUALS,
    "in": Operator.IN,
    "notin": Operator.NOT_IN,
    ">": Operator.GREATER,
    "<": Operator.LESS,
}
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_TOKEN = re.compile(r"\s*(?:(==|!=|[=!<>(),])|([^\s=!<>(),]+))")
_MAX_LENGTH = 64 * 1024


def parse_labels(text: str) -> LabelSelector:
    """Parse ``a=b,c==d,e!=f,g in (h,i),j notin (k),l,!m,n>1,o<2``; blanks between tokens are free, "" selects everything.

    Raises:
        SelectorError: the text is no selector, or a key or value in it is no legal label.
    """
    if len(text) > _MAX_LENGTH:
        raise errors.SelectorError(f"the label selector is longer than {_MAX_LENGTH} characters")
    if not text.strip():
        return EVERYTHING
    return LabelSelector(tuple(_Parser(text).requirements()))


class _Parser:
    """Recursive descent over tokens; ``""`` is the end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [match[1] or match[2] for match in _TOKEN.finditer(text.strip())] + [""]
        self._at = 0

    def requirements(self) -> Iterator[LabelRequirement]:
        while True:
            yield self._requirement()
            found = self._next()
            if not found:
                return
            if found != ",":
                raise self._error(f"found {found!r}, expected ',' or the end")

    def _requirement(self) -> LabelRequirement:
        absent = self._peek() == "!"
        if absent:
            self._next()
        key = self._word("a label key")
        _check_key(key)
        if absent:
            return LabelRequirement(key, Operator.ABSENT)
        if self._peek() in ("", ","):
            return LabelRequirement(key, Operator.EXISTS)
        operator = self._operator()
        values = self._set() if operator in (Operator.IN, Operator.NOT_IN) else (self._value(),)
        _check_values(key, operator, values)
        return LabelRequirement(key, operator, values)

    def _operator(self) -> Operator:
        found = self._next()
        if found not in _OPERATORS:
            raise self._error(f"found {found!r}, expected one of =, ==, !=, in, notin, > or <")
        return _OPERATORS[found]

    def _set(self) -> tuple[str, ...]:
        if (found := self._next()) != "(":
            raise self._error(f"found {found!r}, expected '('")
        values = [self._value()]
        while (found := self._next()) == ",":
            values.append(self._value())
        if found != ")":
            raise self._error(f"found {found!r}, expected ',' or ')'")
        return tuple(sorted(set(values)))

    def _value(self) -> str:
        """A value; an empty one leaves no token."""
        return "" if self._peek() in ("", ",", ")") else self._word("a label value")

    def _word(self, what: str) -> str:
        found = self._next()
        if not found or found in ("=", "==", "!=", "!", "<", ">", "(", ")", ","):
            raise self._error(f"found {found!r}, expected {what}")
        return found

    def _peek(self) -> str:
        return self._tokens[self._at]

    def _next(self) -> str:
        found = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return found

    def _error(self, problem: str) -> errors.SelectorError:
        return errors.SelectorError(f"unable to parse requirement: {problem} in {self._text!r}")


def _check_key(key: str) -> None:
    if not names.is_qualified_name(key):
        raise errors.SelectorError(f"{key!r} is no label key: write name or dns.subdomain/name")


def _check_values(key: str, operator: Operator, values: tuple[str, ...]) -> None:
    for value in values:
        if operator in (Operator.GREATER, Operator.LESS):
            if _INTEGER.fullmatch(value) is None:
                raise errors.SelectorError(f"{value!r} is no integer: {key} is compared with {operator.value}")
        elif not names.is_label_value(value):
            raise errors.SelectorError(
                f"{value!r} is no label value for {key}: at most 63 letters, digits, '-', '_' or '.'"
            )


_EXPRESSIONS = {
    "In": Operator.IN,
    "NotIn": Operator.NOT_IN,
    "Exists": Operator.EXISTS,
    "DoesNotExist": Operator.ABSENT,
}


def from_label_selector(selector: Mapping[str, Any] | None) -> LabelSelector:
    """The selector of a spec, ``{matchLabels, matchExpressions}``: None selects nothing, ``{}`` everything.

    Raises:
        SelectorError: an expression is malformed.
    """
    if selector is None:
        return NOTHING
    found = list(from_map(selector.get("matchLabels") or {}).requirements)
    found += [_expression(each) for each in selector.get("matchExpressions") or ()]
    return LabelSelector(tuple(found))


def from_map(labels: Mapping[str, str]) -> LabelSelector:
    """The selector of a Service: every label with exactly this value; ``{}`` selects everything.

    Raises:
        SelectorError: a key or value is no legal label.
    """
    for key, value in labels.items():
        _check_key(key)
        _check_values(key, Operator.EQUALS, (value,))
    return LabelSelector(tuple(LabelRequirement(key, Operator.EQUALS, (labels[key],)) for key in sorted(labels)))


def _expression(expression: Mapping[str, Any]) -> LabelRequirement:
    key, name = str(expression.get("key") or ""), expression.get("operator")
    values = tuple(sorted({str(each) for each in expression.get("values") or ()}))
    operator = _EXPRESSIONS.get(str(name))
    if operator is None:
        raise errors.SelectorError(f"{name!r} is no operator of a label selector: write {', '.join(_EXPRESSIONS)}")
    _check_key(key)
    wants_values = operator in (Operator.IN, Operator.NOT_IN)
    if wants_values != bool(values):
        need = "at least one value" if wants_values else "no values"
        raise errors.SelectorError(f"operator {name} on {key} takes {need}")
    _check_values(key, operator, values)
    return LabelRequirement(key, operator, values)


class FieldRequirement(NamedTuple):
    """One clause of a field selector; ``operator`` is ``=`` or ``!=``."""

    path: str
    operator: str
    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class FieldSelector:
    """All requirements must hold."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, lookup: Callable[[str], str]) -> bool:
        """Whether an object is selected; ``lookup(path)`` gives its value as text, "" where it has none."""
        return all((lookup(path) == value) == (operator == "=") for path, operator, value in self.requirements)

    def __str__(self) -> str:
        return ",".join(f"{path}{operator}{_escaped(value)}" for path, operator, value in self.requirements)


_CLAUSE = re.compile(r"(?:[^,\\]|\\.)+", re.DOTALL)
_FIELD = re.compile(r"([^=!]*[^=!\s])\s*(!=|==|=)((?:[^=\\]|\\.)*)", re.DOTALL)


def parse_fields(text: str) -> FieldSelector:
    """Parse ``metadata.name=a,status.phase!=Running``; a backslash keeps ``,``, ``=`` and itself inside a value.

    Raises:
        SelectorError: the text is no selector.
    """
    if len(text) > _MAX_LENGTH:
        raise errors.SelectorError(f"the field selector is longer than {_MAX_LENGTH} characters")
    clauses = _CLAUSE.findall(text)
    if sum(map(len, clauses)) + text.count(",") < len(text):
        raise errors.SelectorError(f"unable to parse field selector {text!r}: a backslash stands at the end")
    return FieldSelector(tuple(_clause(each) for each in clauses))


def _clause(text: str) -> FieldRequirement:
    match = _FIELD.fullmatch(text.lstrip())
    if match is None:
        raise errors.SelectorError(f"unable to parse field selector clause {text!r}: write path=value or path!=value")
    return FieldRequirement(
        match[1], "!=" if match[2] == "!=" else "=", re.sub(r"\\(.)", r"\1", match[3], flags=re.DOTALL)
    )


def _escaped(value: str) -> str:
    return re.sub(r"([,=\\])", r"\\\1", value)
