"""What engines told, by model: their blocks, the links to prompts, and how well the listening goes.

The prefix index of the gateway stays the one thing that strategies read. The book corrects it: blocks that an engine dropped go out of it,
blocks that an engine stores come in, once it is learned which bytes they stand for (``kvindex.learning``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from brickyard.engines import contract as engines
from brickyard.gateway.kvevents import publisher, settings, sources
from brickyard.kvindex import learning, residency, table
from brickyard.lib import clock
from brickyard.routing import contract as routing

_KINDS: Final = {
    engines.BlocksStored: "BlockStored",
    engines.BlocksRemoved: "BlockRemoved",
    engines.BlocksCleared: "AllBlocksCleared",
}


class Index(learning.Index, Protocol):
    """The prefix index."""

    def remove(self, endpoint: str) -> None: ...


class Prompts(Protocol):
    """How prompts are cut: ``gateway.endpoints.prefixes``."""

    def hashes(self, request: routing.Request) -> Sequence[int]: ...

    def ends(self, blocks: int) -> Sequence[int]: ...


class Model:
    """What is known of one model's engines."""

    def __init__(self, name: str, index: Index, given: settings.KvEventSettings) -> None:
        self.learner = learning.Learner(index, given.links)
        # Twice what the table needs: it is the number of blocks that bounds it, whatever number of endpoints hold them.
        budget = 2 * given.blocks * (table.KEY_BYTES + table.PLANE_BYTES) + (1 << 16)
        self.residency = residency.Residency(residency.Chain(name), given.blocks, budget, watch=self.learner)


class Book:
    """All models and publishers; a ``subscriber.Sink`` and, where no follower stands before it, a ``prefixes.Witness``."""

    def __init__(
        self, index: Callable[[], Index], prompts: Prompts, given: settings.KvEventSettings, now: clock.Clock
    ) -> None:
        self.publishers: dict[str, publisher.Publisher] = {}
        self.models: dict[str, Model] = {}
        self._index = index
        self._prompts = prompts
        self._given = given
        self._clock = now

    def follows(self, endpoint: str) -> bool:
        """Whether the endpoint of this key is listened to."""
        return endpoint in self.publishers

    def join(self, source: sources.Source) -> publisher.Publisher:
        """An endpoint is about to be listened to."""
        told = self.publishers[source.key] = publisher.Publisher(source)
        if source.model not in self.models:
            self.models[source.model] = Model(source.model, self._index(), self._given)
        return told

    def leave(self, key: str) -> None:
        """An endpoint is not listened to any more, and what it told is forgotten; its model with the last one."""
        told = self.publishers.pop(key, None)
        if told is None:
            return
        name = told.source.model
        if any(other.source.model == name for other in self.publishers.values()):
            self.models[name].residency.remove(key)
            self.models[name].learner.forget(key)
        else:
            del self.models[name]

    def gone(self, endpoint: str) -> None:
        """The endpoint of this key is no more."""
        self.leave(endpoint)

    def take(self, key: str, told: engines.KvEvents) -> None:
        """A message of the engine behind an endpoint."""
        heard = self.publishers.get(key)
        if heard is None:
            return
        begun = time.perf_counter()
        model = self.models[heard.source.model]
        model.learner.now = self._clock.monotonic()
        model.residency.take(key, told.events)
        heard.lag = self._clock.wall() - told.at
        for event in told.events:
            heard.events[_KINDS[type(event)]] += 1
        heard.seconds.observe(time.perf_counter() - begun)

    def reset(self, key: str) -> None:
        """All that is known of the engine behind an endpoint is void, and what it was sent with it."""
        heard = self.publishers.get(key)
        if heard is None:
            return
        heard.resets += 1
        model = self.models[heard.source.model]
        model.residency.clear(key)
        model.learner.forget(key)
        self._index().remove(key)

    def finished(self, event: routing.Finished) -> None:
        """A request ended: one more to learn from, if its engine is listened to and counted its tokens."""
        decision, usage = event.decision, event.usage
        heard = self.publishers.get(decision.endpoint.key)
        if heard is None or usage is None or not usage.prompt_tokens or not usage.completion_tokens:
            return
        hashes = self._prompts.hashes(decision.request)
        self.models[heard.source.model].learner.asked(
            learning.Asked(
                decision.endpoint.key,
                hashes,
                self._prompts.ends(len(hashes)),
                len(decision.request.prompt),
                usage.prompt_tokens,
                usage.completion_tokens,
                usage.cached_tokens,
                decision.decided_at,
                event.at,
            )
        )

    @property
    def unsettled(self) -> int:
        """Requests that have not been learned from yet."""
        return sum(model.learner.unsettled for model in self.models.values())

    def settle(self) -> None:
        """Learn from requests whose time has come."""
        now = self._clock.monotonic()
        for model in self.models.values():
            model.learner.now = now
            model.learner.settle(now, model.residency)

    def summary(self) -> Iterator[Mapping[str, object]]:
        """Each publisher for people, as JSON-ready data."""
        for key, heard in sorted(self.publishers.items()):
            model = self.models[heard.source.model]
            yield {
                "endpoint": key,
                "model": heard.source.model,
                "address": heard.source.events,
                "connected": heard.connected,
                "sequence": heard.sequence,
                "messages": heard.batches,
                "events": dict(heard.events),
                "lag_seconds": round(heard.lag, 6),
                "gaps": heard.gaps,
                "missed": heard.missed,
                "dropped": heard.dropped,
                "errors": dict(heard.errors),
                "blocks": model.residency.held(key),
                "block_size": model.residency.block_size(key),
            }
