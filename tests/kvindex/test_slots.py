"""Endpoints as bits: the lowest free slot, none given twice while a dead bit may stand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from brickyard.kvindex import slots


def test_a_slot_is_free_again_only_when_no_dead_bit_stands() -> None:
    kept = slots.Slots()
    assert [kept.join(name) for name in ("a", "b", "a", "c")] == [0, 1, 0, 2]
    assert kept.leave("b") == 1
    assert (kept.live, kept.dead, kept.free) == (0b101, 0b010, 0)
    assert kept.join("d") == 3
    kept.recycle()
    assert (kept.dead, kept.free) == (0, 1)
    assert kept.join("b") == 1
    assert kept.leave("nobody") is None


@given(st.lists(st.tuples(st.sampled_from(["join", "leave", "recycle"]), st.integers(0, 9)), max_size=80))
def test_names_and_bits_stay_one_to_one(steps: list[tuple[str, int]]) -> None:
    kept, model = slots.Slots(), dict[str, int]()
    for action, number in steps:
        name = f"pod-{number}"
        if action == "join":
            model[name] = kept.join(name)
        elif action == "leave":
            assert kept.leave(name) == model.pop(name, None)
        else:
            kept.recycle()
        assert len(set(model.values())) == len(model) == len(kept)
        assert {kept.name(slot): slot for slot in slots.bits(kept.live)} == model
        assert not kept.live & kept.dead
        assert kept.mask(["pod-1", "stranger"]) == sum(1 << slot for each, slot in model.items() if each == "pod-1")
        assert sorted(kept.names()) == sorted(model)
