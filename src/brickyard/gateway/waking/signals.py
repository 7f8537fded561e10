"""Tells autoscalers what is held and open for them, by an annotation of this gateway's own on each.

It goes through the Kubernetes API, which both sides talk to anyway: on one machine, in a cluster, with any number of gateways, whichever of
the controllers leads. The autoscaler's watch hears of it within milliseconds. A few autoscalers at a time; one that cannot be written to
is tried again with growing pauses and keeps no other one waiting for longer than ``DEADLINE``.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final

from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import demand
from brickyard.gateway.endpoints import table
from brickyard.gateway.waking import plan, sleepers, waking
from brickyard.kube.client import contract, errors
from brickyard.kube.objects import meta
from brickyard.lib import backoff, clock, logs

log = logs.get(__name__)

EVERY: Final = 0.5
"""Seconds between two looks at what is asked for, where nobody begins to wait."""
BREATH: Final = 0.05
"""Seconds between two looks, whatever happens."""
AT_ONCE: Final = 16
"""Autoscalers told in one look; those that are held for go first."""
DEADLINE: Final = 5.0
"""Seconds that one word may take."""
STALE: Final = 3600.0
"""Seconds after which the word of a gateway that tells nothing any more is removed by another one."""
RETRY: Final = backoff.Backoff(0.5, 2.0, 10.0)


@dataclasses.dataclass(slots=True)
class _State:
    """One autoscaler: our last word, the most that was open since, when writing may be tried again and why it failed.

    ``begun``: we have written to it; before that, a word of our name is from an earlier life.
    """

    told: plan.Told | None = None
    open: int = 0
    failures: int = 0
    not_before: float = 0.0
    trouble: str = ""
    begun: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class _Due:
    """A word to write: about what, and whether instead ours is to be removed."""

    sleeper: sleepers.Sleeper
    state: _State
    demand: plan.Demand
    since: float | None
    retract: bool


class Signals:
    """Tells the autoscalers in ``hub``'s book. ``name`` is this gateway's, stable over restarts where that can be."""

    def __init__(
        self, client: contract.Client, hub: waking.Waking, live: table.Table, name: str, time: clock.Clock
    ) -> None:
        self._client = client
        self._hub = hub
        self._table = live
        self._key = demand.key(name)
        self._clock = time
        self._states: dict[meta.Key, _State] = {}
        self._arrived: dict[str, int] = {}
        hub.trouble = lambda sleeper: self._trouble(sleeper.autoscaler)

    async def run(self) -> None:
        """Until cancelled. What was told is worth nothing soon after, so that nothing need be taken back."""
        while True:
            await self.look()
            await asyncio.sleep(BREATH)
            try:
                async with asyncio.timeout(EVERY):
                    await self._hub.called.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Tell whoever is to be told now."""
        self._hub.called.clear()
        due = self._due()
        due.sort(key=lambda each: not each.demand.held)
        async with asyncio.TaskGroup() as group:
            for each in due[:AT_ONCE]:
                group.create_task(self._write(each))

    def _trouble(self, key: meta.Key) -> str:
        state = self._states.get(key)
        return "" if state is None else state.trouble

    # What is due.

    def _due(self) -> list[_Due]:
        book = self._hub.book.models()
        asleep = {model: (held, since) for model, held, since in self._hub.held()}
        running = self._open()
        due: list[_Due] = []
        seen: set[meta.Key] = set()
        for model, members in book.items():
            held, since = asleep.get(model, (0, None))
            open_ = running.get(model, 0) or (1 if self._came(model) and not held else 0)
            for sleeper in members.values():
                if sleeper.sleeps:
                    seen.add(sleeper.autoscaler)
                    due += self._judge(sleeper, plan.Demand(held, open_), since)
        for key in self._states.keys() - seen:
            del self._states[key]
        for model in self._arrived.keys() - book.keys():
            del self._arrived[model]
        return due

    def _judge(self, sleeper: sleepers.Sleeper, found: plan.Demand, since: float | None) -> Iterable[_Due]:
        state = self._states.setdefault(sleeper.autoscaler, _State())
        state.open = max(state.open, found.open)
        found = plan.Demand(found.held, state.open)
        now = self._clock.monotonic()
        if now < state.not_before:
            return
        step = plan.step(state.told, found, now)
        left = not state.begun and not found.busy and self._key in sleeper.words
        if left or step is not plan.Step.KEEP:
            yield _Due(sleeper, state, found, since, left or step is plan.Step.RETRACT)

    def _open(self) -> Mapping[str, int]:
        """Requests that this gateway has open, by the model that answers them; those for adapters count for the model they adapt."""
        here, known, found = self._table.open_here(), self._table.endpoints(), dict[str, int]()
        for key, count in here.items():
            model = known[key].model
            found[model] = found.get(model, 0) + count
        return found

    def _came(self, model: str) -> bool:
        """Whether a request for ``model`` came since the last look, be it over or not."""
        before, now = self._arrived.get(model, 0), self._hub.arrived(model)
        self._arrived[model] = now
        return now != before

    # Telling.

    async def _write(self, due: _Due) -> None:
        state = due.state
        try:
            async with asyncio.timeout(DEADLINE):
                await self._client.patch(resources.POD_AUTOSCALER, due.sleeper.autoscaler, self._patch(due))
        except errors.NotFound:
            state.told, state.trouble = None, "it is gone"
        except (errors.KubeError, TimeoutError) as error:
            self._failed(due, str(error) or f"the Kubernetes API did not answer within {DEADLINE:g} s")
        else:
            self._hub.metrics.told += 1
            now = self._clock.monotonic()
            state.told = None if due.retract else plan.Told(due.demand.held, now)
            state.open, state.failures, state.trouble, state.begun = 0, 0, "", True

    def _failed(self, due: _Due, why: str) -> None:
        state = due.state
        self._hub.metrics.untold += 1
        if state.trouble != why:
            log.warning(
                "an autoscaler could not be told of requests", autoscaler=str(due.sleeper.autoscaler), error=why
            )
        state.trouble, state.failures = why, state.failures + 1
        state.not_before = self._clock.monotonic() + RETRY.delay(state.failures)

    def _patch(self, due: _Due) -> Mapping[str, Any]:
        wall = self._clock.wall()
        words: dict[str, str | None] = dict.fromkeys(self._stale(due.sleeper, wall))
        words[self._key] = None if due.retract else demand.write(self._word(due, wall))
        return {"metadata": {"annotations": words}}

    def _word(self, due: _Due, wall: float) -> demand.Word:
        since = None if due.since is None else wall - (self._clock.monotonic() - due.since)
        return demand.Word(due.demand.held, due.demand.open, wall, plan.lasts(due.demand), since)

    def _stale(self, sleeper: sleepers.Sleeper, wall: float) -> Iterable[str]:
        """Annotations of gateways that have told nothing for long."""
        for name, word in demand.read(sleeper.words).items():
            if wall - word.at > STALE:
                yield demand.key(name)
