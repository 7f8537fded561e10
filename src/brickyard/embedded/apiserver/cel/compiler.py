"""From trees to checked programs.

One walk finds the type of every part, the most it can cost, and how to run it. All type faults are collected; a part at fault counts as
``dyn`` afterwards, so that one mistake is told once.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from brickyard.embedded.apiserver.cel import errors, library, programs, syntax, types, values

Part = programs.Part
Frame = programs.Frame

_MAKE_LIST: Final = 10
_MAKE_MAP: Final = 30

_RUNTIME: Mapping[str, type] = {
    "bool": bool,
    "int": int,
    "uint": values.UInt,
    "double": float,
    "string": str,
    "bytes": bytes,
    "null": type(None),
    "list": list,
    "map": dict,
    "object": dict,
    "duration": values.Duration,
    "timestamp": values.Timestamp,
    "optional": values.Optional,
    "type": values.TypeName,
}
_KEYS: Final = frozenset({"bool", "dyn", "int", "string", "uint"})
_MISFITS: Final = (TypeError, AttributeError, LookupError, ValueError, ArithmeticError)
"""What a function says to a value of another type than its schema promises: old objects may hold what a newer schema refuses."""

_TYPE_VALUES: Final = frozenset(
    {"bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type", "optional_type"}
    | {"google.protobuf.Duration", "google.protobuf.Timestamp"}
)


@dataclasses.dataclass(slots=True)
class Compiler:
    """Compiles one expression. ``scope`` are the variables there are; macros add to it while their bodies are compiled."""

    text: str
    scope: dict[str, types.Type]
    table: library.Table
    macros: Mapping[str, Macro]
    faults: list[str] = dataclasses.field(default_factory=list)
    uses: set[str] = dataclasses.field(default_factory=set)

    def part(self, node: syntax.Node) -> Part:
        """Compile ``node``."""
        compiled: Part = getattr(self, f"_{node.kind}")(node)
        return compiled

    def fault(self, node: syntax.Node, why: str) -> Part:
        """Note a type fault; what stands for the part afterwards."""
        self.faults.append(syntax.place(self.text, node.at, why))
        return Part(types.DYN, _impossible)

    def parts(self, nodes: Sequence[syntax.Node]) -> list[Part]:
        """Compile several nodes."""
        return [self.part(each) for each in nodes]

    # Names and fields.

    def _literal(self, node: syntax.Node) -> Part:
        value = node.value
        if type(value) is int and not values.INT_MIN <= value <= values.INT_MAX:
            return self.fault(node, "invalid int literal")
        return Part(types.of_literal(value), lambda frame: value)

    def _name(self, node: syntax.Node) -> Part:
        name = node.text
        if name in self.scope:
            self.uses.add(name)
            return Part(self.scope[name], lambda frame: frame.names[name])
        return _type_value(name) or self.fault(node, f"undeclared reference to '{name}' (in container '')")

    def key_of(self, node: syntax.Node, holder: types.Type, name: str) -> tuple[str, types.Type] | None:
        """The JSON key and type of a field of ``holder``; None, and a fault, when it has no such field."""
        if holder.name == "object":
            field = holder.fields.get(name)
            if field is None:
                self.fault(node, f"undefined field '{name}'")
                return None
            return field.key, field.type
        if holder.name == "map":
            return name, holder.item
        if holder.name != "dyn":
            self.fault(node, f"type '{holder}' does not support field selection")
            return None
        return name, types.DYN

    def _select(self, node: syntax.Node) -> Part:
        dotted = _dotted(node)
        if dotted.partition(".")[0] not in self.scope and (constant := _type_value(dotted)) is not None:
            return constant
        holder = self.part(node.children[0])
        if holder.type.name == "optional":
            return self._selected_optional(node, holder)
        found = self.key_of(node, holder.type, node.text)
        if found is None:
            return Part(types.DYN, _impossible)
        key, form = found
        below = holder.run

        def run(frame: Frame) -> Any:
            frame.spend(1)
            return entry(below(frame), key)

        return Part(form, run, holder.cost + 1)

    def _optional_select(self, node: syntax.Node) -> Part:
        return self._selected_optional(node, self.part(node.children[0]))

    def _selected_optional(self, node: syntax.Node, holder: Part) -> Part:
        inner = holder.type.item if holder.type.name == "optional" else holder.type
        found = self.key_of(node, inner, node.text)
        if found is None:
            return Part(types.DYN, _impossible)
        key, form = found
        below = holder.run

        def run(frame: Frame) -> values.Optional:
            frame.spend(1)
            value = below(frame)
            if isinstance(value, values.Optional):
                value = value.value if value.present else {}
            if not isinstance(value, dict):
                raise errors.EvaluationError(f"no such key: {key}")
            return values.Optional(True, value[key]) if key in value else values.NOTHING

        return Part(types.optional_of(form), run, holder.cost + 1)

    # Logic.

    def _conditional(self, node: syntax.Node) -> Part:
        test, yes, no = self.parts(node.children)
        self.expect(node.children[0], test, types.BOOL)
        form = types.joined(yes.type, no.type)
        if form is None:
            return self.fault(node, _no_overload("_?_:_", (test.type, yes.type, no.type), method=False))

        def run(frame: Frame) -> Any:
            return (yes if truth(test.run(frame)) else no).run(frame)

        return Part(form, run, test.cost + max(yes.cost, no.cost))

    def expect(self, node: syntax.Node, part: Part, wanted: types.Type) -> None:
        """Note a fault unless ``part`` may be of type ``wanted``."""
        if not types.fits(wanted, part.type, {}):
            self.fault(node, f"expected type '{wanted}' but found '{part.type}'")

    def _all_of(self, node: syntax.Node) -> Part:
        return self._logic(node, decisive=False)

    def _any_of(self, node: syntax.Node) -> Part:
        return self._logic(node, decisive=True)

    def _logic(self, node: syntax.Node, *, decisive: bool) -> Part:
        """``&&`` or ``||``: one decisive operand decides, whatever became of the others."""
        operands = self.parts(node.children)
        for child, operand in zip(node.children, operands, strict=True):
            if not types.fits(types.BOOL, operand.type, {}):
                shown = ", ".join(str(each.type) for each in operands[:2])
                self.fault(child, f"found no matching overload for '{node.text}' applied to '({shown})'")

        def run(frame: Frame) -> bool:
            failed: errors.EvaluationError | None = None
            for operand in operands:
                try:
                    if truth(operand.run(frame)) is decisive:
                        return decisive
                except errors.EvaluationError as error:
                    failed = failed or error
            if failed is not None:
                raise failed
            return not decisive

        return Part(types.BOOL, run, sum(each.cost for each in operands) + len(operands) - 1)

    # Literals with parts.

    def _array(self, node: syntax.Node) -> Part:
        items = [(each.text == "?", self.part(each.children[0])) for each in node.children]
        forms = [part.type.item if optional else part.type for optional, part in items]
        inner = self._alike(node.children, forms) or types.DYN

        def run(frame: Frame) -> list[Any]:
            frame.spend(_MAKE_LIST + len(items))
            result = []
            for optional, part in items:
                value = part.run(frame)
                if not optional:
                    result.append(value)
                elif _optional(value).present:
                    result.append(value.value)
            return result

        cost = sum(part.cost for _, part in items) + _MAKE_LIST + len(items)
        return Part(types.list_of(inner, len(items)), run, cost)

    def _mapping(self, node: syntax.Node) -> Part:
        entries = [
            (each.text == "?", self.part(each.children[0]), self.part(each.children[1])) for each in node.children
        ]
        key = self._alike(node.children, [each.type for _, each, _ in entries]) or types.DYN
        held = [part.type.item if optional else part.type for optional, _, part in entries]
        value = self._alike([each.children[1] for each in node.children], held) or types.DYN
        if key.name not in _KEYS:
            return self.fault(node, f"unsupported map key type: {key}")

        def run(frame: Frame) -> dict[Any, Any]:
            frame.spend(_MAKE_MAP + len(entries))
            result: dict[Any, Any] = {}
            for optional, each_key, each_value in entries:
                made, found = each_key.run(frame), each_value.run(frame)
                if optional and not _optional(found).present:
                    continue
                if isinstance(made, list | dict):
                    raise errors.EvaluationError("unsupported key type")
                if made in result:
                    raise errors.EvaluationError(f"insert failed: key {made} already exists")
                result[made] = found.value if optional else found
            return result

        cost = sum(a.cost + b.cost for _, a, b in entries) + _MAKE_MAP + len(entries)
        return Part(types.map_of(key, value, len(entries)), run, cost)

    def _alike(self, nodes: Sequence[syntax.Node], forms: Sequence[types.Type]) -> types.Type | None:
        """The one type of all items of a literal, as Kubernetes asks for; None where there are none."""
        common = forms[0] if forms else None
        for node, form in zip(nodes[1:], forms[1:], strict=True):
            joined = types.joined(common or form, form)
            if joined is None:
                self.fault(node, f"expected type '{common}' but found '{form}'")
            common = joined or common
        return common

    # Calls.

    def _call(self, node: syntax.Node) -> Part:
        macro = self.macros.get(node.text)
        if macro is not None and (made := macro(self, node, None, node.children)) is not None:
            return made
        return self._applied(node, node.text, node.children, method=False)

    def _method(self, node: syntax.Node) -> Part:
        receiver, *arguments = node.children
        macro = self.macros.get(f".{node.text}")
        if macro is not None and (made := macro(self, node, receiver, arguments)) is not None:
            return made
        if receiver.kind == "name" and receiver.text not in self.scope:
            qualified = f"{receiver.text}.{node.text}"
            if qualified in self.table:
                return self._applied(node, qualified, arguments, method=False)
        return self._applied(node, node.text, node.children, method=True)

    def _applied(self, node: syntax.Node, name: str, nodes: Sequence[syntax.Node], *, method: bool) -> Part:
        overloads = [each for each in self.table.get(name, ()) if each.method is method]
        arguments = self.parts(nodes)
        if not overloads:
            return self.fault(node, f"undeclared reference to '{name}' (in container '')")
        forms = [each.type for each in arguments]
        fitting = [(each, found) for each in overloads if (found := _result(each, forms)) is not None]
        if not fitting:
            return self.fault(node, _no_overload(name, forms, method=method))
        if nodes and nodes[-1].kind == "literal":
            fitting = [(self._foreseen(name, nodes[-1], each), found) for each, found in fitting]
        own = [each for each in (forms[0].merge, forms[-1].merge) if each] if forms else []
        if own and name in ("_==_", "_!=_", "_+_") and (special := _of_lists(name, forms[0], forms[-1])) is not None:
            return _called([special], arguments, fitting[0][1])
        form = fitting[0][1]
        for _, other in fitting[1:]:
            form = types.joined(form, other) or types.DYN
        return _called([each for each, _ in fitting], arguments, form)

    def _foreseen(self, name: str, node: syntax.Node, overload: library.Overload) -> library.Overload:
        """An overload whose last argument is a literal: a bad one is a fault, and a good one need not be prepared in every run."""
        if overload.literal is None:
            return overload
        try:
            overload.literal(node.value)
        except errors.EvaluationError as error:
            self.fault(node, f"invalid {name} argument: {error}")
        return dataclasses.replace(overload, weigh=library.plain_sizes)


Macro = Callable[[Compiler, syntax.Node, syntax.Node | None, Sequence[syntax.Node]], Part | None]
"""(compiler, call, receiver if it is a method, arguments) → the compiled call; None where it is an ordinary call."""


def _dotted(node: syntax.Node) -> str:
    """``a.b.c`` as one name; "" where it is none."""
    if node.kind == "name":
        return node.text
    inner = _dotted(node.children[0]) if node.kind == "select" else ""
    return f"{inner}.{node.text}" if inner else ""


def _type_value(name: str) -> Part | None:
    if name not in _TYPE_VALUES:
        return None
    constant = values.TypeName(name)
    return Part(types.Type("type", limit=1), lambda frame: constant)


def _no_overload(name: str, forms: Sequence[types.Type], *, method: bool) -> str:
    shown = ", ".join(str(each) for each in (forms[1:] if method else forms))
    applied = f"{forms[0]}.({shown})" if method else f"({shown})"
    return f"found no matching overload for '{name}' applied to '{applied}'"


def _result(overload: library.Overload, forms: Sequence[types.Type]) -> types.Type | None:
    """The type of a call's answer, if the arguments fit."""
    if len(forms) != len(overload.arguments):
        return None
    bindings: types.Bindings = {}
    if not all(types.fits(*pair, bindings) for pair in zip(overload.arguments, forms, strict=True)):
        return None
    result = types.substituted(overload.result, bindings)
    if overload.result.name in types.VARIABLES:
        return result
    return types.bounded(result, overload.size([each.limit for each in forms]))


def _called(overloads: Sequence[library.Overload], arguments: Sequence[Part], form: types.Type) -> Part:
    limits = [each.type.limit for each in arguments]
    cost = max(each.charge(limits) for each in overloads) + sum(each.cost for each in arguments)
    runs = [each.run for each in arguments]
    sure = len(overloads) == 1 and not any(each.type.name in ("dyn", "null") for each in arguments)
    only = overloads[0]
    if sure and not only.heavy:
        return Part(form, _light(only, runs), cost)

    def run(frame: Frame) -> Any:
        given = [each(frame) for each in runs]
        chosen = only if sure else _chosen(overloads, given)
        try:
            return _paid(frame, chosen, given)
        except _MISFITS as error:
            raise errors.EvaluationError(values.NO_OVERLOAD) from error

    return Part(form, run, cost)


def _paid(frame: Frame, chosen: library.Overload, given: Sequence[Any]) -> Any:
    if not chosen.heavy:
        frame.spend(1)
        return chosen.run(*given)
    sizes = chosen.weigh(given)
    frame.spend(chosen.charge(sizes))
    result = chosen.run(*given)
    frame.spend(math.ceil(chosen.toll(sizes, result)))
    return result


def _light(overload: library.Overload, runs: Sequence[programs.Run]) -> programs.Run:
    """A call that costs the same whatever it is given."""
    apply = overload.run
    if len(runs) == 2:
        left, right = runs

        def run_two(frame: Frame) -> Any:
            frame.spend(1)
            one, other = left(frame), right(frame)
            try:
                return apply(one, other)
            except _MISFITS as error:
                raise errors.EvaluationError(values.NO_OVERLOAD) from error

        return run_two

    def run(frame: Frame) -> Any:
        frame.spend(1)
        given = [each(frame) for each in runs]
        try:
            return apply(*given)
        except _MISFITS as error:
            raise errors.EvaluationError(values.NO_OVERLOAD) from error

    return run


def _chosen(overloads: Sequence[library.Overload], given: Sequence[Any]) -> library.Overload:
    for each in overloads:
        if all(_is(*pair) for pair in zip(given, each.arguments, strict=True)):
            return each
    raise errors.EvaluationError(values.NO_OVERLOAD)


def _is(value: Any, form: types.Type) -> bool:
    if form.name == "dyn" or form.name in types.VARIABLES:
        return True
    wanted = _RUNTIME.get(form.name)
    return type(value) is wanted if wanted is not None else getattr(value, "cel_name", "") == form.name


def _of_lists(name: str, left: types.Type, right: types.Type) -> library.Overload | None:
    """Lists that are sets or maps are equal in any order, and add up without repetition. The left one's kind counts."""
    kind = left if left.merge else right
    if left.name != "list" or right.name != "list":
        return None

    def key(item: Any) -> Any:
        if kind.merge == "set" or not isinstance(item, dict):
            return values.frozen(item)
        return tuple(values.frozen(item.get(each)) for each in kind.keys)

    def same(one: list[Any], other: list[Any]) -> bool:
        mine, theirs = {key(each): each for each in one}, {key(each): each for each in other}
        return mine.keys() == theirs.keys() and all(values.equal(each, theirs[at]) for at, each in mine.items())

    def union(one: list[Any], other: list[Any]) -> list[Any]:
        result = {key(each): each for each in one}
        for each in other:
            result[key(each)] = each
        return list(result.values())

    runs = {"_==_": same, "_!=_": lambda one, other: not same(one, other), "_+_": union}
    return library.overload(
        "(list(A), list(A)) -> A",
        runs[name],
        library.walk,
        library.total,
        lambda given: [*map(values.weight_of, given)],
    )


def _impossible(frame: Frame) -> Any:
    del frame
    raise errors.EvaluationError(values.NO_OVERLOAD)


def entry(holder: Any, key: Any) -> Any:
    """The value of a key.

    Raises:
        EvaluationError: ``holder`` does not have it, or is nothing that has keys.
    """
    if not isinstance(holder, dict):
        raise errors.EvaluationError(values.NO_OVERLOAD)
    try:
        return holder[key]
    except (KeyError, TypeError) as error:
        raise errors.EvaluationError(f"no such key: {key}") from error


def truth(value: Any) -> bool:
    """``value``, which has to be a bool.

    Raises:
        EvaluationError: it is none.
    """
    if value is True or value is False:
        return bool(value)
    raise errors.EvaluationError(values.NO_OVERLOAD)


def _optional(value: Any) -> values.Optional:
    if not isinstance(value, values.Optional):
        raise errors.EvaluationError(values.NO_OVERLOAD)
    return value
