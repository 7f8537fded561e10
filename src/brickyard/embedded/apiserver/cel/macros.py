"""Forms that bind names or look before they leap: ``has``, ``all``, ``exists``, ``map``, ``filter``, ``optMap`` and their kin.

Comprehensions run over the items of a list or the keys of a map; with two names, over index and item or key and value.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from brickyard.embedded.apiserver.cel import compiler, errors, programs, syntax, types, values

Part = programs.Part
Frame = programs.Frame
Node = syntax.Node

_MISSING = object()


class _Loop:
    """The range of a comprehension, and its names in scope."""

    def __init__(self, made_by: compiler.Compiler, receiver: Node, names: Sequence[Node]) -> None:
        self.compiler = made_by
        self.range = made_by.part(receiver)
        self.names = [each.text for each in names]
        form = self.range.type
        if form.name not in ("list", "map", "dyn"):
            made_by.fault(
                receiver,
                f"expression of type '{form}' cannot be range of a comprehension (must be list, map, or dynamic)",
            )
        self.rounds = form.limit
        of_key = types.INT if form.name == "list" else form.parameters[0] if form.name == "map" else types.DYN
        only = form.item if form.name == "list" else of_key
        self.types = [of_key, form.item] if len(names) == 2 else [only]

    def body(self, node: Node) -> Part:
        """Compile what is done in each round."""
        scope = self.compiler.scope
        hidden, used = {name: scope.get(name) for name in self.names}, set(self.compiler.uses)
        scope.update(zip(self.names, self.types, strict=True))
        try:
            part = self.compiler.part(node)
        finally:
            for name, before in hidden.items():
                del scope[name]
                if before is not None:
                    scope[name] = before
                if name not in used:
                    # What the body refers to by this name is the round's, not a variable of the rule.
                    self.compiler.uses.discard(name)
        return part

    def cost(self, *bodies: Part) -> float:
        """The most it can cost: infinitely much, where no number is large enough."""
        return self.range.cost + float(self.rounds) * (2 + sum(float(each.cost) for each in bodies))

    def run(self, frame: Frame) -> contextlib.closing[Generator[Any]]:
        """The rounds: the names are set, the first of them (an item or key) is given, each is paid for.

        A context, so that the names are what they were as soon as it is left, whatever holds on to an error's traceback.
        """
        return contextlib.closing(self._rounds(frame))

    def _rounds(self, frame: Frame) -> Generator[Any]:
        names, found = frame.names, self.range.run(frame)
        hidden = [(name, names.get(name, _MISSING)) for name in self.names]
        try:
            for values_of_round in _rounds(found, two=len(self.names) == 2):
                frame.spend(2)
                for name, value in zip(self.names, values_of_round, strict=True):
                    names[name] = value
                yield values_of_round[0]
        finally:
            for name, before in hidden:
                if before is _MISSING:
                    names.pop(name, None)
                else:
                    names[name] = before


def _rounds(found: Any, *, two: bool) -> Iterator[tuple[Any, ...]]:
    if isinstance(found, list):
        return iter(enumerate(found)) if two else ((each,) for each in found)
    if isinstance(found, dict):
        return iter(found.items()) if two else ((each,) for each in found)
    raise errors.EvaluationError(values.NO_OVERLOAD)


def _loop(made_by: compiler.Compiler, receiver: Node | None, names: Sequence[Node]) -> _Loop | None:
    if receiver is None:
        return None
    for each in names:
        if each.kind != "name":
            made_by.fault(each, "argument must be a simple name")
            return None
    if len({each.text for each in names}) < len(names):
        made_by.fault(names[1], "duplicate variable names")
        return None
    return _Loop(made_by, receiver, names)


def _quantifier(decisive: bool) -> compiler.Macro:
    """``all`` and ``exists``: one decisive item decides, whatever became of the others."""

    def macro(made_by: compiler.Compiler, node: Node, receiver: Node | None, arguments: Sequence[Node]) -> Part | None:
        del node
        if len(arguments) not in (2, 3) or (loop := _loop(made_by, receiver, arguments[:-1])) is None:
            return None
        test = loop.body(arguments[-1])
        made_by.expect(arguments[-1], test, types.BOOL)

        def run(frame: Frame) -> bool:
            failed: errors.EvaluationError | None = None
            with loop.run(frame) as rounds:
                for _ in rounds:
                    try:
                        if compiler.truth(test.run(frame)) is decisive:
                            return decisive
                    except errors.EvaluationError as error:
                        failed = failed or error
            if failed is not None:
                raise failed
            return not decisive

        return Part(types.BOOL, run, loop.cost(test))

    return macro


def _exists_one(
    made_by: compiler.Compiler, node: Node, receiver: Node | None, arguments: Sequence[Node]
) -> Part | None:
    del node
    if len(arguments) not in (2, 3) or (loop := _loop(made_by, receiver, arguments[:-1])) is None:
        return None
    test = loop.body(arguments[-1])
    made_by.expect(arguments[-1], test, types.BOOL)

    def run(frame: Frame) -> bool:
        with loop.run(frame) as rounds:
            return sum(compiler.truth(test.run(frame)) for _ in rounds) == 1

    return Part(types.BOOL, run, loop.cost(test))


def _filter(made_by: compiler.Compiler, node: Node, receiver: Node | None, arguments: Sequence[Node]) -> Part | None:
    del node
    if len(arguments) != 2 or (loop := _loop(made_by, receiver, arguments[:1])) is None:
        return None
    test = loop.body(arguments[1])
    made_by.expect(arguments[1], test, types.BOOL)

    def run(frame: Frame) -> list[Any]:
        with loop.run(frame) as rounds:
            return [each for each in rounds if compiler.truth(test.run(frame))]

    return Part(types.list_of(loop.types[0], loop.rounds), run, loop.cost(test))


def _map(made_by: compiler.Compiler, node: Node, receiver: Node | None, arguments: Sequence[Node]) -> Part | None:
    """``map(x, f(x))``, or ``map(x, test(x), f(x))`` over those that pass."""
    del node
    if len(arguments) not in (2, 3) or (loop := _loop(made_by, receiver, arguments[:1])) is None:
        return None
    return _transformed(loop, arguments[1:-1], arguments[-1])


def _transform_list(
    made_by: compiler.Compiler, node: Node, receiver: Node | None, arguments: Sequence[Node]
) -> Part | None:
    del node
    if len(arguments) not in (3, 4) or (loop := _loop(made_by, receiver, arguments[:2])) is None:
        return None
    return _transformed(loop, arguments[2:-1], arguments[-1])


def _transformed(loop: _Loop, tests: Sequence[Node], result: Node) -> Part:
    test = loop.body(tests[0]) if tests else None
    if test is not None:
        loop.compiler.expect(tests[0], test, types.BOOL)
    body = loop.body(result)

    def run(frame: Frame) -> list[Any]:
        with loop.run(frame) as rounds:
            return [body.run(frame) for _ in rounds if test is None or compiler.truth(test.run(frame))]

    bodies = (body,) if test is None else (test, body)
    return Part(types.list_of(body.type, loop.rounds), run, loop.cost(*bodies))


def _transform_map(
    made_by: compiler.Compiler, node: Node, receiver: Node | None, arguments: Sequence[Node]
) -> Part | None:
    del node
    if len(arguments) not in (3, 4) or (loop := _loop(made_by, receiver, arguments[:2])) is None:
        return None
    test = loop.body(arguments[2]) if len(arguments) == 4 else None
    body = loop.body(arguments[-1])

    def run(frame: Frame) -> dict[Any, Any]:
        with loop.run(frame) as rounds:
            return {key: body.run(frame) for key in rounds if test is None or compiler.truth(test.run(frame))}

    bodies = (body,) if test is None else (test, body)
    return Part(types.map_of(loop.types[0], body.type, loop.rounds), run, loop.cost(*bodies))


def _transform_map_entry(
    made_by: compiler.Compiler, node: Node, receiver: Node | None, arguments: Sequence[Node]
) -> Part | None:
    """``transformMapEntry(k, v, {f(k): g(v)})``: the maps of all rounds as one."""
    if len(arguments) not in (3, 4) or (loop := _loop(made_by, receiver, arguments[:2])) is None:
        return None
    test = loop.body(arguments[2]) if len(arguments) == 4 else None
    body = loop.body(arguments[-1])
    if body.type.name not in ("map", "dyn"):
        return made_by.fault(node, f"expected type 'map' but found '{body.type}'")

    def run(frame: Frame) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        with loop.run(frame) as rounds:
            for _ in rounds:
                if test is not None and not compiler.truth(test.run(frame)):
                    continue
                found = body.run(frame)
                if not isinstance(found, dict):
                    raise errors.EvaluationError(values.NO_OVERLOAD)
                if again := found.keys() & result.keys():
                    raise errors.EvaluationError(f"insert failed: key {again.pop()} already exists")
                frame.spend(len(found))
                result.update(found)
        return result

    bodies = (body,) if test is None else (test, body)
    key = body.type.parameters[0] if body.type.name == "map" else types.DYN
    most = loop.rounds * max(1, body.type.limit)
    return Part(types.map_of(key, body.type.item, min(most, types.UNBOUNDED)), run, loop.cost(*bodies) + most)


def _has(made_by: compiler.Compiler, node: Node, receiver: Node | None, arguments: Sequence[Node]) -> Part | None:
    """``has(a.b)``: whether ``a``, which must be there, has ``b``."""
    if receiver is not None or len(arguments) != 1:
        return None
    (field,) = arguments
    if field.kind not in ("select", "optional_select"):
        return made_by.fault(node, "invalid argument to has() macro")
    holder = made_by.part(field.children[0])
    form = holder.type.item if holder.type.name == "optional" else holder.type
    found = made_by.key_of(field, form, field.text)
    if found is None:
        return Part(types.BOOL, holder.run)
    key = found[0]

    def run(frame: Frame) -> bool:
        frame.spend(1)
        value = holder.run(frame)
        if isinstance(value, values.Optional):
            value = value.value if value.present else {}
        if not isinstance(value, dict):
            raise errors.EvaluationError(values.NO_OVERLOAD)
        return key in value

    return Part(types.BOOL, run, holder.cost + 1)


def _optional_map(flat: bool) -> compiler.Macro:
    """``optMap`` and ``optFlatMap``: the value, if there is one, goes through an expression."""

    def macro(made_by: compiler.Compiler, node: Node, receiver: Node | None, arguments: Sequence[Node]) -> Part | None:
        if receiver is None or len(arguments) != 2 or arguments[0].kind != "name":
            return None
        held = made_by.part(receiver)
        if held.type.name not in ("optional", "dyn"):
            return made_by.fault(node, f"found no matching overload for '{node.text}' applied to '{held.type}.()'")
        name, scope, used = arguments[0].text, dict(made_by.scope), set(made_by.uses)
        made_by.scope[name] = held.type.item
        body = made_by.part(arguments[1])
        made_by.scope.clear()
        made_by.scope.update(scope)
        if name not in used:
            made_by.uses.discard(name)

        def run(frame: Frame) -> values.Optional:
            found = held.run(frame)
            if not isinstance(found, values.Optional):
                raise errors.EvaluationError(values.NO_OVERLOAD)
            if not found.present:
                return values.NOTHING
            before = frame.names
            frame.names = {**before, name: found.value}
            try:
                result = body.run(frame)
            finally:
                frame.names = before
            return result if flat else values.Optional(True, result)

        form = body.type if flat else types.optional_of(body.type)
        return Part(form, run, held.cost + body.cost + 1)

    return macro


ALL: Mapping[str, Callable[..., Part | None]] = {
    "has": _has,
    ".all": _quantifier(decisive=False),
    ".exists": _quantifier(decisive=True),
    ".exists_one": _exists_one,
    ".existsOne": _exists_one,
    ".filter": _filter,
    ".map": _map,
    ".transformList": _transform_list,
    ".transformMap": _transform_map,
    ".transformMapEntry": _transform_map_entry,
    ".optMap": _optional_map(flat=False),
    ".optFlatMap": _optional_map(flat=True),
}
