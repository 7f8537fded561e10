"""Names of cards, which of them are ours, and what stands for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet.gpus import cards

WHOLE = [cards.Card(f"GPU-{letter * 4}", index, "H100") for index, letter in enumerate("abcd")]
PARTS = [cards.Card(f"MIG-{number}", 1, "H100", profile) for number, profile in enumerate(("1g.10gb", "2g.20gb+me"))]
CUT = [WHOLE[0], *PARTS]


@pytest.mark.parametrize(
    ("profile", "resource"),
    [("", "nvidia.com/gpu"), ("1g.10gb", "nvidia.com/mig-1g.10gb"), ("1g.10gb+me", "nvidia.com/mig-1g.10gb.me")],
)
def test_resources(profile: str, resource: str) -> None:
    assert cards.Card("x", 0, "H100", profile).resource == resource


# CUDA_VISIBLE_DEVICES → which cards, by their place in the list.
@pytest.mark.parametrize(
    ("visible", "left"),
    [
        (None, [0, 1, 2, 3]),
        ("", []),
        ("-1", []),
        ("2", [2]),
        ("3,0", [3, 0]),
        ("1, 2", [1, 2]),
        ("1,1", [1]),
        ("1,9,2", [1]),
        ("GPU-cccc", [2]),
        ("GPU-c,0", [2, 0]),
        ("GPU-", [0, 1, 2, 3]),
        ("MIG-0", []),
        ("NoDevFiles", []),
    ],
)
def test_what_our_own_variable_leaves_us(visible: str | None, left: list[int]) -> None:
    assert cards.permitted(WHOLE, visible) == [WHOLE[index] for index in left]


def test_parts_are_permitted_by_uuid_alone() -> None:
    assert cards.permitted(CUT, "1") == []
    assert cards.permitted(CUT, "MIG-1,0") == [PARTS[1], WHOLE[0]]


def test_inventory() -> None:
    assert cards.inventory([]) == {}
    assert cards.inventory(CUT) == {
        "nvidia.com/gpu": ("GPU-aaaa",),
        "nvidia.com/mig-1g.10gb": ("MIG-0",),
        "nvidia.com/mig-2g.20gb.me": ("MIG-1",),
    }


def test_shared_gpus_fill_one_after_another() -> None:
    assert cards.inventory(CUT[:2] + WHOLE[1:2], sharing=2) == {
        "nvidia.com/gpu.shared": ("GPU-aaaa::0", "GPU-bbbb::0", "GPU-aaaa::1", "GPU-bbbb::1"),
        "nvidia.com/mig-1g.10gb": ("MIG-0",),
    }


def test_whole_gpus_are_shown_by_index_unless_one_is_cut() -> None:
    assert cards.shown(WHOLE[1:3]) == {"GPU-bbbb": "1", "GPU-cccc": "2"}
    assert cards.shown(CUT) == {"GPU-aaaa": "GPU-aaaa", "MIG-0": "MIG-0", "MIG-1": "MIG-1"}


def test_the_cards_behind_shares() -> None:
    assert cards.uuids(["GPU-a::0", "GPU-b::1", "GPU-a::2", "MIG-1"]) == ["GPU-a", "GPU-b", "MIG-1"]


@given(st.integers(1, 6), st.sets(st.sampled_from(range(4))))
def test_every_gpu_is_offered_as_often_as_it_is_shared(sharing: int, chosen: set[int]) -> None:
    mine = [WHOLE[index] for index in sorted(chosen)]
    (ids,) = cards.inventory(mine, sharing).values() or [()]
    assert len(set(ids)) == len(ids) == len(mine) * sharing
    assert cards.uuids(ids) == [each.uuid for each in mine]
