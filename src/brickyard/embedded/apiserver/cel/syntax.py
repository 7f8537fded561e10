"""Expressions as trees.

The grammar is that of the CEL specification without messages, with optional selection (``a.?b``, ``a[?b]``,
``[?a]``, ``{?k: v}``). Chains of ``&&`` and ``||`` become one node, however long; other nesting is bounded.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from typing import Any

import lark

from brickyard.embedded.apiserver.cel import errors, values

MAX_LENGTH = 32_768
"""Characters of an expression."""
MAX_DEPTH = 80
"""Levels of an expression: what is deeper would also be too deep to walk."""

_GRAMMAR = r"""
?start: expr
?expr: or | or "?" or ":" expr           -> conditional
?or: and | and ("||" and)+               -> any_of
?and: relation | relation ("&&" relation)+ -> all_of
?relation: sum | relation RELATION sum   -> operation
?sum: product | sum (PLUS | MINUS) product -> operation
?product: unary | product TIMES unary    -> operation
?unary: member | NOT unary               -> negation
      | MINUS unary                      -> negation
?member: primary
       | member "." IDENT                -> select
       | member "." "?" IDENT            -> optional_select
       | member "." IDENT "(" arguments ")" -> method
       | member "[" expr "]"             -> index
       | member "[" "?" expr "]"         -> optional_index
?primary: IDENT                          -> name
        | "." IDENT                      -> name
        | IDENT "(" arguments ")"        -> call
        | "(" expr ")"
        | "[" _items? "]"                -> array
        | "{" _entries? "}"              -> mapping
        | FLOAT                          -> float
        | UINT                           -> uint
        | INT                            -> int
        | BYTES                          -> bytes
        | STRING                         -> string
        | "true"                         -> true
        | "false"                        -> false
        | "null"                         -> null
arguments: [expr ("," expr)*]
_items: item ("," item)* ","?
item: expr | "?" expr                    -> optional_item
_entries: entry ("," entry)* ","?
entry: expr ":" expr | "?" expr ":" expr -> optional_entry

RELATION: "<=" | "<" | ">=" | ">" | "==" | "!=" | /in(?![A-Za-z0-9_])/
PLUS: "+"
MINUS: "-"
TIMES: "*" | "/" | "%"
NOT: "!"
IDENT: /[A-Za-z_][A-Za-z0-9_]*/
FLOAT.3: /[0-9]+\.[0-9]+([eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+([eE][+-]?[0-9]+)?/
UINT.2: /(0[xX][0-9a-fA-F]+|[0-9]+)[uU]/
INT: /0[xX][0-9a-fA-F]+|[0-9]+/
BYTES.4: /([bB][rR]?|[rR][bB])("{3}(\\[\s\S]|[^\\])*?"{3}|'{3}(\\[\s\S]|[^\\])*?'{3}|"(\\.|[^"\\\n\r])*"|'(\\.|[^'\\\n\r])*')/
STRING.3: /[rR]?("{3}(\\[\s\S]|[^\\])*?"{3}|'{3}(\\[\s\S]|[^\\])*?'{3}|"(\\.|[^"\\\n\r])*"|'(\\.|[^'\\\n\r])*')/
COMMENT: /\/\/[^\n]*/
%ignore /[ \t\r\n\f]+/
%ignore COMMENT
"""

RESERVED = frozenset(
    {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package"}
    | {"namespace", "return", "var", "void", "while", "true", "false", "null", "in"}
)
"""Words that are no names."""


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression.

    ``kind`` is a rule of the grammar (``select``, ``call``…), ``text`` its name or operator, ``value`` that of a literal. ``at`` is its
    offset, ``depth`` the number of levels below and including it.
    """

    kind: str
    at: int
    text: str = ""
    children: tuple[Node, ...] = ()
    value: Any = None
    depth: int = 1


class _FaultError(Exception):
    """Carries a place to the one who words it."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(why)
        self.at, self.why = at, why


def place(text: str, at: int, why: str) -> str:
    """A fault with its line and a mark under its place, as cel-go words it."""
    at = min(at, len(text))
    line = text.count("\n", 0, at)
    column = at - (text.rfind("\n", 0, at) + 1)
    shown = text.split("\n")[line]
    return f"ERROR: <input>:{line + 1}:{column + 1}: {why}\n | {shown}\n | {'.' * column}^"


@functools.lru_cache(maxsize=2048)
def parse(text: str) -> Node:
    """The tree of ``text``.

    Raises:
        CompileError: it is no expression, or a longer or deeper one than anybody needs.
    """
    if len(text) > MAX_LENGTH:
        raise errors.CompileError(f"ERROR: <input>:1:1: expression code point size exceeds limit: {MAX_LENGTH}")
    try:
        tree = _parser().parse(text)
        return _Builder().node(tree)
    except lark.exceptions.UnexpectedInput as error:
        at = error.pos_in_stream if isinstance(error.pos_in_stream, int) else len(text)
        token = getattr(error, "token", None)
        found = "<EOF>" if token is None or token.type == "$END" else str(token)
        at = len(text) if found == "<EOF>" and token is not None else max(at, 0)
        if isinstance(error, lark.exceptions.UnexpectedCharacters):
            found = text[at]
        raise errors.CompileError(place(text, at, f"Syntax error: unexpected {found!r}")) from error
    except _FaultError as fault:
        raise errors.CompileError(place(text, fault.at, fault.why)) from fault


@functools.cache
def _parser() -> lark.Lark:
    return lark.Lark(_GRAMMAR, parser="lalr", propagate_positions=False, maybe_placeholders=False)


class _Builder:
    """Turns lark's trees into nodes, counting levels."""

    def node(self, part: Any, level: int = 1) -> Node:
        if level > 3 * MAX_DEPTH:
            raise _FaultError(0, f"expression recursion limit exceeded: {MAX_DEPTH}")
        if isinstance(part, lark.Token):
            return Node("token", part.start_pos or 0, str(part))
        made: Node = getattr(self, f"_{part.data}")([self.node(each, level + 1) for each in part.children])
        if made.depth > MAX_DEPTH:
            raise _FaultError(made.at, f"expression recursion limit exceeded: {MAX_DEPTH}")
        return made

    @staticmethod
    def _make(kind: str, at: int, text: str, children: list[Node]) -> Node:
        return Node(kind, at, text, tuple(children), depth=1 + max((each.depth for each in children), default=0))

    def _conditional(self, parts: list[Node]) -> Node:
        return self._make("conditional", parts[0].at, "_?_:_", parts)

    def _any_of(self, parts: list[Node]) -> Node:
        return self._make("any_of", parts[0].at, "_||_", parts)

    def _all_of(self, parts: list[Node]) -> Node:
        return self._make("all_of", parts[0].at, "_&&_", parts)

    def _operation(self, parts: list[Node]) -> Node:
        left, operator, right = parts
        name = "@in" if operator.text == "in" else f"_{operator.text}_"
        return self._make("call", operator.at, name, [left, right])

    def _negation(self, parts: list[Node]) -> Node:
        operator, operand = parts
        if operator.text == "-" and operand.kind == "literal" and type(operand.value) in (int, float):
            return Node("literal", operator.at, "", (), -operand.value)
        return self._make("call", operator.at, f"{operator.text}_", [operand])

    def _select(self, parts: list[Node]) -> Node:
        return self._make("select", parts[1].at, parts[1].text, parts[:1])

    def _optional_select(self, parts: list[Node]) -> Node:
        return self._make("optional_select", parts[1].at, parts[1].text, parts[:1])

    def _method(self, parts: list[Node]) -> Node:
        return self._make("method", parts[1].at, parts[1].text, [parts[0], *parts[2].children])

    def _index(self, parts: list[Node]) -> Node:
        return self._make("call", parts[1].at, "_[_]", parts)

    def _optional_index(self, parts: list[Node]) -> Node:
        return self._make("call", parts[1].at, "_[?_]", parts)

    def _name(self, parts: list[Node]) -> Node:
        name = parts[0]
        if name.text in RESERVED:
            raise _FaultError(name.at, f"reserved identifier: {name.text}")
        return Node("name", name.at, name.text)

    def _call(self, parts: list[Node]) -> Node:
        return self._make("call", parts[0].at, parts[0].text, list(parts[1].children))

    def _arguments(self, parts: list[Node]) -> Node:
        return self._make("arguments", parts[0].at if parts else 0, "", parts)

    def _array(self, parts: list[Node]) -> Node:
        return self._make("array", parts[0].at if parts else 0, "", parts)

    def _mapping(self, parts: list[Node]) -> Node:
        return self._make("mapping", parts[0].at if parts else 0, "", parts)

    def _item(self, parts: list[Node]) -> Node:
        return self._make("item", parts[0].at, "", parts)

    def _optional_item(self, parts: list[Node]) -> Node:
        return self._make("item", parts[0].at, "?", parts)

    def _entry(self, parts: list[Node]) -> Node:
        return self._make("entry", parts[0].at, "", parts)

    def _optional_entry(self, parts: list[Node]) -> Node:
        return self._make("entry", parts[0].at, "?", parts)

    # Literals.

    def _float(self, parts: list[Node]) -> Node:
        number = float(parts[0].text)
        if math.isinf(number):
            raise _FaultError(parts[0].at, "invalid double literal")
        return Node("literal", parts[0].at, value=number)

    def _int(self, parts: list[Node]) -> Node:
        number = _whole(parts[0].text)
        if number > 2**63:
            raise _FaultError(parts[0].at, "invalid int literal")
        return Node("literal", parts[0].at, value=number)

    def _uint(self, parts: list[Node]) -> Node:
        number = _whole(parts[0].text[:-1])
        if number >= 2**64:
            raise _FaultError(parts[0].at, "invalid uint literal")
        return Node("literal", parts[0].at, value=values.UInt(number))

    def _string(self, parts: list[Node]) -> Node:
        return Node("literal", parts[0].at, value=_unquoted(parts[0], as_bytes=False))

    def _bytes(self, parts: list[Node]) -> Node:
        return Node("literal", parts[0].at, value=_unquoted(parts[0], as_bytes=True))

    def _true(self, parts: list[Node]) -> Node:
        del parts
        return Node("literal", 0, value=True)

    def _false(self, parts: list[Node]) -> Node:
        del parts
        return Node("literal", 0, value=False)

    def _null(self, parts: list[Node]) -> Node:
        del parts
        return Node("literal", 0, value=None)


def _whole(text: str) -> int:
    base = 16 if text[:2] in ("0x", "0X") else 10
    digits = text.removeprefix("0x").removeprefix("0X").lstrip("0")
    # What has more digits is too large whatever they are, and Python reads a few thousand at most.
    return int(digits or "0", base) if len(digits) <= 20 else 2**64


_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|X[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|[\s\S])")
_SIMPLE = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))


def _unquoted(token: Node, *, as_bytes: bool) -> str | bytes:
    head = re.match(r"[a-zA-Z]*", token.text)
    prefix = head.group().lower() if head else ""
    body = token.text[len(prefix) :]
    width = 3 if body[:3] in ('"""', "'''") else 1
    body = body[width:-width]

    def plain(match: re.Match[str]) -> str:
        code = match.group(1)
        if code in _SIMPLE:
            return _SIMPLE[code]
        if len(code) == 1:
            raise _FaultError(token.at, f"invalid escape sequence: \\{code}")
        number = int(code, 8) if code[0] in "0123" else int(code[1:], 16)
        if number > 0x10FFFF or 0xD800 <= number < 0xE000 or (as_bytes and code[0] in "uU"):
            raise _FaultError(token.at, f"invalid escape sequence: \\{code}")
        # Octal and hexadecimal escapes of bytes are bytes, not characters: they are kept apart until the end.
        return chr(0xDC00 + number) if as_bytes and number > 127 else chr(number)

    text = body if "r" in prefix else _ESCAPE.sub(plain, body)
    return text.encode("utf-8", "surrogateescape") if as_bytes else text
