"""Gateways over one set of endpoints: each knows what the others have open and where they sent prompts."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
from collections.abc import AsyncIterator

import pytest
from prometheus_client import registry

from brickyard.assembly import routing_policies
from brickyard.gateway import contract as gateway
from brickyard.gateway.endpoints import director, pods, prefixes
from brickyard.gateway.endpoints import settings as endpoint_settings
from brickyard.gateway.sharing import contract, messages, metrics, settings, sharer, telling, testing
from brickyard.kvindex import settings as kvindex
from brickyard.lib import tasks
from brickyard.routing import contract as routing
from brickyard.routing import testing as routing_testing

pytestmark = pytest.mark.looptime
NAMES = "abcdefgh"
SOON = 0.06
"""Two turns and what messages take."""


class LoopClock:
    """The loop's time, as both readings."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return 1_700_000_000.0 + self.monotonic()


@dataclasses.dataclass
class Replica:
    """A gateway without its data plane."""

    chooser: director.TableDirector
    sharing: sharer.Sharer
    channel: testing.FakeChannel

    def ask(self, prompt: bytes = b"") -> tuple[str, gateway.Lease]:
        """The endpoint that a request went to, and its lease."""
        decision = self.chooser.choose(routing_testing.request(prompt=prompt))
        assert isinstance(decision, routing.Decision)
        return decision.endpoint.key, self.chooser.lease(decision)

    def matched(self, prompt: bytes) -> int:
        """Bytes of ``prompt`` that the best endpoint holds, as this gateway knows it."""
        table = self.chooser.table.snapshot("demo", self.chooser._now())
        return max(
            self.chooser.prefixes.facts(routing_testing.request(prompt=prompt), table, LoopClock().monotonic()).held
        )

    def counts(self) -> dict[str, int]:
        """Requests in flight by endpoint, as this gateway knows it."""
        assert self.chooser.table.inconsistencies() == []
        assert self.sharing.peers.inconsistencies() == []
        table = self.chooser.table.snapshot("demo", 0.0)
        return {each.key: count for each, count in zip(table.endpoints, table.in_flight, strict=True) if count}


class Fleet:
    """Replicas, and the air between them."""

    def __init__(self, scope: tasks.Scope) -> None:
        self.air = testing.Air()
        self._scope = scope
        self._running: dict[str, asyncio.Task[None]] = {}

    def replica(self, name: str, strategy: str = "least-request", *, seed: int = 0) -> Replica:
        """Start one."""
        chooser = director.TableDirector(
            routing_policies.make(),
            endpoint_settings.EndpointSettings(strategy=strategy),
            known=prefixes.Prefixes(kvindex.PrefixSettings(hash_seed=seed)),
            time=LoopClock(),
            rng=random.Random(name),
        )
        for endpoint in map(routing_testing.endpoint, NAMES):
            chooser.table.put(pods.ModelPod(endpoint.key, "", endpoint.model, 0.0, "", (endpoint,)))
        channel = self.air.channel(name)
        sharing = sharer.Sharer(chooser.table, chooser.prefixes, channel, settings.SharingSettings(), time=LoopClock())
        self._running[name] = self._scope.start(sharing.run(), name=name)
        return Replica(chooser, sharing, channel)

    async def stop(self, name: str) -> None:
        """End one properly."""
        self._running[name].cancel()
        await asyncio.gather(self._running[name], return_exceptions=True)


@contextlib.asynccontextmanager
async def fleet() -> AsyncIterator[Fleet]:
    async with tasks.Scope("fleet") as scope:
        yield Fleet(scope)


@contextlib.asynccontextmanager
async def pair(strategy: str = "least-request") -> AsyncIterator[tuple[Fleet, Replica, Replica]]:
    async with fleet() as everybody:
        one, two = everybody.replica("one", strategy), everybody.replica("two", strategy)
        await asyncio.sleep(3)
        yield everybody, one, two


async def test_what_one_has_open_counts_for_the_other() -> None:
    async with pair() as (_, one, two):
        leases = [one.ask()[1] for _ in NAMES[:5]]
        assert two.counts() == {}
        await asyncio.sleep(SOON)
        assert two.counts() == one.counts() != {}
        taken = set(one.counts())
        chosen = [two.ask()[0] for _ in NAMES[5:]]
        assert not set(chosen) & taken
        for lease in leases:
            lease.release()
        await asyncio.sleep(SOON)
        assert sorted(one.counts()) == sorted(two.counts()) == sorted(chosen)


async def test_while_nothing_changes_there_are_only_signs_of_life() -> None:
    async with pair() as (everybody, one, two):
        before = everybody.air.said
        await asyncio.sleep(10)
        assert 2 * 18 <= everybody.air.said - before <= 2 * 20
        assert (len(one.sharing.peers), len(two.sharing.peers)) == (1, 1)


async def test_one_that_dies_takes_its_requests_along() -> None:
    async with pair() as (_, one, two):
        one.ask()
        await asyncio.sleep(SOON)
        one.channel.cut = True
        await asyncio.sleep(1.4)
        assert sum(two.counts().values()) == 1
        await asyncio.sleep(1.0)
        assert two.counts() == {}


async def test_one_that_ends_properly_takes_them_at_once() -> None:
    async with pair() as (everybody, one, two):
        one.ask()
        await asyncio.sleep(SOON)
        assert sum(two.counts().values()) == 1
        await everybody.stop("one")
        await asyncio.sleep(0.01)
        assert two.counts() == {}


async def test_a_channel_that_can_tell_who_is_gone_is_believed() -> None:
    async with pair() as (_, one, two):
        one.ask()
        await asyncio.sleep(SOON)
        two.sharing.left("one")
        assert two.counts() == {}


async def test_an_endpoint_that_is_learned_of_late_has_its_requests() -> None:
    async with pair() as (_, one, two):
        key, lease = one.ask()
        endpoint = next(slot.endpoint for slot in two.chooser.table.routable() if slot.endpoint.key == key)
        two.chooser.table.remove(key)
        await asyncio.sleep(SOON)
        assert two.counts() == {}
        two.chooser.table.put(pods.ModelPod(key, "", endpoint.model, 0.0, "", (endpoint,)))
        assert two.counts() == {key: 1}
        lease.release()
        await asyncio.sleep(SOON)
        assert two.counts() == {}


async def test_a_lost_channel_leaves_what_is_known_here_and_heals() -> None:
    async with pair() as (everybody, one, two):
        before = one.ask()[1]
        await asyncio.sleep(SOON)
        everybody.air.down = True
        await asyncio.sleep(SOON)
        during, mine = one.ask()[1], two.ask()[1]
        before.release()
        await asyncio.sleep(3)
        assert (sum(one.counts().values()), sum(two.counts().values())) == (1, 1)
        everybody.air.down = False
        await asyncio.sleep(SOON)
        assert one.counts() == two.counts()
        assert sum(one.counts().values()) == 2
        during.release()
        mine.release()
        await asyncio.sleep(SOON)
        assert one.counts() == two.counts() == {}


@pytest.mark.parametrize("lost", range(12))
async def test_a_message_that_is_lost_is_made_good(lost: int) -> None:
    async with pair("prefix-cache") as (everybody, one, two):
        everybody.air.lost = {everybody.air.said + lost}
        for number in range(6):
            one.ask(b"a story of one " * 100 + b"%d" % number * 200)
            two.ask(b"a story of two " * 100 + b"%d" % number * 200)
            await asyncio.sleep(0.03)
        await asyncio.sleep(3)
        assert one.counts() == two.counts()
        assert sum(one.counts().values()) == 12
        for number in range(6):
            prompt = b"a story of one " * 100 + b"%d" % number * 200
            assert one.matched(prompt) == two.matched(prompt) == 1664


async def test_who_joins_late_learns_what_was_before() -> None:
    async with pair("prefix-cache") as (everybody, one, two):
        prompts = [b"%d: once upon a time " % number * 100 for number in range(20)]
        for number, prompt in enumerate(prompts):
            (one, two)[number % 2].ask(prompt)
        await asyncio.sleep(10)
        three = everybody.replica("three", "prefix-cache")
        await asyncio.sleep(1)
        assert three.counts() == one.counts()
        assert [three.matched(prompt) for prompt in prompts] == [one.matched(prompt) for prompt in prompts]
        assert all(three.matched(prompt) >= 1900 for prompt in prompts)


async def test_a_successor_of_all_that_went_knows_what_they_told_each_other() -> None:
    async with pair("prefix-cache") as (everybody, one, two):
        prompt = b"once upon a time " * 100
        one.ask(prompt)
        await asyncio.sleep(SOON)
        await everybody.stop("one")
        three = everybody.replica("three", "prefix-cache")
        await asyncio.sleep(1)
        await everybody.stop("two")
        assert three.matched(prompt) == two.matched(prompt) > 1000


async def test_a_prompt_that_comes_again_and_again_is_told_seldom() -> None:
    async with pair("prefix-cache") as (_, one, two):
        prompt = b"once upon a time " * 100
        for _ in range(100):
            one.ask(prompt)[1].release()
            await asyncio.sleep(0.1)
        assert two.sharing.counted.blocks == len(prompt) // 128


async def test_another_seed_means_other_hashes_and_they_are_left_alone() -> None:
    async with fleet() as everybody:
        one = everybody.replica("one", "prefix-cache")
        two = everybody.replica("two", "prefix-cache", seed=7)
        await asyncio.sleep(3)
        one.ask(b"once upon a time " * 100)
        await asyncio.sleep(SOON)
        assert two.counts() == one.counts()
        assert two.matched(b"once upon a time " * 100) == 0
        assert two.sharing.counted.strange == 1
        assert two.sharing.counted.blocks == 0


async def test_another_version_is_left_alone() -> None:
    async with pair() as (_, one, two):
        one.channel.send(bytes([messages.VERSION + 1]) + b"whatever they say then")
        await asyncio.sleep(SOON)
        assert two.sharing.counted.strange == 1
        one.ask()
        await asyncio.sleep(SOON)
        assert two.counts() == one.counts()


async def test_endpoints_that_are_not_here_do_not_enter_the_index() -> None:
    async with pair("prefix-cache") as (_, one, two):
        key, _lease = one.ask(b"once upon a time " * 100)
        two.chooser.table.remove(key)
        await asyncio.sleep(SOON)
        assert two.sharing.counted.blocks == 0
        assert two.matched(b"once upon a time " * 100) == 0


@pytest.mark.parametrize("replicas", [2, 4])
async def test_turns_of_conversations_over_several_gateways_hit_as_over_one(replicas: int) -> None:
    """64 conversations of 8 turns: what an endpoint was sent before is in its cache."""
    alone = await hits(1)
    together = await hits(replicas)
    assert together >= 0.99 * alone > 0


async def hits(replicas: int) -> int:
    """Bytes of prompts that were sent to where they were cached, if each conversation's turns go to ``replicas`` gateways in turn."""
    async with fleet() as everybody:
        gateways = [everybody.replica(f"gateway-{number}", "prefix-cache") for number in range(replicas)]
        await asyncio.sleep(3)
        cached: dict[str, set[bytes]] = {}
        pace = random.Random(1)

        async def converse(number: int) -> int:
            found = 0
            await asyncio.sleep(pace.uniform(0, 4))
            for turn in range(1, 9):
                prompt = b"".join(b"%03d says %03d " % (number, each) * 40 for each in range(turn))
                key, lease = gateways[(turn + number) % replicas].ask(prompt)
                pieces = [prompt[:end] for end in range(480, len(prompt) + 1, 480)]
                found += 480 * sum(piece in cached.setdefault(key, set()) for piece in pieces)
                cached[key].update(pieces)
                await asyncio.sleep(pace.uniform(0.2, 0.6))
                lease.release()
                await asyncio.sleep(pace.uniform(0.3, 3))  # somebody reads the answer and writes the next turn
            return found

        return sum(await asyncio.gather(*map(converse, range(64))))


async def test_what_is_said_is_seen_on_the_metrics_page() -> None:
    async with pair() as (_, one, two):
        one.ask()
        await asyncio.sleep(SOON)
        page = registry.CollectorRegistry()
        page.register(metrics.SharingMetrics(two.sharing, LoopClock().monotonic))
        value = page.get_sample_value
        assert value("gateway_sharing_connected") == 1
        assert value("gateway_sharing_peers") == 1
        assert value("gateway_sharing_in_flight_elsewhere") == 1
        assert value("gateway_sharing_staleness_seconds_count") == 1
        assert 0.001 <= (value("gateway_sharing_staleness_seconds_sum") or 0) <= 0.051
        assert 0 < (value("gateway_sharing_silence_seconds") or 0) < 0.6
        assert value("gateway_sharing_messages_received_total") == two.channel.traffic.received


async def test_an_answer_of_many_endpoints_comes_in_messages_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MOST_TOLD", 16)
    async with pair("prefix-cache") as (everybody, one, _two):
        for number in range(8):
            one.ask(b"%d once upon a time " % number * 100)
        await asyncio.sleep(1)
        before = everybody.air.said
        three = everybody.replica("three", "prefix-cache")
        await asyncio.sleep(1)
        assert everybody.air.said - before > 8
        assert three.matched(b"7 once upon a time " * 100) > 1000


async def test_questions_that_make_no_sense_harm_nobody() -> None:
    async with pair("prefix-cache") as (_, one, two):
        two.ask(b"once upon a time " * 100)
        for since in (float("nan"), float("-inf"), -1.0):
            strange = messages.Message("stranger", "scheme", 0.0, messages.Ask(since))
            one.channel.send(messages.encode(strange))
        await asyncio.sleep(SOON)
        assert one.counts() == two.counts() != {}


async def test_what_is_too_long_is_not_sent_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pair() as (_, one, two):
        monkeypatch.setattr(contract, "LARGEST", 100)
        for _ in range(20):
            one.ask()
        await asyncio.sleep(SOON)
        assert one.sharing.counted.oversized > 0
        assert two.counts() == {}
