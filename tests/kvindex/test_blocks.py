"""Hashes of prefixes: what shares a prefix shares hashes, nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kvindex import blocks, errors


@given(st.binary(max_size=3000), st.binary(max_size=1000), st.binary(max_size=1000), st.integers(1, 64))
def test_equal_prefixes_have_equal_hashes_and_others_do_not(prefix: bytes, one: bytes, two: bytes, size: int) -> None:
    hasher = blocks.Hasher(size)
    first, second = hasher.hashes("m", prefix + one), hasher.hashes("m", prefix + two)
    shared = 0
    while shared < min(len(prefix + one), len(prefix + two)) and (prefix + one)[shared] == (prefix + two)[shared]:
        shared += 1
    same = hasher.count(shared)
    assert first[:same] == second[:same]
    assert not set(first[same:]) & set(second[same:])
    assert len(first) == hasher.count(len(prefix + one))


def test_a_block_is_full_or_it_is_none() -> None:
    hasher = blocks.Hasher(4)
    assert [len(hasher.hashes("m", b"abcdefgh"[:length])) for length in range(9)] == [0, 0, 0, 0, 1, 1, 1, 1, 2]


def test_borders_are_the_block_size_first_and_widen_then() -> None:
    hasher = blocks.Hasher(128)
    assert [hasher.covered(count) for count in (0, 1, 2, 32, 33, 64, 65)] == [0, 128, 256, 4096, 4352, 12288, 12800]
    assert hasher.count(400_000) == 209


@given(st.integers(128, 10_000_000))
def test_what_widening_loses_is_a_small_part_of_the_prefix(length: int) -> None:
    hasher = blocks.Hasher(128)
    assert length - hasher.covered(hasher.count(length)) < max(128, 2 * length / blocks.FINE)


@pytest.mark.parametrize(
    ("matched", "total", "percent"), [(0, 0, 0), (0, 3, 0), (1, 3, 33), (2, 3, 66), (3, 3, 100), (32, 64, 33)]
)
def test_percent_is_of_bytes_rounded_down(matched: int, total: int, percent: int) -> None:
    assert blocks.Hasher(4).percent(matched, total) == percent


def test_models_and_seeds_keep_apart() -> None:
    prompt = bytes(range(256)) * 8
    every = [
        hash_
        for seed in (0, 1, 2**64 - 1)
        for model in ("a", "b", "")
        for hash_ in blocks.Hasher(128, seed).hashes(model, prompt)
    ]
    assert len(set(every)) == len(every)
    assert all(0 < hash_ <= blocks.MASK for hash_ in every)
    assert blocks.Hasher(128, 7).hashes("a", prompt) == blocks.Hasher(128, 7).hashes("a", memoryview(prompt))


def test_names_of_models_do_not_pile_up() -> None:
    hasher = blocks.Hasher(1)
    before = hasher.hashes("m", b"x")
    for number in range(5000):
        hasher.hashes(f"model-{number}", b"x")
    assert len(hasher._salts) <= 4096
    assert hasher.hashes("m", b"x") == before


def test_a_block_of_nothing_is_refused() -> None:
    with pytest.raises(errors.SizeError, match="take at least 1"):
        blocks.Hasher(0)
