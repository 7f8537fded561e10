from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.deployment import revisions, sizes
from brickyard.kube.objects import meta


def rolling(replicas: int, surge: Any = "25%", unavailable: Any = "25%") -> dict[str, Any]:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return testing.deployment(replicas=replicas, strategy=strategy)


def sized(name: str, replicas: int, available: int | None = None, **more: Any) -> dict[str, Any]:
    found = testing.replica_set(name, replicas)
    found["status"] = {"availableReplicas": replicas if available is None else available}
    found["metadata"] |= more
    return found


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        # replicas, maxSurge, maxUnavailable → pods: surge rounds up, unavailable down
        (3, "25%", "25%", (1, 0)),
        (4, "25%", "25%", (1, 1)),
        (10, "25%", "25%", (3, 2)),
        (10, "0%", "0%", (0, 1)),
        (10, 0, 0, (0, 1)),
        (10, "1%", 0, (1, 0)),
        (10, 0, "1%", (0, 1)),
        (100, "7%", "7%", (7, 7)),
        (10, 3, 4, (3, 4)),
        (2, 0, 5, (0, 2)),
        (0, "25%", "25%", (0, 0)),
        (1, "100%", "100%", (1, 1)),
        (5, "200%", 0, (10, 0)),
        (4, None, None, (1, 1)),
    ],
)
def test_limits(replicas: int, surge: Any, unavailable: Any, expected: tuple[int, int]) -> None:
    found = sizes.limits(rolling(replicas, surge, unavailable))
    assert (found.surge, found.unavailable) == expected


def test_recreate_has_no_limits() -> None:
    assert sizes.limits(testing.deployment(strategy={"type": "Recreate"})) == sizes.Limits(0, 0)


def test_absent_strategy_and_replicas_are_the_defaults() -> None:
    bare = testing.deployment()
    del bare["spec"]["replicas"], bare["spec"]["strategy"]
    assert sizes.wanted(bare) == 1
    assert sizes.strategy(bare) == sizes.ROLLING_UPDATE


@given(st.integers(0, 500), st.integers(0, 150), st.integers(0, 150))
def test_a_rollout_can_always_move(replicas: int, surge: int, unavailable: int) -> None:
    found = sizes.limits(rolling(replicas, f"{surge}%", f"{unavailable}%"))
    assert found.surge + found.unavailable > 0 or replicas == 0
    assert 0 <= found.unavailable <= replicas
    assert found.surge * 100 >= replicas * surge


@pytest.mark.parametrize(
    ("told", "reported", "counted"),
    [(3, 3, 3), (3, 1, 1), (2, 3, 2), (0, 3, 0)],
)
def test_pods_that_are_about_to_go_are_not_counted_as_available(told: int, reported: int, counted: int) -> None:
    assert sizes.available(sized("a", told, reported)) == counted


@pytest.mark.parametrize(
    ("replicas", "surge", "new", "old", "expected"),
    [
        # replicas, maxSurge, newest, old → newest may have
        (10, 3, 0, 10, 3),
        (10, 3, 3, 10, 3),
        (10, 3, 3, 8, 5),
        (10, 3, 8, 0, 10),
        (10, 3, 12, 0, 10),
        (10, 0, 0, 10, 0),
        (10, 0, 0, 8, 2),
        (10, 3, 0, 20, 0),
    ],
)
def test_the_newest_grows_into_the_room_there_is(replicas: int, surge: int, new: int, old: int, expected: int) -> None:
    mine, theirs = sized("new", new), sized("old", old)
    assert sizes.new_size(rolling(replicas, surge, 1), mine, [mine, theirs]) == expected


def test_recreate_goes_to_its_size_at_once() -> None:
    deployment = testing.deployment(replicas=4, strategy={"type": "Recreate"})
    assert sizes.new_size(deployment, None, []) == 4


# -------------------------------------------------------------------------------------------------- sharing out a change


def share(replicas: int, surge: int, *fleet: dict[str, Any]) -> dict[str, int]:
    return {meta.name(each): size for each, size in sizes.proportional(rolling(replicas, surge, 1), fleet)}


def noted(name: str, replicas: int, most: int, age: float = 0) -> dict[str, Any]:
    stamped: dict[str, Any] = {"annotations": {revisions.MAX: str(most)}, "creationTimestamp": testing.ago(age)}
    return sized(name, replicas, **stamped)


@pytest.mark.parametrize(
    ("replicas", "surge", "before", "fleet", "expected"),
    [
        # Kubernetes' example: 10 of at most 13, 8 old and 5 new, to 15
        (15, 3, 13, {"old": 8, "new": 5}, {"old": 11, "new": 7}),
        (10, 0, 5, {"old": 3, "new": 2}, {"old": 6, "new": 4}),
        (5, 0, 10, {"old": 6, "new": 4}, {"old": 3, "new": 2}),
        (0, 0, 10, {"old": 6, "new": 4}, {"old": 0, "new": 0}),
        (10, 0, 10, {"old": 6, "new": 4}, {"old": 6, "new": 4}),
        # an empty one stays empty, and the biggest takes what rounding leaves
        (10, 0, 9, {"a": 3, "b": 3, "c": 3, "none": 0}, {"a": 4, "b": 3, "c": 3, "none": 0}),
    ],
)
def test_a_change_is_shared_in_proportion(
    replicas: int, surge: int, before: int, fleet: dict[str, int], expected: dict[str, int]
) -> None:
    found = [noted(name, size, before, age) for age, (name, size) in enumerate(fleet.items())]
    assert share(replicas, surge, *found) == expected


@pytest.mark.parametrize(("replicas", "bigger"), [(7, "young"), (5, "young")])
def test_among_equals_the_newest_grows_and_the_oldest_shrinks(replicas: int, bigger: str) -> None:
    found = share(replicas, 0, noted("old", 3, 6, age=9), noted("young", 3, 6, age=1))
    assert max(found, key=lambda name: found[name]) == bigger


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=5),
    st.integers(0, 60),
    st.integers(0, 10),
    st.integers(0, 80),
)
def test_shares_add_up(fleet: list[int], replicas: int, surge: int, before: int) -> None:
    found = share(replicas, surge, *(noted(f"rs-{index}", size, before) for index, size in enumerate(fleet)))
    allowed = replicas + surge if replicas else 0
    assert all(size >= 0 for size in found.values())
    assert sum(found.values()) == allowed


# ------------------------------------------------------------------------------------------------------------ shrinking


@pytest.mark.parametrize(
    ("surge", "unavailable", "new", "old", "expected"),
    [
        # 10 replicas; (told, available) of the newest and of the old, oldest first → new sizes of those that change
        (3, 2, (3, 0), [(10, 10)], {"old-0": 8}),
        (3, 2, (5, 0), [(8, 8)], {}),
        (3, 2, (5, 3), [(8, 8)], {"old-0": 5}),
        (3, 0, (3, 3), [(10, 10)], {"old-0": 7}),
        (3, 0, (3, 0), [(10, 10)], {}),
        (0, 1, (0, 0), [(10, 10)], {"old-0": 9}),
        # pods that are not available go first, wherever they are
        (3, 2, (3, 0), [(5, 5), (5, 2)], {"old-1": 3}),
        (3, 2, (3, 3), [(5, 5), (5, 0)], {"old-1": 0}),
        # then those of the oldest
        (3, 2, (3, 3), [(5, 5), (5, 5)], {"old-0": 0}),
        # nobody is available: everything beyond the reserve goes
        (3, 2, (3, 0), [(10, 0)], {"old-0": 8}),
        # what was told to go is not counted twice
        (3, 2, (3, 3), [(5, 10)], {}),
        (3, 2, (10, 10), [(3, 3)], {"old-0": 0}),
    ],
)
def test_old_replica_sets_shrink_as_far_as_they_may(
    surge: int, unavailable: int, new: tuple[int, int], old: list[tuple[int, int]], expected: dict[str, int]
) -> None:
    deployment = rolling(10, surge, unavailable)
    olds = [sized(f"old-{index}", *each, creationTimestamp=testing.ago(100 - index)) for index, each in enumerate(old)]
    found = sizes.shrink_old(deployment, sized("new", *new), olds)
    assert {meta.name(each): size for each, size in found} == expected


@given(
    st.integers(1, 20),
    st.integers(0, 5),
    st.integers(0, 5),
    st.tuples(st.integers(0, 20), st.integers(0, 20)),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=4),
)
def test_shrinking_keeps_enough_available(
    replicas: int, surge: int, unavailable: int, new: tuple[int, int], old: list[tuple[int, int]]
) -> None:
    deployment = rolling(replicas, surge, unavailable)
    mine = sized("new", *new)
    olds = [sized(f"old-{index}", *each) for index, each in enumerate(old)]
    after = {meta.name(each): size for each, size in sizes.shrink_old(deployment, mine, olds)}
    lost = sum(max(0, sizes.available(each) - after[meta.name(each)]) for each in olds if meta.name(each) in after)
    available = sum(map(sizes.available, [mine, *olds]))
    floor = replicas - sizes.limits(deployment).unavailable
    assert lost == 0 or available - lost >= floor
    assert all(0 <= size < sizes.specified(each) for each in olds if (size := after.get(meta.name(each))) is not None)
