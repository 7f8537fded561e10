"""The map of words is a dict, whatever happens to it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kvindex import wordmap

# Few keys that fall on few places, so that runs grow, wrap round and close.
KEYS = st.one_of(st.integers(1, 12), st.integers(0, 6).map(lambda n: (n << 20) + 62), st.integers(1, 2**64 - 1))
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "pop", "get"]), KEYS, st.integers(0, 2**64 - 1)), max_size=300
)


@given(STEPS)
def test_it_does_what_a_dict_does(steps: list[tuple[str, int, int]]) -> None:
    real, model = wordmap.WordMap(), dict[int, int]()
    for action, key, value in steps:
        if action == "put":
            real.put(key, value)
            model[key] = value
        elif action == "pop":
            assert real.pop(key) == model.pop(key, None)
        else:
            assert real.get(key) == model.get(key)
        assert len(real) == len(model)
    assert sorted(real) == sorted(model)
    assert sorted(real.values()) == sorted(model.values())
    assert {key: real.get(key) for key in model} == model


@pytest.mark.parametrize("count", [10, 1000, 20_000])
def test_it_grows_and_stays_small(count: int) -> None:
    rng = random.Random(count)
    real = wordmap.WordMap()
    keys = [rng.getrandbits(64) or 1 for _ in range(count)]
    for key in keys:
        real.put(key, key ^ 1)
    assert all(real.get(key) == key ^ 1 for key in keys)
    assert real.bytes <= max(16 * wordmap.LEAST, 54 * len(real))


def test_clear_gives_the_memory_back() -> None:
    real = wordmap.WordMap()
    for key in range(1, 1000):
        real.put(key, key)
    real.clear()
    assert (len(real), real.get(5), real.bytes) == (0, None, 16 * wordmap.LEAST)
