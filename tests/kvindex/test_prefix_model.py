"""The prefix index beside a dict, whatever happens to it: requests, engines that tell, other gateways, endpoints that leave."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from hypothesis import settings as hypothesis
from hypothesis import stateful
from hypothesis import strategies as st

from brickyard.kvindex import blocks, prefix, settings

TTL = 60.0
GRAIN = TTL / prefix.GRAIN
PROMPTS = st.text(alphabet="xy", min_size=0, max_size=3).map(lambda text: "".join(letter * 4 for letter in text))
NAMES = st.sampled_from([f"pod-{number}" for number in range(4)])
STEPS = st.sampled_from([0.125, 1.0, GRAIN, GRAIN + 0.125, 30.0, 59.875, TTL, 200.0])


def hashes(text: str) -> blocks.Hashes:
    return blocks.Hasher(4).hashes("m", text.encode())


@dataclasses.dataclass
class Sent:
    """A block: when it was sent last, and who holds it."""

    at: float
    to: set[str]


class Dict:
    """The index as one would write it down."""

    def __init__(self) -> None:
        self.sent: dict[int, Sent] = {}

    def fresh(self, key: int, now: float) -> Sent | None:
        known = self.sent.get(key)
        return known if known is not None and now - known.at <= TTL else None

    def match(self, keys: Sequence[int], names: set[str], now: float) -> dict[str, int]:
        remaining, found = set(names), dict[str, int]()
        for depth, key in enumerate(keys, 1):
            known = self.fresh(key, now)
            remaining &= known.to if known is not None else set()
            found |= dict.fromkeys(remaining, depth)
        return found

    def add(self, keys: Sequence[int], name: str, at: float, now: float) -> None:
        for key in keys:
            known = self.fresh(key, now)
            before = self.sent.get(key)
            latest = at if before is None else max(before.at, at)
            self.sent[key] = Sent(latest, {name, *(known.to if known is not None else ())})

    def depth(self, keys: Sequence[int], name: str, now: float) -> int:
        """Blocks in a row that ``name`` was sent a moment ago."""
        for depth, key in enumerate(keys):
            known = self.sent.get(key)
            if known is None or now - known.at > GRAIN or name not in known.to:
                return depth
        return len(keys)

    def drop(self, keys: Sequence[int], name: str) -> None:
        for key in keys:
            if key in self.sent:
                self.sent[key].to.discard(name)

    def correct(self, keys: Sequence[int], holders: set[str], among: set[str], now: float) -> None:
        for key in keys:
            known = self.fresh(key, now)
            others = known.to - among if known is not None else set()
            if holders & among:
                self.sent[key] = Sent(now, (holders & among) | others)
            elif known is not None:
                known.to = others
            else:
                self.sent.pop(key, None)


class Both(stateful.RuleBasedStateMachine):
    """As long as nothing is pushed out they agree exactly."""

    def __init__(self) -> None:
        super().__init__()
        self.real = prefix.PrefixIndex(settings.PrefixSettings(block_number=512, eviction_minutes=1))
        self.model = Dict()
        self.now = 0.0
        self.asked: tuple[blocks.Hashes, tuple[str, ...]] = ((), ())

    @stateful.rule(prompt=PROMPTS, names=st.lists(NAMES, unique=True).map(tuple))
    def ask(self, prompt: str, names: tuple[str, ...]) -> None:
        """A choice begins: the same hashes may be sent next, at once or after something else."""
        self.asked = (hashes(prompt), names)
        self.agree()

    @stateful.rule()
    def agree(self) -> None:
        keys, names = self.asked
        assert self.real.match(keys, names, self.now) == self.model.match(keys, set(names), self.now)

    @stateful.rule(name=NAMES)
    def send_what_was_asked(self, name: str) -> None:
        self.real.add(self.asked[0], name, self.now)
        self.model.add(self.asked[0], name, self.now, self.now)

    @stateful.rule(prompt=PROMPTS, name=NAMES)
    def renew(self, prompt: str, name: str) -> None:
        keys = hashes(prompt)
        depth = self.model.depth(keys, name, self.now)
        assert self.real.renew(keys, name, self.now) == depth
        self.model.add(keys[depth:], name, self.now, self.now)

    @stateful.rule(prompt=PROMPTS, name=NAMES, age=STEPS)
    def hear_of_another_gateway(self, prompt: str, name: str, age: float) -> None:
        self.real.absorb(hashes(prompt), name, self.now, age)
        if age <= TTL:
            self.model.add(hashes(prompt), name, self.now - age, self.now)

    @stateful.rule(prompt=PROMPTS, name=NAMES, first=st.integers(0, 3))
    def hear_of_an_eviction(self, prompt: str, name: str, first: int) -> None:
        self.real.drop(hashes(prompt)[first:], name)
        self.model.drop(hashes(prompt)[first:], name)

    @stateful.rule(prompt=PROMPTS, holders=st.sets(NAMES), among=st.sets(NAMES))
    def hear_who_holds(self, prompt: str, holders: set[str], among: set[str]) -> None:
        keys = hashes(prompt)
        self.real.correct([(key, holders) for key in keys], among, self.now)
        self.model.correct(keys, holders, among, self.now)

    @stateful.rule(name=NAMES)
    def leave(self, name: str) -> None:
        self.real.remove(name)
        for each in self.model.sent.values():
            each.to.discard(name)

    @stateful.rule(step=STEPS)
    def wait(self, step: float) -> None:
        self.now += step

    @stateful.rule(since=STEPS)
    def hand_on(self, since: float) -> None:
        self.compare(since)

    @stateful.invariant()
    def hold_the_same(self) -> None:
        self.compare(TTL)

    def compare(self, since: float) -> None:
        """What is handed on is what was sent lately to those that are here; it is made older by a sixteenth at most, and never younger."""
        told = {
            (each.endpoint, key): each.age
            for piece in self.real.recent(since, self.now)
            for each in piece
            for key in each.hashes
        }
        ages = {
            (name, key): self.now - each.at
            for key, each in self.model.sent.items()
            for name in each.to
            if self.now - each.at <= min(since, TTL)
        }
        assert told.keys() == ages.keys()
        assert all(ages[key] <= age <= ages[key] + GRAIN for key, age in told.items())


TestBoth = pytest.mark.slow(Both.TestCase)
TestBoth.settings = hypothesis(max_examples=100, stateful_step_count=30, deadline=None)
