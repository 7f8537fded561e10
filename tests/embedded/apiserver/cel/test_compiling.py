"""What is no expression, and what does not fit together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.apiserver.cel import environment, errors, types

OBJECT = types.object_of(
    "Widget",
    {
        "size": types.Field("size", types.INT),
        "name": types.Field("name", types.bounded(types.STRING, 63)),
        "tags": types.Field("tags", types.list_of(types.bounded(types.STRING, 10), 5)),
        "labels": types.Field("labels", types.map_of(types.STRING, types.INT, 4)),
        "a__dash__b": types.Field("a-b", types.BOOL),
        "when": types.Field("when", types.TIMESTAMP),
    },
)

FAULTS = [
    ("[1, 'a']", "expected type 'int' but found 'string'"),
    ("{'a': 1, 'b': 'c'}", "expected type 'int' but found 'string'"),
    ("{1: 1, 'b': 1}", "expected type 'int' but found 'string'"),
    ("{1.5: 1}", "unsupported map key type: double"),
    ("true ? 1 : 'a'", "found no matching overload for '_?_:_' applied to '(bool, int, string)'"),
    ("'a'.matches('[')", "invalid matches argument: error parsing regexp: missing ]: ["),
    ("duration('1d') > duration('1s')", "invalid duration argument"),
    ("timestamp('yesterday') == self.when", "invalid timestamp argument"),
    ("self.labels.transformMapEntry(k, v, v)", "expected type 'map' but found 'int'"),
    ("type(self.when) == google.protobuf.Timestump", "undeclared reference to 'google'"),
    ("self.sice > 1", "undefined field 'sice'"),
    ("self.size > 'a'", "found no matching overload for '_>_' applied to '(int, string)'"),
    ("self.size == 1.0", "found no matching overload for '_==_' applied to '(int, double)'"),
    ("self.name == null", "found no matching overload for '_==_' applied to '(string, null)'"),
    ("self.name.size(1)", "found no matching overload for 'size' applied to 'string.(int)'"),
    ("self.size.x", "type 'int' does not support field selection"),
    ("size && true", "undeclared reference to 'size'"),
    ("oldSelf == self", "undeclared reference to 'oldSelf'"),
    ("nothing(1)", "undeclared reference to 'nothing'"),
    ("self.size && true", "found no matching overload for '_&&_'"),
    ("self.tags.all(t, t.size())", "expected type 'bool' but found 'int'"),
    ("self.size.all(t, true)", "cannot be range of a comprehension"),
    ("self.tags.all(1, true)", "argument must be a simple name"),
    ("has(self)", "invalid argument to has() macro"),
    ("self.size ? 1 : 2", "expected type 'bool' but found 'int'"),
    ("self.tags.exists(t, t == 1)", "found no matching overload for '_==_' applied to '(string, int)'"),
    ("self.labels['x'] == 'y'", "found no matching overload for '_==_' applied to '(int, string)'"),
    ("self.size >", "Syntax error: unexpected '<EOF>'"),
    ("self..size", "Syntax error"),
    ("1 = 2", "Syntax error"),
    ("'a", "Syntax error"),
    ("namespace == 1", "reserved identifier: namespace"),
    ("'\\d' == ''", "invalid escape sequence: \\d"),
    ("9223372036854775808 > 0", "invalid int literal"),
    ("1 " + "+ 1" * 500, "recursion limit exceeded"),
    ("!" * 500 + "true", "recursion limit exceeded"),
    ("'" + "a" * 40_000 + "' == ''", "exceeds limit"),
]


@pytest.mark.parametrize(("text", "why"), FAULTS, ids=range(len(FAULTS)))
def test_faults_are_told(text: str, why: str) -> None:
    with pytest.raises(errors.CompileError) as caught:
        environment.compile(text, {"self": OBJECT})
    assert why in str(caught.value)


def test_every_fault_is_told_at_its_place() -> None:
    with pytest.raises(errors.CompileError) as caught:
        environment.compile("self.x == 1 &&\n  self.y == 2", {"self": OBJECT})
    assert str(caught.value) == (
        "ERROR: <input>:1:6: undefined field 'x'\n | self.x == 1 &&\n | .....^\n"
        "ERROR: <input>:2:8: undefined field 'y'\n |   self.y == 2\n | .......^"
    )


TYPED = [
    ("self.size + 1", "int"),
    ("self.tags.map(t, t.size())", "list(int)"),
    ("self.tags.filter(t, true)", "list(string)"),
    ("self.labels", "map(string, int)"),
    ("self.labels.x", "int"),
    ("self.?size", "optional_type(int)"),
    ("self.?size.orValue(1)", "int"),
    ("self.when - self.when", "google.protobuf.Duration"),
    ("self.a__dash__b ? 'x' : 'y'", "string"),
    ("[dyn(1), 'a']", "list(dyn)"),
    ("[null, self.when]", "list(google.protobuf.Timestamp)"),
    ("{'a': dyn(1), 'b': 'c'}", "map(string, dyn)"),
    ("self.size > 1 ? dyn(1) : 'a'", "dyn"),
    ("self.name.split(',')[0]", "string"),
    ("quantity('1')", "quantity"),
]


@pytest.mark.parametrize(("text", "form"), TYPED)
def test_types_are_known(text: str, form: str) -> None:
    assert str(environment.compile(text, {"self": OBJECT}).type) == form


def test_an_escaped_field_is_looked_up_by_its_own_name() -> None:
    program = environment.compile("self.a__dash__b", {"self": OBJECT})
    assert program.run({"self": {"a-b": True}}, 100).value is True


def test_a_program_tells_what_it_uses() -> None:
    known = {"self": types.DYN, "oldSelf": types.DYN}
    assert environment.compile("self.a == oldSelf.a", known).uses == {"self", "oldSelf"}
    assert environment.compile("[1].all(oldSelf, oldSelf == 1)", known).uses == set()


COSTS = [
    # expression, bound on its estimate: larger bounds cost more
    ("self.size > 1", 10),
    ("self.tags.all(t, t != '')", 50),
    ("self.tags.all(t, self.tags.all(u, t != u || true))", 400),
]


@pytest.mark.parametrize(("text", "most"), COSTS)
def test_estimates_follow_the_bounds_of_types(text: str, most: int) -> None:
    assert 0 < environment.compile(text, {"self": OBJECT}).cost < most


def test_what_nothing_bounds_is_dear() -> None:
    endless = types.list_of(types.STRING)
    text = "self.all(a, self.all(b, a != b))"
    assert environment.compile(text, {"self": endless}).cost > 10_000_000


@given(st.text(alphabet="self.a()[]{}?:!&|+-*/%<>=,'\"\\ \n0123456789xinu_", max_size=40))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    try:
        program = environment.compile(text, {"self": types.DYN})
    except errors.CompileError:
        return
    try:
        program.run({"self": {"a": [1, {"x": "y"}]}}, 10_000)
    except (errors.EvaluationError, errors.BudgetError):
        return
