"""Words of gateways as metrics: when they are believed, what they ask for, and what the controller makes of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import prometheus_client
import pytest

from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import demand
from brickyard.controllers import settings as controllers_settings
from brickyard.controllers.podautoscaler import cards, gateways, observing, targets, testing, wiring
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import selectors
from brickyard.kube.reconcile import manager as managers
from brickyard.lib import tasks, timestamps
from brickyard.scaling import contract

NOW = testing.NOW
ASLEEP: dict[str, Any] = {"minReplicas": 0}
RUNNING = testing.source("4", "vllm:num_requests_running")


def word(held: int = 0, open_: int = 0, *, at: float = NOW, lasts: float = 30.0) -> demand.Word:
    return demand.Word(held, open_, at, lasts, at if held else None)


def with_words(autoscaler: resources.Object, **words: demand.Word) -> resources.Object:
    annotations = {demand.key(name): demand.write(each) for name, each in words.items()}
    return {**autoscaler, "metadata": {**autoscaler["metadata"], "annotations": annotations}}


class Court:
    """One autoscaler, asked about as often as wanted."""

    def __init__(self, **spec: Any) -> None:
        self.witness = gateways.Gateways()
        self.autoscaler = testing.autoscaler(**{**ASLEEP, **spec})

    def testimony(self, now: float = NOW, **words: demand.Word) -> list[tuple[contract.Metric, contract.Observation]]:
        found = with_words(self.autoscaler, **words)
        reading = cards.read(found)
        assert reading.settings is not None
        size = targets.Size("uid", "1", 0, selectors.parse_labels("app=chat"))
        return list(self.witness.testify(observing.Subject(found, reading.settings, reading.wanted, size, ()), now))

    def waives(self, pods: Sequence[resources.Object]) -> bool:
        reading = cards.read(self.autoscaler)
        assert reading.settings is not None
        size = targets.Size("uid", "1", 1, selectors.parse_labels("app=chat"))
        subject = observing.Subject(self.autoscaler, reading.settings, reading.wanted, size, pods)
        return self.witness.waives(subject, NOW)

    def counts(self, now: float = NOW, **words: demand.Word) -> tuple[float | None, ...]:
        return tuple(observation.whole for _, observation in self.testimony(now, **words))


class TestBelief:
    @pytest.mark.parametrize(
        ("age", "believed"),
        [(0, True), (30, True), (30.5, False), (3600, False), (-60, True), (-61, False)],
    )
    def test_a_word_that_was_there_before_us_is_as_old_as_it_says(self, age: float, believed: bool) -> None:
        assert Court().counts(NOW, gw=word(2, at=NOW - age)) == ((2.0 if believed else 0.0), 0.0)

    @pytest.mark.parametrize("skew", [-7200.0, -45.0, 0.0, 3600.0])
    def test_a_word_that_came_while_we_looked_is_new_whatever_its_clock_says(self, skew: float) -> None:
        court = Court()
        court.counts(NOW)
        said = word(2, at=NOW + skew)
        assert court.counts(NOW + 10, gw=said) == (2.0, 0.0)
        assert court.counts(NOW + 40, gw=said) == (2.0, 0.0)
        assert court.counts(NOW + 41, gw=said) == (0.0, 0.0)

    def test_a_gateway_whose_clock_is_wrong_is_believed_with_its_second_word(self) -> None:
        court = Court()
        assert court.counts(NOW, gw=word(2, at=NOW - 500)) == (0.0, 0.0)
        assert court.counts(NOW + 5, gw=word(2, at=NOW - 495)) == (2.0, 0.0)

    def test_gateways_are_added_up(self) -> None:
        court = Court()
        assert court.counts(NOW, a=word(2), b=word(3, 1), c=word(0, 4, at=NOW - 31)) == (5.0, 1.0)

    def test_a_word_taken_back_counts_no_longer(self) -> None:
        court = Court()
        assert court.counts(NOW, a=word(2), b=word(1)) == (3.0, 0.0)
        assert court.counts(NOW + 1, b=word(1)) == (1.0, 0.0)

    def test_our_clock_set_back_makes_no_word_immortal(self) -> None:
        court = Court()
        court.counts(NOW)
        said = word(2)
        court.counts(NOW + 10, gw=said)
        assert court.counts(NOW - 1000, gw=said) == (2.0, 0.0)
        assert court.counts(NOW - 1000 + 31, gw=said) == (0.0, 0.0)

    def test_autoscalers_that_nobody_asks_about_are_forgotten(self) -> None:
        court = Court()
        court.counts(NOW, gw=word(1))
        court.autoscaler = testing.autoscaler(**ASLEEP)
        court.counts(NOW + gateways.PATIENCE + 1)
        assert len(court.witness) == 1


class TestGivingUp:
    @pytest.mark.parametrize(
        ("ages", "given_up"),
        [
            ([], False),  # nothing to give up
            ([3600.0], True),
            ([3599.0], False),
            ([7200.0, 10.0], False),
            ([7200.0, 9000.0], True),
            ([None], False),  # ready
            ([7200.0, None], False),
        ],
    )
    def test_when(self, ages: list[float | None], given_up: bool) -> None:
        pods = [self.pod(each) for each in ages]
        assert Court().waives(pods) is given_up
        assert not Court(minReplicas=1).waives(pods)

    def test_one_that_was_ready_until_lately(self) -> None:
        found = self.pod(9000.0)
        (ready,) = found["status"]["conditions"]
        ready["lastTransitionTime"] = timestamps.rfc3339(NOW - 30)
        assert not Court().waives([found])

    def test_nobody_can_tell(self) -> None:
        found = self.pod(9000.0)
        found["metadata"]["creationTimestamp"] = "long ago"
        assert not Court().waives([found])

    def pod(self, age: float | None) -> resources.Object:
        """One that has not been ready since it was made, ``age`` seconds ago; None: one that is."""
        made = testing.pod("chat-a", ready=age is None)
        made["metadata"]["creationTimestamp"] = timestamps.rfc3339(NOW - (age or 0.0))
        return made


class TestMetrics:
    def test_who_never_sleeps_has_no_such_metrics(self) -> None:
        assert Court(minReplicas=1).testimony(gw=word(2)) == []

    def test_a_schedule_that_allows_sleep_is_enough(self) -> None:
        night = {"name": "night", "startTime": "01:00", "endTime": "06:00", "minReplicas": 0}
        assert len(Court(minReplicas=2, schedules=[night]).testimony()) == 2

    def test_the_target_of_what_is_held_is_that_of_requests_per_replica(self) -> None:
        court = Court(metricsSources=[testing.source("10", "gpu_cache_usage_perc"), RUNNING])
        assert [metric.target for metric, _ in court.testimony()] == [4.0, gateways.ANY]

    def test_without_such_a_target_any_number_asks_for_one(self) -> None:
        court = Court(metricsSources=[testing.source("0.5", "gpu_cache_usage_perc")])
        assert [metric.target for metric, _ in court.testimony()] == [gateways.ANY, gateways.ANY]

    def test_notes_say_who_holds_and_since_when(self) -> None:
        (_, held), (_, open_) = Court().testimony(NOW, a=word(2), b=word(1, 7))
        assert held.notes == ("2 at a; 1 at b, the first since 2023-11-14T22:13:20Z",)
        assert open_.notes == ("7 at b",)


# With the controller around them.

NEVER_LOOKS = controllers_settings.ControllersSettings(autoscaler_period=300.0)
SHORT: dict[str, Any] = {"observeWindowSeconds": 30, "panicWindowSeconds": 30}


def asleep(**spec: Any) -> resources.Object:
    return testing.autoscaler(annotations={"scale-down-cooldown-window": "30s"}, **{**ASLEEP, **SHORT, **spec})


@contextlib.asynccontextmanager
async def hearing(
    client: clients.MemoryClient,
    dials: testing.Dials | None = None,
    given: controllers_settings.ControllersSettings | None = None,
) -> AsyncIterator[testing.World]:
    """The controller at work, with an ear for gateways."""
    time, turned, registry = testing.LoopClock(), dials or testing.Dials(), prometheus_client.CollectorRegistry()
    manager = managers.Manager(client, time)
    means = wiring.Means(turned, registry, [gateways.Gateways()])
    shown = wiring.add(manager, means, given or controllers_settings.ControllersSettings())
    async with tasks.Scope("autoscalers") as scope:
        scope.start(manager.run(), name="manager")
        yield testing.World(client, time, turned, shown, registry)


async def say(world: testing.World, name: str, told: demand.Word | None) -> None:
    """A gateway writes, or takes its word back."""
    text = None if told is None else demand.write(told)
    patch = {"metadata": {"annotations": {demand.key(name): text}}}
    await world.client.patch(resources.POD_AUTOSCALER, ("default", "chat"), patch)


def looked_at(world: testing.World) -> float:
    _, told = world.pages["/debug/autoscalers/{namespace}/{name}"]({"namespace": "default", "name": "chat"})
    return float(told["recommendation"].at)


def sleeping(autoscaler: resources.Object, replicas: int = 0) -> clients.MemoryClient:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.POD_AUTOSCALER, autoscaler)
    client.seed(resources.DEPLOYMENT, testing.deployment(replicas=replicas))
    return client


@pytest.mark.looptime
class TestController:
    async def test_what_is_held_wakes_at_once(self) -> None:
        async with hearing(sleeping(asleep()), given=NEVER_LOOKS) as world:
            await world.until(world.status)
            assert world.replicas() == 0
            began = world.clock.monotonic()
            await say(world, "gw", word(1, at=world.clock.wall()))
            await world.until(lambda: world.replicas() == 1)
            assert world.clock.monotonic() - began < 0.5
            assert "requests held at gateways" in str(world.events())

    async def test_an_up_window_does_not_keep_asleep_who_is_asked_for(self) -> None:
        slow = testing.autoscaler(annotations={"scale-up-cooldown-window": "5m"}, **{**ASLEEP, **SHORT})
        async with hearing(sleeping(slow)) as world:
            await asyncio.sleep(60)
            await say(world, "gw", word(500, at=world.clock.wall()))
            await world.until(lambda: world.replicas() == 1, 1.0)
            for _ in range(3):
                await asyncio.sleep(5)
                await say(world, "gw", word(500, at=world.clock.wall()))
            assert world.replicas() == 1, "for the rest the window holds"

    async def test_a_word_from_long_ago_wakes_nobody(self) -> None:
        old = with_words(asleep(), gw=word(3, at=NOW - 3600))
        async with hearing(sleeping(old)) as world:
            await asyncio.sleep(120)
            assert world.replicas() == 0

    async def test_a_controller_that_begins_anew_goes_on_waking(self) -> None:
        client = sleeping(asleep())
        await client.patch(
            resources.POD_AUTOSCALER,
            ("default", "chat"),
            {"metadata": {"annotations": {demand.key("gw"): demand.write(word(1, at=NOW))}}},
        )
        async with hearing(client) as world:
            await world.until(lambda: world.replicas() == 1, 1.0)

    async def test_who_is_asked_now_and_then_stays_awake_and_sleeps_after_the_windows(self) -> None:
        client = sleeping(asleep(), replicas=1)
        client.seed(resources.POD, testing.pod("chat-a"))
        # The page of the pod always shows 0: requests of a second fall between two looks.
        async with hearing(client, testing.Dials(each=0.0)) as world:
            for _ in range(20):
                await say(world, "gw", word(0, 1, at=world.clock.wall(), lasts=60.0))
                await asyncio.sleep(15)
                assert world.replicas() == 1
            await say(world, "gw", None)
            silent = world.clock.monotonic()
            await world.until(lambda: world.replicas() == 0, 200.0)
            # 30 s of stable window, 30 s of stabilisation, each to the next look.
            assert 50 <= world.clock.monotonic() - silent <= 90

    async def test_replicas_that_never_get_ready_are_given_up_after_an_hour(self) -> None:
        client = sleeping(asleep(), replicas=1)
        client.seed(resources.POD, testing.pod("chat-a", ready=False, phase="Pending"))
        async with hearing(client) as world:
            await asyncio.sleep(gateways.GIVE_UP - 10)
            assert world.replicas() == 1, "it might still start"
            await world.until(lambda: world.replicas() == 0, 100.0)

    async def test_who_is_asked_for_is_not_given_up(self) -> None:
        client = sleeping(asleep(), replicas=1)
        client.seed(resources.POD, testing.pod("chat-a", ready=False))
        async with hearing(client) as world:
            for _ in range(500):
                await say(world, "gw", word(1, at=world.clock.wall()))
                await asyncio.sleep(10)
            assert world.clock.monotonic() > gateways.GIVE_UP
            assert world.replicas() == 1

    async def test_a_gateway_that_died_keeps_nobody_awake(self) -> None:
        client = sleeping(asleep(), replicas=1)
        client.seed(resources.POD, testing.pod("chat-a"))
        async with hearing(client, testing.Dials(each=0.0)) as world:
            await say(world, "gw", word(0, 9, at=world.clock.wall(), lasts=60.0))
            await asyncio.sleep(59)
            assert world.replicas() == 1
            await world.until(lambda: world.replicas() == 0, 200.0)

    async def test_words_of_two_gateways_do_not_erase_each_other(self) -> None:
        async with hearing(sleeping(asleep(metricsSources=[RUNNING]))) as world:
            await say(world, "a", word(8, at=world.clock.wall()))
            await say(world, "b", word(8, at=world.clock.wall()))
            await world.until(lambda: world.replicas() == 1)
            assert set(demand.read(world.find()["metadata"]["annotations"])) == {"a", "b"}

    async def test_renewals_are_no_news(self) -> None:
        async with hearing(sleeping(asleep()), given=NEVER_LOOKS) as world:
            began = world.clock.wall()
            await say(world, "gw", demand.Word(1, 0, began, 30.0, began))
            await world.until(lambda: world.replicas() == 1)
            await asyncio.sleep(1)
            looks = looked_at(world)
            for _ in range(5):
                await asyncio.sleep(5)
                await say(world, "gw", demand.Word(2, 0, world.clock.wall(), 30.0, began))
            assert looked_at(world) == looks
