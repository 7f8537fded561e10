from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.objects import conditions

OLD = "2026-01-01T00:00:00Z"
NOW = "2026-02-02T00:00:00Z"
READY = {"type": "Ready", "status": "True", "reason": "Up", "lastTransitionTime": OLD}


def test_a_new_condition_stands_at_the_end() -> None:
    found = conditions.set_condition([READY], conditions.Condition("Synced", "True", "Done", "all of it", 3), NOW)
    assert found == [
        READY,
        {
            "type": "Synced",
            "status": "True",
            "reason": "Done",
            "message": "all of it",
            "observedGeneration": 3,
            "lastTransitionTime": NOW,
        },
    ]


def test_the_same_status_keeps_its_time() -> None:
    found = conditions.set_condition([READY], conditions.Condition("Ready", "True", "StillUp", "fine"), NOW)
    assert found == [{**READY, "reason": "StillUp", "message": "fine"}]


def test_another_status_takes_the_time() -> None:
    found = conditions.set_condition([READY], conditions.Condition("Ready", "False"), NOW)
    assert found == [{"type": "Ready", "status": "False", "lastTransitionTime": NOW}]


def test_a_condition_without_a_time_gets_one() -> None:
    found = conditions.set_condition([{"type": "Ready", "status": "True"}], conditions.Condition("Ready", "True"), NOW)
    assert found[0]["lastTransitionTime"] == NOW


def test_fields_of_others_survive() -> None:
    probed = {**READY, "lastProbeTime": OLD}
    assert conditions.set_condition([probed], conditions.Condition("Ready", "True"), NOW)[0]["lastProbeTime"] == OLD


def test_reading() -> None:
    assert conditions.find([READY], "Ready") == READY
    assert conditions.find(None, "Ready") is None
    assert conditions.is_true([READY], "Ready")
    assert not conditions.is_true([{**READY, "status": "Unknown"}], "Ready")
    assert not conditions.is_true([], "Ready")


def test_removing() -> None:
    assert conditions.remove([READY, {"type": "A"}], "Ready") == [{"type": "A"}]
    assert conditions.remove(None, "Ready") == []


KINDS = st.sampled_from(["A", "B", "C"])
STATUSES = st.sampled_from(["True", "False", "Unknown"])


@given(writes=st.lists(st.tuples(KINDS, STATUSES), max_size=12))
def test_one_entry_per_type_and_time_moves_with_status_only(writes: list[tuple[str, str]]) -> None:
    held: list[dict[str, object]] = []
    for moment, (kind, status) in enumerate(writes):
        before = {each["type"]: each for each in copy.deepcopy(held)}
        held = conditions.set_condition(held, conditions.Condition(kind, status), f"t{moment}")
        after = {each["type"]: each for each in held}
        assert len(after) == len(held)
        assert after[kind]["status"] == status
        same = kind in before and before[kind]["status"] == status
        assert after[kind]["lastTransitionTime"] == (before[kind]["lastTransitionTime"] if same else f"t{moment}")


def test_upsert_keeps_the_words_while_status_and_reason_stay() -> None:
    first = conditions.upsert(None, conditions.Condition("Ready", "False", "Waiting", "3 pods"), "t1")
    same = conditions.upsert(first, conditions.Condition("Ready", "False", "Waiting", "2 pods"), "t2")
    assert same == first
    other = conditions.upsert(first, conditions.Condition("Ready", "False", "Failed", "2 pods"), "t2")
    assert (other[0]["message"], other[0]["lastTransitionTime"]) == ("2 pods", "t1")
    done = conditions.upsert(other, conditions.Condition("Ready", "True", "Failed"), "t3")
    assert (done[0]["status"], done[0]["lastTransitionTime"]) == ("True", "t3")
