"""The prefix index: the sheet's sequence, time to live, membership, and a dict that it must agree with."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import settings as hypothesis
from hypothesis import stateful
from hypothesis import strategies as st

from brickyard.kvindex import blocks, prefix, settings, table

ABC = ("a", "b", "c", "d")
TTL = 60.0


def index(number: int = 4096, budget: int = 1 << 22, minutes: int = 1) -> prefix.PrefixIndex:
    return prefix.PrefixIndex(settings.PrefixSettings(block_number=number, budget=budget, eviction_minutes=minutes))


def hashes(text: str) -> blocks.Hashes:
    return blocks.Hasher(4).hashes("m", text.encode())


def test_matches_are_blocks_in_a_row_from_the_first() -> None:
    held = index()
    held.add(hashes("abcdefgh"), "a", 0.0)
    held.add(hashes("abcdwxyz"), "b", 0.0)
    assert held.match(hashes("abcdefghijkl"), ABC, 0.0) == {"a": 2, "b": 1}
    assert held.match(hashes("abcd"), ABC, 0.0) == {"a": 1, "b": 1}
    assert held.match(hashes("wxyz"), ABC, 0.0) == {}
    assert held.match(hashes("abc"), ABC, 0.0) == {}


def test_only_those_asked_for_answer() -> None:
    held = index()
    held.add(hashes("abcdefgh"), "a", 0.0)
    held.add(hashes("abcd"), "b", 0.0)
    assert held.match(hashes("abcdefgh"), ["b", "stranger"], 0.0) == {"b": 1}
    assert held.match(hashes("abcdefgh"), [], 0.0) == {}


def test_one_who_drops_out_does_not_come_back_deeper_down() -> None:
    """B holds blocks 1 and 3: the second stands between."""
    held = index()
    long = hashes("aaaabbbbcccc")
    held.add(long[:1], "b", 0.0)
    held.add(long[2:], "b", 0.0)
    held.add(long, "a", 0.0)
    assert held.match(long, ABC, 0.0) == {"a": 3, "b": 1}


@pytest.mark.parametrize(("later", "found"), [(0.0, True), (59.0, True), (TTL, True), (TTL + 0.2, False)])
def test_an_entry_lives_as_long_as_it_was_told(later: float, found: bool) -> None:
    held = index()
    held.add(hashes("abcd"), "a", 1000.0)
    assert bool(held.match(hashes("abcd"), ABC, 1000.0 + later)) is found


def test_looking_does_not_refresh_and_sending_does() -> None:
    held = index()
    held.add(hashes("abcdefgh"), "a", 0.0)
    held.match(hashes("abcdefgh"), ABC, 50.0)
    held.add(hashes("abcd"), "a", 50.0)
    assert held.match(hashes("abcdefgh"), ABC, 70.0) == {"a": 1}
    assert held.match(hashes("abcdefgh"), ABC, 111.0) == {}


def test_what_expired_does_not_come_back_with_someone_elses() -> None:
    held = index()
    held.add(hashes("abcd"), "a", 0.0)
    held.add(hashes("abcd"), "b", 100.0)
    assert held.match(hashes("abcd"), ABC, 100.0) == {"b": 1}


def test_who_leaves_is_gone_at_once_and_comes_back_empty() -> None:
    held = index()
    held.add(hashes("abcd"), "a", 0.0)
    held.add(hashes("abcd"), "b", 0.0)
    held.remove("a")
    assert held.match(hashes("abcd"), ABC, 0.0) == {"b": 1}
    held.join("a")
    assert held.match(hashes("abcd"), ABC, 0.0) == {"b": 1}
    held.remove("nobody")
    assert sorted(held.endpoints) == ["a", "b"]


def test_churn_of_endpoints_does_not_grow_the_index() -> None:
    held = index()
    for number in range(1000):
        name = f"pod-{number}"
        held.add(hashes("abcd"), name, 0.0)
        if number >= 10:
            held.remove(f"pod-{number - 10}")
    assert held.match(hashes("abcd"), [f"pod-{number}" for number in range(1000)], 0.0) == {
        f"pod-{number}": 1 for number in range(990, 1000)
    }
    assert held.size().bytes == index().size().bytes


def test_who_gets_the_number_of_one_that_left_holds_nothing_of_it() -> None:
    """Numbers of endpoints that left are given again: with other prompts, each newcomer knows its own and nobody else's."""
    held = index()
    for number in range(300):
        assert held.match(hashes("the first"), [f"pod-{number}"], 0.0) == {}
        held.join(f"pod-{number}")
        assert held.match(hashes("the first"), [f"pod-{number}"], 0.0) == {}, number
        if number < table.PLANE:
            held.add(hashes("the first"), f"pod-{number}", 0.0)
        held.remove(f"pod-{number - 5}")
    assert held.match(hashes("the first"), [f"pod-{number}" for number in range(300)], 0.0) == {}


def test_a_hundred_endpoints_and_more_are_told_apart() -> None:
    held = index()
    names = [f"pod-{number}" for number in range(150)]
    for number, name in enumerate(names):
        held.add(hashes("abcd" * (1 + number % 3)), name, 0.0)
    assert held.match(hashes("abcdabcdabcd"), names, 0.0) == {name: 1 + number % 3 for number, name in enumerate(names)}


def test_unique_prompts_without_end_take_no_more_memory_and_hot_ones_stay() -> None:
    held = index(number=2048)
    before = held.size().bytes
    for number in range(3000):
        held.add(hashes("the same system prompt, sixty four bytes of it, for everyone...!"), "a", number / 100)
        held.add(hashes(f"{number:04d}" * 4), "b", number / 100)
    size = held.size()
    assert (size.bytes, size.endpoints) == (before, 2)
    assert size.used <= size.entries == 2048
    assert held.match(hashes("the same system prompt, sixty four bytes of it, for everyone...!"), ABC, 30.0) == {
        "a": 16
    }


@dataclasses.dataclass
class Sent:
    """A block in the model: when it was sent last, and to whom."""

    at: float
    to: set[str]


PROMPTS = st.text(alphabet="xy", min_size=0, max_size=6).map(lambda text: "".join(letter * 4 for letter in text))
NAMES = st.sampled_from([f"pod-{number}" for number in range(70)])


class Model(stateful.RuleBasedStateMachine):
    """The index beside a dict: as long as nothing is pushed out they agree exactly."""

    def __init__(self) -> None:
        super().__init__()
        self.real = index(number=65536)
        self.sent: dict[int, Sent] = {}
        self.now = 0.0

    @stateful.rule(prompt=PROMPTS, name=NAMES)
    def add(self, prompt: str, name: str) -> None:
        self.real.add(hashes(prompt), name, self.now)
        for key in hashes(prompt):
            known = self.sent.get(key)
            if known is None or self.now - known.at > TTL:
                known = self.sent[key] = Sent(self.now, set())
            known.at = self.now
            known.to.add(name)

    @stateful.rule(name=NAMES)
    def remove(self, name: str) -> None:
        self.real.remove(name)
        for each in self.sent.values():
            each.to.discard(name)

    @stateful.rule(step=st.sampled_from([0.125, 1.0, 30.0, 59.875, 200.0]))
    def wait(self, step: float) -> None:
        self.now += step

    @stateful.rule(prompt=PROMPTS, names=st.sets(NAMES))
    def match(self, prompt: str, names: set[str]) -> None:
        remaining, expected = set(names), dict[str, int]()
        for depth, key in enumerate(hashes(prompt), 1):
            known = self.sent.get(key)
            if known is None or self.now - known.at > TTL:
                break
            remaining &= known.to
            expected |= dict.fromkeys(remaining, depth)
        assert self.real.match(hashes(prompt), names, self.now) == expected


TestModel = Model.TestCase
TestModel.settings = hypothesis(max_examples=60, stateful_step_count=60, deadline=None)
