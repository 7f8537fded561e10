"""Rules of custom kinds (``x-kubernetes-validations``): expressions that an object has to satisfy.

A rule stands at any level of a schema and sees the value there as ``self``. One that names ``oldSelf`` is about a change and runs only
where the old value is known: at the root, below properties, below values of maps, and in lists whose items have keys.

Rules are paid for. An object may cost ``OBJECT_BUDGET``, one rule ``RULE_BUDGET``; a definition is refused when the most that a rule
can cost, by the bounds of its schema, is beyond ``RULE_ESTIMATE``. Kubernetes allows an object five times as much; our server has one
thread for everybody, and this much holds it for about a second at worst.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

from brickyard.api.kinds import faults
from brickyard.embedded.apiserver.cel import environment, errors, programs, types
from brickyard.embedded.apiserver.structural import correlation, rulepaths, shape, typing

Schema = Mapping[str, Any]

WORD: Final = "x-kubernetes-validations"
RULE_BUDGET: Final = 1_000_000
OBJECT_BUDGET: Final = 2_000_000
RULE_ESTIMATE: Final = 10_000_000
SCHEMA_ESTIMATE: Final = 100_000_000
MOST_TEXT: Final = 128 * 1024
"""Characters that the rules of one schema have together: reading so many takes a second or two, and the longest known sets have a tenth."""
_LONGEST_MESSAGE: Final = 5 * 1024
_EXPRESSIONS: Final = ("rule", "messageExpression")
_OUT_OF_BUDGET: Final = "validation failed due to running out of cost budget, no further validation rules will be run"


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One compiled rule. ``broken`` is why it could not be compiled, "" when it could."""

    text: str
    said: str
    reason: str
    path: str
    optional_old: bool
    program: programs.Program | None
    message: programs.Program | None
    broken: str = ""

    @property
    def name(self) -> str:
        """What the rule is called in messages: what it says, or its text."""
        return self.said or self.text

    @property
    def looks_back(self) -> bool:
        """Whether it compares with the old value."""
        return self.program is not None and "oldSelf" in self.program.uses


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """The rules at one place of a schema and below it."""

    form: str
    own: tuple[Rule, ...]
    properties: Mapping[str, Rules]
    items: Rules | None
    others: Rules | None
    also: tuple[Rules, ...]
    spec: Schema
    lift: typing.Lift | None


def stand_in(spec: Any) -> bool:
    """Whether rules stand anywhere in ``spec``."""
    if isinstance(spec, Mapping):
        return bool(spec.get(WORD)) or any(stand_in(each) for each in spec.values())
    return isinstance(spec, list) and any(stand_in(each) for each in spec)


def compiled(spec: Schema, name: str = "object", *, root: bool = True) -> Rules | None:
    """The rules of a structural schema; None where it has none."""
    if not stand_in(spec):
        return None
    return _node(spec, spec, name, root=root)


def _node(spec: Schema, spine: Schema, name: str, *, root: bool) -> Rules | None:
    """Rules that stand in ``spec``, which is ``spine`` or judges the same values from within an ``allOf``."""
    if not stand_in(spec):
        return None
    form = typing.declared(spine, name, root=root)
    own = tuple(_rule(each, form) for each in spec.get(WORD) or () if isinstance(each, Mapping))
    spine_properties = spine.get("properties") or {}
    properties = {
        key: made
        for key, each in (spec.get("properties") or {}).items()
        if key in spine_properties and (made := _below(each, spine_properties[key], f"{name}.{key}"))
    }
    others, spine_others = spec.get("additionalProperties"), spine.get("additionalProperties")
    both = isinstance(others, Mapping) and isinstance(spine_others, Mapping)
    return Rules(
        form=spine.get("type") or "",
        own=own,
        properties=properties,
        items=_below(spec["items"], spine["items"], f"{name}.@items") if "items" in spec and "items" in spine else None,
        others=_below(others, spine_others, f"{name}.@values") if both else None,
        also=tuple(made for each in spec.get("allOf") or () if (made := _node(each, spine, name, root=root))),
        spec=spine,
        lift=typing.lift(spine) if own else None,
    )


def _below(spec: Any, spine: Any, name: str) -> Rules | None:
    return _node(spec, spine, name, root=bool(spine.get(shape.EMBEDDED)))


def _rule(rule: Mapping[str, Any], form: types.Type | None) -> Rule:
    program, broken = _program(rule.get("rule") or "", form, bool(rule.get("optionalOldSelf")))
    said = rule.get("messageExpression")
    message = _program(said, form, bool(rule.get("optionalOldSelf")))[0] if said else None
    return Rule(
        text=str(rule.get("rule") or "").strip(),
        said=str(rule.get("message") or "").strip(),
        reason=str(rule.get("reason") or ""),
        path=str(rule.get("fieldPath") or "").strip(),
        optional_old=bool(rule.get("optionalOldSelf")),
        program=program,
        message=message,
        broken=broken,
    )


def _program(text: Any, form: types.Type | None, optional_old: bool) -> tuple[programs.Program | None, str]:
    if form is None:
        return None, "rules need a schema that says what the value is"
    variables = {"self": form, "oldSelf": types.optional_of(form) if optional_old else form}
    try:
        return environment.compile(str(text), variables), ""
    except errors.CompileError as error:
        return None, f"compilation failed: {error}"


# Judging objects.


class _Budget:
    """What is left for an object; nothing more is judged when it is spent."""

    def __init__(self) -> None:
        self.left = OBJECT_BUDGET


def violations(rules: Rules, value: Any, old: Any = correlation.ABSENT) -> faults.Errors:
    """What of ``value``, which satisfies its schema, does not satisfy its rules. ``old`` is what it was before an update.

    A rule that does not hold for something that did not change is passed over, unless it is about the change.
    """
    yield from _judged(rules, correlation.Pair(value, old), "", _Budget())


def _judged(rules: Rules, pair: correlation.Pair, path: str, budget: _Budget) -> faults.Errors:
    value = pair.value
    if value is None or budget.left < 0:
        return
    if rules.own:
        yield from _own(rules, pair, path, budget)
    for each in rules.also:
        yield from _judged(each, pair, path, budget)
    if isinstance(value, list) and rules.items is not None:
        for index, item in pair.items(rules.spec):
            yield from _judged(rules.items, item, f"{path}[{index}]", budget)
    elif isinstance(value, dict):
        for key, entry in pair.entries(rules.spec):
            if key in rules.properties:
                yield from _judged(rules.properties[key], entry, f"{path}.{key}" if path else key, budget)
            elif rules.others is not None:
                yield from _judged(rules.others, entry, f"{path}[{key}]", budget)


def _own(rules: Rules, pair: correlation.Pair, path: str, budget: _Budget) -> faults.Errors:
    lift = rules.lift or _as_it_is
    names = {"self": lift(pair.value)}
    known = pair.old is not correlation.ABSENT and pair.old is not None
    before = lift(pair.old) if known else None
    place = path or "<nil>"
    for rule in rules.own:
        if rule.program is None:
            yield faults.invalid(place, rules.form, f"rule compile error: {rule.broken}")
            continue
        if rule.looks_back and not known and not rule.optional_old:
            continue
        if not rule.looks_back and pair.unchanged:
            continue
        names["oldSelf"] = environment.optional(before, known) if rule.optional_old else before
        found = _outcome(rule, names, budget)
        if found is None:
            yield from _unmet(rule, rules, path, names, budget)
        elif found:
            yield faults.invalid(place, rules.form, found)
        if budget.left < 0:
            return


def _as_it_is(value: Any) -> Any:
    return value


def _outcome(rule: Rule, names: Mapping[str, Any], budget: _Budget) -> str | None:
    """ "" when the rule holds, None when it does not, else why nobody can say."""
    limit, spent = min(RULE_BUDGET, budget.left), budget.left <= RULE_BUDGET
    try:
        result = _run(rule.program, names, limit, budget)
    except errors.BudgetError as error:
        budget.left = -1
        if spent:
            return _OUT_OF_BUDGET
        why = "no further validation rules will be run due to call cost exceeds limit for rule"
        return f"'{error}': {why}: {rule.name}"
    except errors.EvaluationError as error:
        if str(error).startswith("no such overload"):
            why = "call arguments did not match a supported operator, function or macro signature for rule"
            return f"'{error}': {why}: {rule.name}"
        return f"{error} evaluating rule: {rule.name}"
    return "" if result is True else None


def _run(program: programs.Program | None, names: Mapping[str, Any], limit: int, budget: _Budget) -> Any:
    if program is None:
        return None
    try:
        result = program.run(names, limit)
    except errors.CelError as error:
        budget.left -= error.cost
        raise
    budget.left -= result.cost
    return result.value


def _unmet(rule: Rule, rules: Rules, path: str, names: Mapping[str, Any], budget: _Budget) -> faults.Errors:
    below = rulepaths.text_of(rule.path) if rule.path else ""
    place = (path + below if path else below.removeprefix(".")) or "<nil>"
    text = _message(rule, names, budget) or rule.said or f"failed rule: {rule.text}"
    match rule.reason:
        case "FieldValueForbidden":
            yield faults.forbidden(place, text)
        case "FieldValueRequired":
            yield faults.required(place, text)
        case "FieldValueDuplicate":
            yield faults.duplicate(place, rules.form)
        case _:
            yield faults.invalid(place, rules.form, text)


def _message(rule: Rule, names: Mapping[str, Any], budget: _Budget) -> str:
    """What the rule's own expression says; "" where it says nothing that could be shown."""
    if rule.message is None:
        return ""
    try:
        found = _run(rule.message, names, max(0, min(RULE_BUDGET, budget.left)), budget)
    except errors.CelError:
        return ""
    text = found.strip() if isinstance(found, str) else ""
    return "" if "\n" in text or len(text) > _LONGEST_MESSAGE else text


# Judging definitions.


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    spec: Schema
    spine: Schema
    path: str
    name: str
    root: bool = False
    rounds: float = 1
    """How many values of this place an object can have."""
    uncorrelated: str = ""
    """The path of the nearest list or map whose items have no past."""


def _places(at: _Place) -> Iterator[_Place]:
    yield at
    spine, spec = at.spine, at.spec
    loose = at.uncorrelated
    if spine.get("x-kubernetes-map-type") == "atomic":
        loose = loose or at.path
    inner: list[tuple[Any, Any, str, str, float, str]] = []
    spine_properties = spine.get("properties") or {}
    for key, each in (spec.get("properties") or {}).items():
        if key in spine_properties:
            inner.append((each, spine_properties[key], f".properties[{key}]", key, 1, loose))
    if isinstance(spec.get("additionalProperties"), Mapping) and isinstance(spine.get("additionalProperties"), Mapping):
        both = spec["additionalProperties"], spine["additionalProperties"]
        inner.append((*both, ".additionalProperties", "@values", typing.cardinality(spine), loose))
    if isinstance(spec.get("items"), Mapping) and isinstance(spine.get("items"), Mapping):
        listed = loose if spine.get("x-kubernetes-list-type") == "map" else loose or at.path
        inner.append((spec["items"], spine["items"], ".items", "@items", typing.cardinality(spine), listed))
    for below, spine_below, word, name, rounds, uncorrelated in inner:
        root = bool(spine_below.get(shape.EMBEDDED))
        more = at.rounds * max(1, rounds)
        yield from _places(_Place(below, spine_below, at.path + word, f"{at.name}.{name}", root, more, uncorrelated))
    for index, each in enumerate(spec.get("allOf") or ()):
        if isinstance(each, Mapping):
            yield from _places(dataclasses.replace(at, spec=each, path=f"{at.path}.allOf[{index}]"))


def _length(spec: Any) -> int:
    """Characters of all expressions in a schema."""
    if isinstance(spec, list):
        return sum(_length(each) for each in spec)
    if not isinstance(spec, Mapping):
        return 0
    rules = spec.get(WORD)
    listed = [each for each in rules if isinstance(each, Mapping)] if isinstance(rules, list) else []
    own = (str(each.get(name) or "") for each in listed for name in _EXPRESSIONS)
    return sum(map(len, own)) + sum(_length(each) for each in spec.values())


def faults_of(spec: Schema, path: str, name: str = "object") -> faults.Errors:
    """What is wrong with the rules of a structural schema that stands at ``path``."""
    total = 0.0
    if not stand_in(spec):
        return
    if (length := _length(spec)) > MOST_TEXT:
        yield faults.forbidden(path, f"{WORD} have {length} characters in all: may not be more than {MOST_TEXT}")
        return
    for at in _places(_Place(spec, spec, path, name, root=True)):
        listed = at.spec.get(WORD) or []
        if not isinstance(listed, list) or not all(isinstance(each, Mapping) for each in listed):
            yield faults.invalid(f"{at.path}.{WORD}", listed, "must be a list of rules")
            continue
        form = typing.declared(at.spine, at.name, root=at.root) if listed else None
        for index, rule in enumerate(listed):
            where = f"{at.path}.{WORD}[{index}]"
            yield from rulepaths.wording(rule, at.spine, where)
            made = _rule(rule, form)
            yield from _compilation(rule, made, where, at)
            if made.program is not None:
                total += made.program.cost * at.rounds
    if total > SCHEMA_ESTIMATE:
        subject = f"{WORD} estimated rule cost total for entire OpenAPIv3 schema"
        yield faults.forbidden(path, _too_dear(subject, total, SCHEMA_ESTIMATE))


def _compilation(rule: Mapping[str, Any], made: Rule, where: str, at: _Place) -> faults.Errors:
    if not made.text:
        return
    if made.program is None:
        yield faults.invalid(f"{where}.rule", dict(rule), made.broken)
        return
    if made.program.type.name not in ("bool", "dyn"):
        yield faults.invalid(f"{where}.rule", dict(rule), "cel expression must evaluate to a bool")
    if made.looks_back and at.uncorrelated:
        why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {at.uncorrelated}"
        yield faults.invalid(f"{where}.rule", made.text, why)
    if "optionalOldSelf" in rule and not made.looks_back:
        why = "may not be set if oldSelf is not used in rule"
        yield faults.invalid(f"{where}.optionalOldSelf", rule["optionalOldSelf"], why)
    if (cost := made.program.cost * at.rounds) > RULE_ESTIMATE:
        yield faults.forbidden(f"{where}.rule", _too_dear("estimated rule cost", cost, RULE_ESTIMATE))
    yield from _message_expression(rule, made, where, at)


def _message_expression(rule: Mapping[str, Any], made: Rule, where: str, at: _Place) -> faults.Errors:
    text = rule.get("messageExpression")
    if not text or not str(text).strip():
        return
    place = f"{where}.messageExpression"
    if made.message is None:
        form = typing.declared(at.spine, at.name, root=at.root)
        why = _program(text, form, made.optional_old)[1].removeprefix("compilation failed: ")
        yield faults.invalid(place, dict(rule), f"messageExpression compilation failed: {why}")
        return
    if made.message.type.name not in ("string", "dyn"):
        yield faults.invalid(place, dict(rule), "messageExpression must evaluate to a string")
    if (cost := made.message.cost * at.rounds) > RULE_ESTIMATE:
        yield faults.forbidden(place, _too_dear("estimated messageExpression cost", cost, RULE_ESTIMATE))


def _too_dear(subject: str, cost: float, limit: float) -> str:
    factor = cost / limit
    shown = "more than 100x" if factor > 100 else f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    advice = (
        "try simplifying the rule, or adding maxItems, maxProperties, and maxLength"
        " where arrays, maps, and strings are declared"
    )
    return f"{subject} exceeds budget by factor of {shown} ({advice})"
