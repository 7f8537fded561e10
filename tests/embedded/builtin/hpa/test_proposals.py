from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.hpa import proposals

NOW = testing.NOW
TEN = proposals.Tolerance()


def share(target: int, *names: str, request: int = 1000) -> proposals.Utilization:
    return proposals.Utilization(target, dict.fromkeys(names, request))


def groups(
    values: dict[str, int], unready: set[str] | None = None, missing: set[str] | None = None
) -> proposals.Groups:
    return proposals.Groups(values, frozenset(unready or ()), frozenset(missing or ()))


def pods(count: int, value: int) -> dict[str, int]:
    return {f"p{number}": value for number in range(count)}


@pytest.mark.parametrize(
    ("measured", "target", "count", "expected"),
    [
        # per cent of the request, wanted per cent, pods, proposal: Kubernetes' documented algorithm
        (200, 100, 1, 2),
        (50, 100, 2, 1),
        (100, 100, 3, 3),
        (110, 100, 3, 3),
        (111, 100, 3, 4),
        (90, 100, 10, 10),
        (89, 100, 10, 9),
        (0, 50, 4, 0),
        (90, 50, 3, 6),
    ],
)
def test_the_ratio_decides_beyond_the_tolerance(measured: int, target: int, count: int, expected: int) -> None:
    goal = share(target, *pods(count, 0))
    assert proposals.from_pods(goal, groups(pods(count, measured * 10)), count, TEN) == expected


@pytest.mark.parametrize(
    ("measured", "missing", "unready", "expected"),
    [
        # per cent of two ready pods whose goal is 50; how many pods are not measured and not ready
        (200, 0, 0, 8),
        (200, 2, 0, 8),
        (100, 1, 0, 4),
        (60, 1, 0, 3),
        (10, 0, 0, 1),
        (10, 1, 0, 3),
        (10, 2, 0, 4),
        (200, 0, 2, 8),
        (100, 0, 2, 4),
        (60, 0, 2, 4),
        (10, 0, 2, 1),
    ],
)
def test_pods_that_say_nothing_damp_the_move(measured: int, missing: int, unready: int, expected: int) -> None:
    lost = {f"m{number}" for number in range(missing)}
    young = {f"u{number}" for number in range(unready)}
    goal = share(50, "p0", "p1", *lost, *young)
    found = proposals.from_pods(goal, groups(pods(2, measured * 10), young, lost), 2 + missing + unready, TEN)
    assert found == expected


def test_nobody_measured_is_no_number() -> None:
    with pytest.raises(proposals.UnmeasuredError, match="did not receive metrics"):
        proposals.from_pods(share(50, "a"), groups({}, {"a"}), 1, TEN)


def test_nothing_requested_is_no_number() -> None:
    with pytest.raises(proposals.UnmeasuredError):
        proposals.from_pods(proposals.Utilization(50, {}), groups({"a": 1}), 1, TEN)


@pytest.mark.parametrize(("value", "expected"), [(3000, 3), (3300, 3), (3301, 4), (9000, 9), (100, 1)])
def test_an_average_value(value: int, expected: int) -> None:
    assert (
        proposals.from_pods(proposals.Average(1000), groups(pods(3, value // 3 + (value % 3 > 0))), 3, TEN) == expected
    )


@pytest.mark.parametrize(
    ("value", "target", "ready", "expected"), [(200, 100, 3, 6), (105, 100, 3, 3), (0, 100, 3, 0), (50, 100, 3, 2)]
)
def test_one_value_of_the_whole(value: int, target: int, ready: int, expected: int) -> None:
    assert proposals.from_value(value, target, ready, 3, TEN) == expected


@pytest.mark.parametrize(
    ("value", "per_pod", "current", "expected"), [(10, 3, 3, 4), (10, 3, 0, 4), (9, 3, 3, 3), (0, 3, 2, 0)]
)
def test_so_much_for_each(value: int, per_pod: int, current: int, expected: int) -> None:
    assert proposals.from_total(value, per_pod, current, proposals.Tolerance()) == expected


amounts = st.lists(st.integers(0, 5000), min_size=1, max_size=8)


@given(amounts, st.integers(1, 200), st.integers(0, 4), st.integers(0, 4))
def test_silent_pods_never_make_a_move_bigger(values: list[int], target: int, missing: int, unready: int) -> None:
    named = {f"p{number}": value for number, value in enumerate(values)}
    lost = {f"m{number}" for number in range(missing)}
    young = {f"u{number}" for number in range(unready)}
    current = len(named) + missing + unready
    goal = share(target, *named, *lost, *young)
    found = proposals.from_pods(goal, groups(named, young, lost), current, TEN)
    ratio = goal.ratio(named)
    if ratio > 1:
        assert found <= max(current, math.ceil(ratio * current))
        assert found >= current or not (missing or unready)
    if ratio < 1 and missing:
        assert found <= current


@given(amounts, st.integers(1, 200), st.integers(1, 200))
def test_a_lower_target_never_asks_for_fewer(values: list[int], one: int, other: int) -> None:
    named = {f"p{number}": value for number, value in enumerate(values)}
    low, high = sorted((one, other))
    sharp = proposals.Tolerance(Fraction(0), Fraction(0))
    found = [proposals.from_pods(share(each, *named), groups(named), len(named), sharp) for each in (low, high)]
    assert found[0] >= found[1]


def pod(name: str, *, ready: bool = True, started: float = 1000, changed: float = 500, **more: Any) -> dict[str, Any]:
    made = testing.pod(name, ready=ready, ready_for=changed, **more)
    made["status"]["startTime"] = testing.ago(started)
    return made


@pytest.mark.parametrize(
    ("made", "cpu", "where"),
    [
        (pod("a"), True, "ready"),
        (pod("a", phase="Pending"), True, "unready"),
        (pod("a", phase="Failed"), True, "nowhere"),
        (pod("a", deletionTimestamp=testing.ago(1)), True, "nowhere"),
        (pod("b"), True, "missing"),
        (pod("a", ready=False, started=100, changed=50), True, "unready"),
        (pod("a", ready=True, started=100, changed=50), True, "ready"),
        (pod("a", ready=False, started=1000, changed=500), True, "ready"),
        (pod("a", ready=False, started=1000, changed=990), True, "unready"),
        (pod("a", ready=False, started=100, changed=50), False, "ready"),
        (testing.pod("a"), True, "unready"),
    ],
)
def test_which_pods_are_ready_to_be_judged(made: dict[str, Any], cpu: bool, where: str) -> None:
    found = proposals.group([made], {"a": 1}, NOW, cpu=cpu)
    place = "ready" if found.values else "unready" if found.unready else "missing" if found.missing else "nowhere"
    assert place == where
