"""Links and lineage against plain dicts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from brickyard.kvindex import lineage, links

BLOCKS, KEYS = st.integers(1, 12), st.integers(101, 104)


@given(st.lists(st.tuples(st.booleans(), BLOCKS, KEYS), max_size=60))
def test_links_are_a_dict_of_blocks(steps: list[tuple[bool, int, int]]) -> None:
    made, model = links.Links(1000), dict[int, int]()
    for hang, block, key in steps:
        if hang:
            made.put(block, key)
            model[block] = key
        else:
            made.drop(block)
            model.pop(block, None)
        assert len(made) == len(model)
        assert {block: made.key(block) for block in range(1, 13)} == {block: model.get(block) for block in range(1, 13)}
        for each in range(101, 105):
            assert sorted(made.blocks(each)) == sorted(block for block, key in model.items() if key == each)
    assert sorted(made.all(range(101, 105))) == sorted(model)


def test_the_oldest_links_go_first() -> None:
    made = links.Links(3)
    for block in range(1, 6):
        made.put(block, 100 + block)
    assert [made.key(block) for block in range(1, 6)] == [None, None, 103, 104, 105]
    made.put(3, 200)  # not a new one
    assert (len(made), made.blocks(103), made.blocks(200)) == (3, [], [3])
    assert made.bytes > 0


def test_a_link_that_was_dropped_costs_its_place_once() -> None:
    made = links.Links(2)
    for block in (1, 2):
        made.put(block, 100)
    made.drop(1)
    made.put(3, 100)
    made.put(4, 100)
    assert len(made) <= 2
    assert made.key(4) == 100


def chain(*keys: int, parent: int = 0, depth: int = 0, into: lineage.Lineage | None = None) -> lineage.Lineage:
    made = into or lineage.Lineage()
    made.extend(keys, parent, depth)
    return made


def test_the_way_back() -> None:
    made = chain(1, 2, 3, 4)
    assert [made.depth(key) for key in (1, 4, 9, 0)] == [1, 4, 0, 0]
    assert [made.at(4, depth) for depth in range(6)] == [0, 1, 2, 3, 4, 0]
    made.drop(2)
    assert made.at(4, 1) == 0, "the way is broken"
    assert (made.at(4, 3), len(made)) == (3, 3)


def test_where_two_ways_part() -> None:
    made = chain(1, 2, 3, 4)
    chain(13, 14, 15, parent=2, depth=2, into=made)
    chain(21, 22, into=made)
    assert made.shared(4, 15, 64) == made.shared(15, 4, 64) == 2
    assert made.shared(3, 4, 64) == 3
    assert made.shared(4, 4, 64) == 4
    assert made.shared(4, 22, 64) == 0
    assert made.shared(4, 15, 1) == 0, "further than was asked"
    assert made.shared(4, 99, 64) == 0
