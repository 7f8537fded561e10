from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.builtin.hpa import behavior

NOW = 1_000_000.0


def spec(least: int = 1, most: int = 100, **rules: Any) -> dict[str, Any]:
    return {"minReplicas": least, "maxReplicas": most, **({"behavior": rules} if rules else {})}


def memory(recommended: dict[float, int] | None = None, changed: dict[float, int] | None = None) -> behavior.Memory:
    """Replicas by how many seconds ago."""

    def entries(found: dict[float, int] | None) -> tuple[behavior.Entry, ...]:
        return tuple(behavior.Entry(NOW - ago, replicas) for ago, replicas in (found or {}).items())

    return behavior.Memory(entries(recommended), entries(changed))


def policy(kind: str, value: int, period: int = 60) -> dict[str, Any]:
    return {"type": kind, "value": value, "periodSeconds": period}


def allowed(
    found: dict[str, Any], recommended: int, current: int, known: behavior.Memory | None = None
) -> tuple[int, str, str]:
    done = behavior.allow(found, recommended, current, known or memory(), NOW)
    return done.replicas, done.stabilised, done.limit


@pytest.mark.parametrize(
    ("recommended", "current", "expected"),
    [
        (5, 5, (5, "", "")),
        (100, 1, (5, "", "ScaleUpLimit")),
        (100, 10, (20, "", "ScaleUpLimit")),
        (12, 10, (12, "", "")),
        (2, 10, (2, "", "")),
        (0, 10, (1, "", "TooFewReplicas")),
        (500, 90, (100, "", "TooManyReplicas")),
    ],
)
def test_the_defaults(recommended: int, current: int, expected: tuple[int, str, str]) -> None:
    assert allowed(spec(), recommended, current) == expected


@pytest.mark.parametrize(
    ("recommended", "earlier", "expected"),
    [
        (2, {100: 8}, (8, "down", "")),
        (2, {100: 8, 200: 4}, (8, "down", "")),
        (2, {301: 8}, (2, "", "")),
        (2, {100: 20}, (10, "down", "")),
        (12, {100: 5}, (12, "", "")),
    ],
)
def test_down_no_further_than_the_highest_of_five_minutes(
    recommended: int, earlier: dict[float, int], expected: tuple[int, str, str]
) -> None:
    assert allowed(spec(), recommended, 10, memory(earlier)) == expected


@pytest.mark.parametrize(("earlier", "expected"), [({30: 12}, 12), ({30: 8}, 10), ({61: 8}, 15), ({30: 30}, 15)])
def test_up_no_further_than_the_lowest_of_the_window(earlier: dict[float, int], expected: int) -> None:
    assert allowed(spec(scaleUp={"stabilizationWindowSeconds": 60}), 15, 10, memory(earlier))[0] == expected


UP: list[tuple[dict[str, Any], dict[float, int], int]] = [
    # rules for going up, changes so far, how many of the 100 that 10 may become
    ({"policies": [policy("Pods", 2)]}, {}, 12),
    ({"policies": [policy("Percent", 15)]}, {}, 12),
    ({"policies": [policy("Pods", 2), policy("Percent", 50)]}, {}, 15),
    ({"policies": [policy("Pods", 2), policy("Percent", 50)], "selectPolicy": "Min"}, {}, 12),
    ({"policies": [policy("Pods", 2)], "selectPolicy": "Disabled"}, {}, 10),
    ({"policies": [policy("Pods", 2)]}, {30: 2}, 10),
    ({"policies": [policy("Pods", 3)]}, {30: 2}, 11),
    ({"policies": [policy("Pods", 2)]}, {61: 2}, 12),
    ({"policies": [policy("Percent", 100)]}, {30: 5}, 10),
    ({"policies": [policy("Pods", 2)]}, {30: -2}, 14),
]


@pytest.mark.parametrize(("rules", "changed", "expected"), UP)
def test_up_at_a_rate(rules: dict[str, Any], changed: dict[float, int], expected: int) -> None:
    assert allowed(spec(scaleUp=rules), 90, 10, memory(None, changed))[0] == expected


DOWN: list[tuple[dict[str, Any], dict[float, int], int]] = [
    ({"policies": [policy("Pods", 2)]}, {}, 8),
    ({"policies": [policy("Percent", 50)]}, {}, 5),
    ({"policies": [policy("Percent", 15)]}, {}, 8),
    ({"policies": [policy("Pods", 2), policy("Percent", 50)]}, {}, 5),
    ({"policies": [policy("Pods", 2), policy("Percent", 50)], "selectPolicy": "Min"}, {}, 8),
    ({"policies": [policy("Pods", 2)], "selectPolicy": "Disabled"}, {}, 10),
    ({"policies": [policy("Pods", 2)]}, {30: -2}, 10),
    ({"policies": [policy("Pods", 2)]}, {61: -2}, 8),
    ({"policies": [policy("Pods", 2)]}, {30: 2}, 6),
]


@pytest.mark.parametrize(("rules", "changed", "expected"), DOWN)
def test_down_at_a_rate(rules: dict[str, Any], changed: dict[float, int], expected: int) -> None:
    at_once = {"stabilizationWindowSeconds": 0, **rules}
    assert allowed(spec(scaleDown=at_once), 1, 10, memory(None, changed))[0] == expected


def test_limits_are_named() -> None:
    slow = {"policies": [policy("Pods", 1)]}
    assert allowed(spec(scaleUp=slow), 50, 10)[2] == "ScaleUpLimit"
    assert allowed(spec(scaleDown=slow), 1, 10)[2] == "ScaleDownLimit"
    assert allowed(spec(most=12), 50, 10)[2] == "TooManyReplicas"
    assert allowed(spec(least=4), 1, 10)[2] == "TooFewReplicas"


def test_memory_is_bounded() -> None:
    known = behavior.Memory()
    for second in range(3000):
        known = known.recommending(second, NOW + second).changing(1, NOW + second)
    assert len(known.recommended) == len(known.changed) == 1000
    late = known.recommending(1, NOW + 10_000)
    assert [each.replicas for each in late.recommended] == [1]


def test_tolerances() -> None:
    found = behavior.tolerance(spec(scaleUp={"tolerance": "50m"}))
    assert (found.up, found.down) == (Fraction(1, 20), Fraction(1, 10))


replicas = st.integers(0, 60)
past = st.dictionaries(st.floats(0, 700), st.integers(-20, 20), max_size=6)
rules = st.fixed_dictionaries(
    {
        "stabilizationWindowSeconds": st.integers(0, 600),
        "selectPolicy": st.sampled_from(["Max", "Min", "Disabled"]),
        "policies": st.lists(
            st.builds(policy, st.sampled_from(["Pods", "Percent"]), st.integers(1, 200), st.integers(1, 600)),
            min_size=1,
            max_size=3,
        ),
    }
)


@given(st.tuples(rules, rules), replicas, st.integers(1, 50), st.integers(1, 5), st.tuples(past, past))
def test_it_stays_within_bounds_and_never_goes_the_other_way(
    both: Any, recommended: int, current: int, least: int, history: Any
) -> None:
    (up, down), (earlier, changed) = both, history
    found = spec(least, 50, scaleUp=up, scaleDown=down)
    current = max(current, least)
    known = memory({ago: abs(each) for ago, each in earlier.items()}, changed)
    done, _, _ = allowed(found, recommended, current, known)
    assert least <= done <= 50
    if recommended >= current:
        assert done >= current
        assert done <= max(recommended, current)
    if recommended <= current:
        assert done <= current
        assert done >= min(max(recommended, least), current)
    if up["selectPolicy"] == "Disabled":
        assert done <= current
    if down["selectPolicy"] == "Disabled":
        assert done >= current
