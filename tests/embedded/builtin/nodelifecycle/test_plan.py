"""When a node's agent counts as gone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.nodelifecycle import plan as planning
from brickyard.kube.objects import conditions

NOW = testing.NOW


def node(status: str | None = "True", heartbeat: float | None = None, age: float = 1000.0) -> dict[str, Any]:
    made: dict[str, Any] = {"metadata": testing.metadata("here", age)}
    if status is not None:
        ready = {"type": "Ready", "status": status, "lastTransitionTime": testing.ago(900)}
        if heartbeat is not None:
            ready["lastHeartbeatTime"] = testing.ago(heartbeat)
        made["status"] = {"conditions": [ready, {"type": "DiskPressure", "status": "False"}]}
    return made


def lease(age: float) -> dict[str, Any]:
    return {"spec": {"renewTime": testing.ago(age).replace("Z", ".000000Z")}}


# Status of Ready, age of the heartbeat, of the lease, of the node → said to be Unknown?, seconds to the next look.
@pytest.mark.parametrize(
    ("status", "heartbeat", "renewed", "age", "unknown", "again"),
    [
        ("True", 290, 0, 1000, False, 51),
        ("True", 290, 50, 1000, False, 1),
        ("True", 290, 51, 1000, True, None),
        ("False", 290, 51, 1000, True, None),
        ("Unknown", 290, 51, 1000, False, None),
        ("Unknown", 290, 10, 1000, False, 41),
        ("True", 10, 80000, 90000, False, 41),
        ("True", 20, None, 1000, False, 31),
        ("True", 60, None, 1000, True, None),
        ("True", None, None, 20, False, 31),
        (None, None, None, 20, False, 31),
        (None, None, None, 60, True, None),
    ],
)
def test_silence(
    status: str | None,
    heartbeat: float | None,
    renewed: float | None,
    age: float,
    unknown: bool,
    again: float | None,
) -> None:
    found = planning.plan(node(status, heartbeat, age), None if renewed is None else lease(renewed), NOW)
    assert (found.conditions is not None, found.requeue_after) == (unknown, again)


def test_what_is_said() -> None:
    told = planning.plan(node(heartbeat=100), None, NOW).conditions
    assert told is not None
    assert [(each["type"], each["status"]) for each in told] == [("Ready", "Unknown"), ("DiskPressure", "Unknown")]
    ready = conditions.find(told, "Ready")
    assert ready is not None
    assert (ready["reason"], ready["message"]) == ("NodeStatusUnknown", "Kubelet stopped posting node status.")
    assert ready["lastTransitionTime"] == testing.ago(0)
    assert ready["lastHeartbeatTime"] == testing.ago(100)


@given(st.floats(0, 200), st.floats(0, 200))
def test_whoever_has_spoken_is_believed_and_who_has_not_is_found_out(spoke: float, passes: float) -> None:
    """However late the next look comes, there is one before the silence lasts longer than it may."""
    found = planning.plan(node(), lease(int(spoke)), NOW)
    if int(spoke) <= planning.GRACE:
        assert found.conditions is None
        assert found.requeue_after is not None
        later = planning.plan(node(), lease(int(spoke)), NOW + found.requeue_after)
        assert later.conditions is not None
    else:
        assert found.conditions is not None
        after = planning.plan({**node(), "status": {"conditions": found.conditions}}, lease(int(spoke)), NOW + passes)
        assert after == planning.Plan()
