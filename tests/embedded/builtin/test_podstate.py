from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.builtin import podstate, testing
from brickyard.kube.objects import meta


@pytest.mark.parametrize(
    ("phase", "deleting", "active"),
    [
        ("Pending", False, True),
        ("Running", False, True),
        ("Unknown", False, True),
        ("Succeeded", False, False),
        ("Failed", False, False),
        ("Running", True, False),
    ],
)
def test_active_means_neither_ended_nor_being_deleted(phase: str, deleting: bool, active: bool) -> None:
    more: dict[str, Any] = {"deletionTimestamp": testing.ago(0)} if deleting else {}
    assert podstate.is_active(testing.pod(phase=phase, **more)) is active


def test_a_pod_without_status_is_pending_and_not_ready() -> None:
    bare = {"metadata": {"name": "a"}, "spec": {}}
    assert podstate.phase(bare) == "Pending"
    assert not podstate.is_ready(bare)
    assert podstate.is_active(bare)


@pytest.mark.parametrize(
    ("ready", "ready_for", "delay", "available"),
    [
        # ready  for  minReadySeconds  available
        (False, 60, 0, False),
        (True, 0, 0, True),
        (True, 9, 10, False),
        (True, 10, 10, True),
        (True, 11, 10, True),
    ],
)
def test_available_means_ready_for_long_enough(ready: bool, ready_for: float, delay: int, available: bool) -> None:
    pod = testing.pod(ready=ready, ready_for=ready_for)
    assert podstate.is_available(pod, delay, testing.NOW) is available


def test_a_condition_without_time_is_available_only_when_nothing_is_waited_for() -> None:
    pod = testing.pod()
    del pod["status"]["conditions"][0]["lastTransitionTime"]
    assert podstate.is_available(pod, 0, testing.NOW)
    assert not podstate.is_available(pod, 1, testing.NOW)


def test_the_worst_container_gives_the_restarts() -> None:
    pod = testing.pod()
    pod["status"]["containerStatuses"] = [{"restartCount": 1}, {"restartCount": 4}]
    pod["status"]["initContainerStatuses"] = [{"restartCount": 2}]
    assert podstate.restarts(pod) == 4
    assert podstate.restarts(testing.pod()) == 0


@pytest.mark.parametrize(("text", "cost"), [("7", 7), ("-3", -3), ("much", 0), ("", 0)])
def test_an_unreadable_deletion_cost_is_none(text: str, cost: int) -> None:
    assert podstate.deletion_cost(testing.pod(annotations={podstate.DELETION_COST: text})) == cost


def restarted(name: str, count: int) -> dict[str, Any]:
    pod = testing.pod(name)
    pod["status"]["containerStatuses"] = [{"restartCount": count}]
    return pod


COST = podstate.DELETION_COST

ROWS = [
    # dies first, lives on
    pytest.param(testing.pod("a", node=""), testing.pod("b", node="here"), id="1 no node"),
    pytest.param(testing.pod("a", phase="Pending"), testing.pod("b", phase="Unknown"), id="2 pending"),
    pytest.param(testing.pod("a", phase="Unknown"), testing.pod("b"), id="2 unknown"),
    pytest.param(testing.pod("a", ready=False), testing.pod("b"), id="3 not ready"),
    pytest.param(testing.pod("a", annotations={COST: "-1"}), testing.pod("b"), id="4 cheaper"),
    pytest.param(testing.pod("a", ready_for=5), testing.pod("b", ready_for=9), id="5 ready for less"),
    pytest.param(restarted("a", 3), restarted("b", 1), id="6 more restarts"),
    pytest.param(testing.pod("a", age=5), testing.pod("b", age=9), id="7 newer"),
    pytest.param(testing.pod("z"), testing.pod("b"), id="8 name"),
]


@pytest.mark.parametrize(("first", "second"), ROWS)
def test_deletion_order(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert podstate.deletion_order([second, first]) == [first, second]
    assert podstate.deletion_order([first, second]) == [first, second]


def test_an_earlier_row_beats_a_later_one() -> None:
    dear_but_unready = testing.pod("a", ready=False, annotations={COST: "100"}, age=500)
    cheap_and_ready = testing.pod("b", annotations={COST: "-100"}, age=1)
    assert podstate.deletion_order([cheap_and_ready, dear_but_unready])[0] is dear_but_unready


PODS = st.builds(
    lambda name, phase, ready, age, ready_for, cost, node: testing.pod(
        name, phase=phase, ready=ready, age=age, ready_for=ready_for, annotations={COST: str(cost)}, node=node
    ),
    st.text("abc", min_size=1, max_size=3),
    st.sampled_from(["Pending", "Running", "Unknown", "Odd"]),
    st.booleans(),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(-1, 1),
    st.sampled_from(["", "here"]),
)


@given(st.lists(PODS, max_size=8, unique_by=meta.name), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_the_order_seen(pods: list[dict[str, Any]], rng: random.Random) -> None:
    shuffled = list(pods)
    rng.shuffle(shuffled)
    assert podstate.deletion_order(shuffled) == podstate.deletion_order(pods)
