"""The index as one of several: what it takes for new, what it takes over from others, what it hands on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kvindex import blocks, prefix, settings

TTL = 60.0
GRAIN = TTL / prefix.GRAIN
ABC = ("a", "b", "c", "d")
LONG = b"aaaabbbbccccdddd"


def index(number: int = 4096) -> prefix.PrefixIndex:
    return prefix.PrefixIndex(settings.PrefixSettings(block_number=number, eviction_minutes=1))


def hashes(text: bytes) -> blocks.Hashes:
    return blocks.Hasher(4).hashes("m", text)


def test_what_was_sent_lately_is_not_new() -> None:
    held = index()
    assert held.renew(hashes(LONG[:8]), "a", 0.0) == 0
    assert held.renew(hashes(LONG), "a", 1.0) == 2
    assert held.renew(hashes(LONG), "a", 1.0) == 4
    assert held.renew(hashes(LONG), "b", 1.0) == 0
    assert held.match(hashes(LONG), ABC, 1.0) == {"a": 4, "b": 4}


def test_what_was_sent_a_while_ago_is_new_again_and_lives_on() -> None:
    held = index()
    held.renew(hashes(LONG), "a", 0.0)
    assert held.renew(hashes(LONG), "a", GRAIN) == 4
    assert held.renew(hashes(LONG), "a", GRAIN + 1) == 0
    assert held.match(hashes(LONG), ABC, GRAIN + TTL) == {"a": 4}


def test_what_is_renewed_all_the_time_never_expires() -> None:
    held, now = index(), 0.0
    for _ in range(200):
        held.renew(hashes(LONG), "a", now)
        now += 1.0
    assert held.match(hashes(LONG), ABC, now + TTL - GRAIN - 1) == {"a": 4}


def test_one_that_left_is_new_again() -> None:
    held = index()
    held.renew(hashes(LONG), "a", 0.0)
    held.remove("a")
    assert held.renew(hashes(LONG), "a", 0.0) == 0


def test_what_others_sent_is_as_old_as_they_say() -> None:
    held = index()
    held.match(hashes(LONG), ABC, 100.0)
    held.absorb(hashes(LONG), "a", 100.0, 50.0)
    assert held.match(hashes(LONG), ABC, 110.0) == {"a": 4}
    assert held.match(hashes(LONG), ABC, 110.5) == {}
    held.absorb(hashes(LONG), "a", 200.0, TTL + 1)
    assert held.match(hashes(LONG), ABC, 200.0) == {}


@pytest.mark.parametrize("age", [float("nan"), float("inf"), 1e300])
def test_ages_that_cannot_be_are_left_alone(age: float) -> None:
    held = index()
    held.absorb(hashes(LONG), "a", 100.0, age)
    assert held.endpoints == []


def test_an_age_from_the_future_is_now() -> None:
    held = index()
    held.absorb(hashes(LONG), "a", 100.0, -50.0)
    assert held.match(hashes(LONG), ABC, 100.0 + TTL + 1) == {}


def test_old_news_does_not_age_what_is_known_to_be_newer() -> None:
    held = index()
    held.add(hashes(LONG), "a", 100.0)
    held.absorb(hashes(LONG), "b", 100.0, 50.0)
    assert held.match(hashes(LONG), ABC, 150.0) == {"a": 4, "b": 4}


def test_news_of_others_does_not_bring_back_what_expired() -> None:
    held = index()
    held.add(hashes(LONG), "a", 0.0)
    held.absorb(hashes(LONG), "b", TTL + 10, 1.0)
    assert held.match(hashes(LONG), ABC, TTL + 10) == {"b": 4}


def handed_on(held: prefix.PrefixIndex, since: float, now: float) -> prefix.PrefixIndex:
    other = index()
    for piece in held.recent(since, now):
        for each in piece:
            other.absorb(each.hashes, each.endpoint, now, each.age)
    return other


PROMPTS = st.lists(st.sampled_from([b"aaaa", b"bbbb", b"cccc"]), max_size=6).map(b"".join)
STORY = st.lists(st.tuples(PROMPTS, st.sampled_from(ABC), st.floats(0, 5)), max_size=30)


@given(STORY, PROMPTS)
def test_who_is_handed_everything_knows_everything(story: list[tuple[bytes, str, float]], asked: bytes) -> None:
    held, now = index(), 0.0
    for prompt, endpoint, step in story:
        now += step
        held.add(hashes(prompt), endpoint, now)
    # Ages are handed on as a sixteenth of the time to live more at most: what is about to expire may be gone.
    late = held.match(hashes(asked), ABC, now + GRAIN + prefix.TICK)
    given_on = handed_on(held, TTL, now).match(hashes(asked), ABC, now)
    known = held.match(hashes(asked), ABC, now)
    assert all(late.get(name, 0) <= given_on.get(name, 0) <= known.get(name, 0) for name in ABC)


@given(STORY, st.data())
def test_two_that_tell_each_other_what_is_new_know_the_same(
    story: list[tuple[bytes, str, float]], data: st.DataObject
) -> None:
    pair, now = (index(), index()), 0.0
    for index_ in pair:
        index_.match(hashes(LONG), ABC, now)
    for prompt, endpoint, step in story:
        now += step / 10
        here = data.draw(st.integers(0, 1))
        sent = hashes(prompt)
        known = pair[here].renew(sent, endpoint, now)
        pair[1 - here].absorb(sent[known:], endpoint, now, 0.0)
    for prompt, _, _ in story:
        assert pair[0].match(hashes(prompt), ABC, now) == pair[1].match(hashes(prompt), ABC, now)


def test_only_the_recent_is_handed_on_and_not_what_left() -> None:
    held = index()
    held.add(hashes(b"aaaa"), "a", 0.0)
    held.add(hashes(b"bbbb"), "a", 50.0)
    held.add(hashes(b"bbbb"), "b", 50.0)
    held.remove("b")
    assert handed_on(held, 5.0, 52.0).match(hashes(b"aaaa"), ABC, 52.0) == {}
    assert handed_on(held, 5.0, 52.0).match(hashes(b"bbbb"), ABC, 52.0) == {"a": 1}
    assert handed_on(held, float("inf"), 52.0).match(hashes(b"aaaa"), ABC, 52.0) == {"a": 1}
    assert list(handed_on(index(), TTL, 0.0).endpoints) == []


@pytest.mark.parametrize("entries", [8, 4096, 16384])
def test_pieces_are_small_and_cover_everything(entries: int) -> None:
    held = index(entries)
    for number in range(entries // 16):
        held.add(hashes(b"%08d" % number), "a", 0.0)
    pieces = list(held.recent(TTL, 0.0))
    assert len(pieces) == max(1, entries // 4096)
    found = {key for piece in pieces for each in piece for key in each.hashes}
    assert all(key in found for number in range(entries // 16) for key in hashes(b"%08d" % number))
