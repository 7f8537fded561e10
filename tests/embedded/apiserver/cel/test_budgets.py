"""Expressions that would take for ever, or all memory, do not."""

from __future__ import annotations

import pytest

from brickyard.embedded.apiserver.cel import environment, errors, types

LONG = "a" * 100_000
SELF = {"l": list(range(3000)), "s": LONG, "w": [LONG] * 30}

DEAR = [
    "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= 0)))",
    "self.l.map(a, self.l.map(b, b)).size() > 0",
    "self.l.all(a, self.s.contains('b') == false)",
    "self.s.replace('a', self.s).size() > 0",
    "self.w.map(x, self.w).map(y, y.join('')).size() > 0",
    "lists.range(1000000000000).size() > 0",
    "self.l.all(a, self.s.matches('(a+)+$'))",
    "self.l.all(a, self.l == self.l)",
    "self.l.all(a, 'x' in self.l || true)",
    "'%s%s%s'.format([self.w, self.w, self.w]).size() > 0",
    # A handful of lists that hold one another many times.
    "[[1]]" + ".map(x, [x, x])" * 40 + " == [[1]]" + ".map(x, [x, x])" * 40,
    "sets.contains([dyn([1])]" + ".map(x, [x, x])" * 40 + ", [dyn(1)])",
    "[[1, 2, 3, 4]]" + ".map(x, [x, x, x, x].flatten())" * 20 + "[0].size() > 0",
    # Answers far larger than what they are made from.
    "self.l.map(a, '" + "a" * 500 + "'.replace('a', '" + "b" * 500 + "')).size() > 0",
    "self.l.map(a, self.l.map(b, '').join('" + "b" * 500 + "')).size() > 0",
    "self.l.map(a, '" + "%.999f" * 99 + "'.format([" + "1.0," * 99 + "])).size() > 0",
    "self.w.map(x, x.split('')).size() > 0",
    "self.w.all(x, x.findAll('b*').size() > 0)",
    # Programs of patterns that are a thousand times as long as the patterns.
    r"self.l.all(i, !'a'.matches('\\pL{40}' + string(i)))",
]


@pytest.mark.parametrize("text", DEAR)
def test_what_costs_too_much_is_broken_off(text: str) -> None:
    program = environment.compile(text, {"self": types.DYN})
    with pytest.raises(errors.BudgetError, match="cost limit exceeded"):
        program.run({"self": SELF}, 300_000)


def test_nothing_gets_over_a_spent_budget() -> None:
    program = environment.compile("self.l.all(a, self.l.all(b, true)) || true", {"self": types.DYN})
    with pytest.raises(errors.BudgetError):
        program.run({"self": SELF}, 1000)


def test_a_pattern_that_others_choke_on_is_linear() -> None:
    program = environment.compile("self.matches('^(a+)+$')", {"self": types.STRING})
    assert program.run({"self": "a" * 50_000 + "b"}, 1_000_000).value is False


def test_the_cost_of_a_run_is_told() -> None:
    program = environment.compile("self.l.exists(x, x == 100)", {"self": types.DYN})
    found = program.run({"self": SELF}, 100_000)
    assert found.value is True
    assert 100 < found.cost < 1000


def test_a_value_too_deep_to_walk_is_no_crash() -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    program = environment.compile("self == self", {"self": types.DYN})
    with pytest.raises(errors.BudgetError, match="nested too deeply"):
        program.run({"self": deep}, 1_000_000)


@pytest.mark.parametrize(
    "text", ["self.min() == 1", "self[0] + 1 == 2", "self.size() > 0", "self.isSorted()", "self + self == self"]
)
def test_a_value_of_another_type_than_was_promised_is_no_crash(text: str) -> None:
    program = environment.compile(text, {"self": types.list_of(types.INT)})
    for value in (True, 3, "x", {"a": 1}, None, [None], ["x"]):
        try:
            program.run({"self": value}, 1000)
        except errors.EvaluationError:
            continue


def test_what_a_failed_run_cost_is_told() -> None:
    program = environment.compile("self.l.all(x, x / 0 == 1)", {"self": types.DYN})
    with pytest.raises(errors.EvaluationError, match="division by zero") as failure:
        program.run({"self": SELF}, 100_000)
    assert failure.value.cost > len(SELF["l"])
    with pytest.raises(errors.BudgetError) as broken:
        program.run({"self": SELF}, 1000)
    assert broken.value.cost == 1000


def test_an_estimate_beyond_all_numbers_is_infinite() -> None:
    text = "true"
    for _ in range(60):
        text = f"self.all(x, {text})"
    assert environment.compile(text, {"self": types.DYN}).cost == float("inf")


def test_a_type_that_doubles_with_every_step_is_refused() -> None:
    text = "[1]" + ".map(x, {x: x})" * 60 + " == 1"
    with pytest.raises(errors.CompileError, match=r"unsupported map key type: map\(int, int\)"):
        environment.compile(text, {})


@pytest.mark.parametrize(("text", "why"), [("9" * 5000, "int"), ("9" * 5000 + "u", "uint"), ("1e400", "double")])
def test_numbers_that_are_too_large_are_faults(text: str, why: str) -> None:
    with pytest.raises(errors.CompileError, match=f"invalid {why} literal"):
        environment.compile(text, {})
