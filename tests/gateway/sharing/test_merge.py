"""Whatever way messages take, totals become the truth; peers count as long as they are heard."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.gateway.sharing import merge

TTL = 2.0


class Sender:
    """A gateway that opens and ends requests, and the messages it writes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.open: dict[str, int] = {}
        self.seq = 0

    def delta(self, changes: dict[str, int]) -> tuple[str, int, dict[str, int], bool]:
        self.seq += 1
        self.open |= changes
        return (self.name, self.seq, dict(changes), False)

    def snapshot(self) -> tuple[str, int, dict[str, int], bool]:
        return (self.name, self.seq, {key: count for key, count in self.open.items() if count}, True)


def hear(peers: merge.Peers, message: tuple[str, int, dict[str, int], bool], now: float = 0.0) -> merge.Totals:
    sender, seq, counts, whole = message
    changed = (peers.snapshot if whole else peers.delta)(sender, seq, counts, now)
    assert peers.inconsistencies() == []
    return changed


def truth(*senders: Sender) -> dict[str, int]:
    sums: dict[str, int] = {}
    for sender in senders:
        for key, count in sender.open.items():
            sums[key] = sums.get(key, 0) + count
    return {key: count for key, count in sums.items() if count}


CHANGES = st.dictionaries(st.sampled_from("wxyz"), st.integers(0, 5), min_size=1, max_size=3)
STORY = st.lists(st.tuples(st.sampled_from("ab"), CHANGES), max_size=20)


@given(STORY, st.randoms(use_true_random=False))
def test_any_order_and_doubling_without_loss_ends_at_the_truth(
    story: list[tuple[str, dict[str, int]]], chance: random.Random
) -> None:
    senders = {name: Sender(name) for name in "ab"}
    messages = [senders[name].delta(changes) for name, changes in story]
    shuffled = messages + chance.sample(messages, len(messages) // 2)
    chance.shuffle(shuffled)
    peers = merge.Peers(TTL)
    for message in shuffled:
        hear(peers, message)
    assert peers.totals == truth(*senders.values())


@given(STORY, st.randoms(use_true_random=False))
def test_any_loss_ends_at_the_truth_once_a_last_snapshot_is_heard(
    story: list[tuple[str, dict[str, int]]], chance: random.Random
) -> None:
    senders = {name: Sender(name) for name in "ab"}
    messages = []
    for name, changes in story:
        messages.append(senders[name].delta(changes))
        if chance.random() < 0.2:
            messages.append(senders[name].snapshot())
    kept = [each for each in messages if chance.random() < 0.6]
    kept += chance.sample(kept, len(kept) // 3)
    kept += [sender.snapshot() for sender in senders.values()]
    chance.shuffle(kept)
    peers = merge.Peers(TTL)
    for message in kept:
        hear(peers, message)
    assert peers.totals == truth(*senders.values())


@given(STORY, st.lists(st.booleans(), min_size=20, max_size=20))
def test_who_missed_something_knows_it_and_an_answer_heals(
    story: list[tuple[str, dict[str, int]]], heard: list[bool]
) -> None:
    senders = {name: Sender(name) for name in "ab"}
    peers = merge.Peers(TTL)
    for (name, changes), arrives in zip(story, heard, strict=False):
        message = senders[name].delta(changes)
        if arrives:
            hear(peers, message)
    for sender in senders.values():  # a last one that arrives shows what is missing before it
        hear(peers, sender.delta({"w": 1}))
    for question in peers.questions(10.0):
        hear(peers, senders[question.peer].snapshot())
        peers.told(question.peer, 10.0)
    assert peers.totals == truth(*senders.values())
    assert list(peers.questions(20.0)) == []


@given(STORY)
def test_what_changed_is_what_is_told_to_have_changed(story: list[tuple[str, dict[str, int]]]) -> None:
    senders = {name: Sender(name) for name in "ab"}
    peers, shown = merge.Peers(TTL), dict[str, int]()
    for name, changes in story:
        shown |= hear(peers, senders[name].delta(changes))
    assert {key: count for key, count in shown.items() if count} == peers.totals
    shown |= peers.leave("a", 0.0)
    assert {key: count for key, count in shown.items() if count} == peers.totals == truth(senders["b"])


def test_an_old_snapshot_does_not_undo_what_came_after_it() -> None:
    sender, peers = Sender("a"), merge.Peers(TTL)
    hear(peers, sender.delta({"x": 1, "y": 1}))
    old = sender.snapshot()
    hear(peers, sender.delta({"x": 0}))
    hear(peers, old)
    assert peers.totals == {"y": 1}


def test_a_count_that_ended_is_not_raised_by_a_late_delta() -> None:
    sender, peers = Sender("a"), merge.Peers(TTL)
    first, second = sender.delta({"x": 3}), sender.delta({"x": 0})
    hear(peers, second)
    assert hear(peers, first) == {}
    assert peers.totals == {}


def test_peers_add_up_and_each_takes_its_own_along() -> None:
    peers = merge.Peers(TTL)
    assert peers.delta("a", 1, {"x": 2}, 0.0) == {"x": 2}
    assert peers.delta("b", 1, {"x": 3}, 1.0) == {"x": 5}
    assert peers.silence(1.5) == 1.5
    assert peers.expire(2.0) == {}
    assert peers.expire(2.5) == {"x": 3}
    assert len(peers) == 1
    assert peers.leave("b", 2.5) == {"x": 0}
    assert peers.leave("b", 2.5) == {}
    assert peers.totals == {}
    assert peers.silence(9.0) == 0.0


def test_only_the_first_peer_is_asked_for_everything() -> None:
    peers = merge.Peers(TTL)
    peers.delta("a", 1, {}, 0.0)
    peers.delta("b", 1, {}, 0.0)
    assert list(peers.questions(0.0)) == [merge.Question("a", math.inf)]
    assert list(peers.questions(0.5)) == []
    assert list(peers.questions(1.0)) == [merge.Question("a", math.inf)]
    peers.told("a", 1.5)
    assert list(peers.questions(9.0)) == []


def test_another_is_asked_for_everything_when_the_first_goes_before_it_answered() -> None:
    peers = merge.Peers(TTL)
    peers.delta("a", 1, {}, 0.0)
    peers.leave("a", 0.5)
    peers.delta("b", 1, {}, 0.6)
    assert list(peers.questions(0.6)) == [merge.Question("b", math.inf)]


def filled() -> merge.Peers:
    """Peers that have had everything from ``z``, who is gone."""
    peers = merge.Peers(TTL)
    peers.delta("z", 1, {}, 0.0)
    peers.told("z", 0.0)
    peers.leave("z", 0.0)
    return peers


def test_who_comes_back_is_asked_for_the_time_between() -> None:
    peers = filled()
    peers.delta("a", 1, {"x": 1}, 10.0)
    assert peers.expire(13.0) == {"x": 0}
    peers.delta("a", 2, {"x": 1}, 20.0)
    assert list(peers.questions(20.0)) == [merge.Question("a", 10.0 + merge.MARGIN)]
    peers.snapshot("a", 2, {"x": 1}, 20.0)
    peers.told("a", 20.0)
    assert list(peers.questions(30.0)) == []
    assert peers.totals == {"x": 1}


def test_a_gap_is_asked_about_from_before_it() -> None:
    peers = filled()
    peers.delta("a", 1, {}, 10.0)
    peers.delta("a", 3, {}, 11.0)
    assert list(peers.questions(11.0)) == [merge.Question("a", 1.0 + merge.MARGIN)]


def test_one_that_is_met_in_the_middle_is_asked_for_a_snapshot() -> None:
    peers = filled()
    peers.delta("a", 17, {"x": 1}, 10.0)
    (question,) = peers.questions(10.0)
    assert question == merge.Question("a", merge.MARGIN)
    peers.snapshot("a", 17, {"x": 1, "y": 2}, 10.1)
    assert peers.totals == {"x": 1, "y": 2}


def test_one_that_introduces_itself_with_a_snapshot_is_not_asked() -> None:
    peers = filled()
    peers.snapshot("a", 17, {"x": 1}, 10.0)
    assert list(peers.questions(10.0)) == []
    assert peers.delta("a", 18, {"x": 2}, 10.0) == {"x": 2}
    assert list(peers.questions(20.0)) == []


def test_memory_of_one_that_never_answers_is_bounded() -> None:
    peers = merge.Peers(TTL)
    for seq in range(2, 2 + 2 * (merge.MOST_BEYOND + 2)):
        peers.delta("a", seq, {"x": 1 + seq % 7}, 0.0)
    assert peers.totals == {"x": 1 + (2 * merge.MOST_BEYOND + 5) % 7}
    assert peers.inconsistencies() == []


def test_one_peer_cannot_count_on_endpoints_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "MOST_ENDPOINTS", 3)
    peers = merge.Peers(TTL)
    peers.delta("a", 1, {f"pod-{number}": 1 for number in range(9)}, 0.0)
    assert len(peers.totals) == 3
    peers.delta("a", 2, {"pod-0": 2}, 0.0)
    assert peers.totals["pod-0"] == 2


def test_a_negative_count_is_none() -> None:
    peers = merge.Peers(TTL)
    peers.delta("a", 1, {"x": -4}, 0.0)
    assert peers.totals == {}


def test_many_that_come_and_go_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "MOST_DEPARTED", 2)
    peers = filled()
    for name in "abc":
        peers.delta(name, 1, {}, 1.0)
        peers.leave(name, 1.0)
    peers.delta("a", 1, {}, 9.0)
    peers.delta("c", 1, {}, 9.0)
    assert [question.peer for question in peers.questions(9.0)] == ["c"]
