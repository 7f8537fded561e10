from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.reconcile import expectations

KEY = ("d", "rs")


def test_nothing_expected_is_satisfied() -> None:
    assert expectations.Expectations().satisfied(KEY, 0.0)


def test_how_long_to_wait() -> None:
    found = expectations.Expectations(ttl=10.0)
    assert found.wait(KEY, 0.0) is None
    found.expect_creations(KEY, 1, 5.0)
    assert [found.wait(KEY, now) for now in (5.0, 14.0, 15.0, 99.0)] == [10.0, 1.0, None, None]
    found.creation_observed(KEY)
    assert found.wait(KEY, 6.0) is None


def test_creations_are_ticked_off() -> None:
    found = expectations.Expectations()
    found.expect_creations(KEY, 2, 0.0)
    assert not found.satisfied(KEY, 1.0)
    found.creation_observed(KEY)
    assert not found.satisfied(KEY, 1.0)
    found.creation_observed(KEY)
    assert found.satisfied(KEY, 1.0)


def test_deletions_are_ticked_off_by_uid_and_once() -> None:
    found = expectations.Expectations()
    found.expect_deletions(KEY, ["a", "b"], 0.0)
    found.deletion_observed(KEY, "a")
    found.deletion_observed(KEY, "a")
    found.deletion_observed(KEY, "stranger")
    assert not found.satisfied(KEY, 1.0)
    found.deletion_observed(KEY, "b")
    assert found.satisfied(KEY, 1.0)


def test_both_kinds_must_be_met() -> None:
    found = expectations.Expectations()
    found.expect_creations(KEY, 1, 0.0)
    found.expect_deletions(KEY, ["a"], 0.0)
    found.creation_observed(KEY)
    assert not found.satisfied(KEY, 1.0)
    found.deletion_observed(KEY, "a")
    assert found.satisfied(KEY, 1.0)


def test_what_never_comes_is_believed_lost() -> None:
    found = expectations.Expectations(ttl=10.0)
    found.expect_creations(KEY, 1, 0.0)
    assert not found.satisfied(KEY, 9.9)
    assert found.satisfied(KEY, 10.0)


def test_what_was_lost_does_not_add_to_what_is_expected_next() -> None:
    found = expectations.Expectations(ttl=10.0)
    found.expect_creations(KEY, 5, 0.0)
    found.expect_creations(KEY, 1, 20.0)
    found.creation_observed(KEY)
    assert found.satisfied(KEY, 20.0)


def test_more_than_expected_is_not_saved_up() -> None:
    found = expectations.Expectations()
    found.expect_deletions(KEY, ["a"], 0.0)
    found.creation_observed(KEY)
    found.deletion_observed(KEY, "a")
    found.expect_creations(KEY, 1, 1.0)
    assert not found.satisfied(KEY, 1.0)


def test_owners_do_not_mix() -> None:
    found = expectations.Expectations()
    found.expect_creations(KEY, 1, 0.0)
    found.creation_observed("another")
    found.deletion_observed("another", "a")
    assert found.satisfied("another", 0.0)
    assert not found.satisfied(KEY, 0.0)
    found.forget(KEY)
    assert found.satisfied(KEY, 0.0)


@given(
    count=st.integers(0, 5),
    seen=st.integers(0, 8),
    uids=st.sets(st.sampled_from("abc")),
    gone=st.lists(st.sampled_from("abcd")),
)
def test_satisfied_exactly_when_all_was_seen(count: int, seen: int, uids: set[str], gone: list[str]) -> None:
    found = expectations.Expectations()
    found.expect_creations(KEY, count, 0.0)
    found.expect_deletions(KEY, uids, 0.0)
    for _ in range(seen):
        found.creation_observed(KEY)
    for uid in gone:
        found.deletion_observed(KEY, uid)
    assert found.satisfied(KEY, 1.0) == (seen >= count and uids <= set(gone))
