"""What a gateway says and does about models that sleep: whether there is one, whether its requests wait, what they hear in the end.

    director ── knows, cards, absence ──► Waking ◄── holds, take, begun, woken, late ── queue
                                            │
                              Book (autoscalers, targets)      Signals (words to autoscalers)

Requests that wait stand in the queue's own line, so that turns, fairness and limits are those of every line. Here is only what differs:
how many may, how long, and that somebody has to be told. Who is told, and when, is ``signals``' matter; that an endpoint is ready, the
pods' watch tells at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from brickyard.api.kinds import resources
from brickyard.api.openai import errors as openai
from brickyard.gateway import contract, errors
from brickyard.gateway import metrics as gateway_metrics
from brickyard.gateway.endpoints import pods
from brickyard.gateway.queueing import metrics as queueing
from brickyard.gateway.queueing import queue
from brickyard.gateway.waking import book, metrics, settings, sleepers

OWNER: Final = "aibrix"
"""``owned_by`` of a model that sleeps, as of every other one."""
LONGEST: Final = 600
"""Characters of what an autoscaler or a pod says that are passed on to a client."""
_RETRY: Final = "10"
"""Seconds after which a client may well try again: what was ordered is still on its way."""
UNSETTLED: Final = "the Kubernetes API has not told of its autoscalers yet: try again in a moment"


class Waking:
    """Fills ``queue.Sleep`` and ``endpoints.director.Dormant``.

    Attributes:
        book: which autoscalers there are.
        metrics: counters.
        called: set when somebody begins to wait; whoever tells autoscalers clears it.
        settled: says whether the autoscalers are known; before that any model may exist.
        pods: says why a model that has pods has none that is ready.
        trouble: says why an autoscaler could not be told; "" when it could.
    """

    def __init__(self, given: settings.WakingSettings) -> None:
        self.book = book.Book()
        self.metrics = metrics.WakingMetrics()
        self.metrics.bytes = lambda: self._bytes
        self.called = asyncio.Event()
        self.settled: Callable[[], bool] = lambda: True
        self.pods: Callable[[str], str] = lambda _model: ""
        self.trouble: Callable[[sleepers.Sleeper], str] = lambda _sleeper: ""
        self._given = given
        self._bytes = 0
        self._line: queue.Queue | None = None
        self._counts: Callable[[], Mapping[str, gateway_metrics.ModelCounts]] = dict

    def attach(self, line: queue.Queue, counts: gateway_metrics.GatewayMetrics) -> None:
        """The data plane has been made: ``line`` is where requests wait, ``counts`` is where they are counted."""
        self._line, self._counts = line, counts.models
        self.metrics.held = lambda: ((model, held) for model, held, _ in line.asleep())

    def unready(self) -> str:
        """Why requests should go to another gateway for now; "" when they need not."""
        return "" if self.settled() else UNSETTLED

    # What is asked for.

    def held(self) -> Iterable[tuple[str, int, float]]:
        """Models that requests are held for: how many, and since when on the queue's clock."""
        return () if self._line is None else self._line.asleep()

    def arrived(self, model: str) -> int:
        """Requests for ``model`` since the start."""
        found = self._counts().get(model)
        return 0 if found is None else found.arrived

    def pod_changed(self, _old: resources.Object | None, new: resources.Object | None) -> None:
        """A pod changed: who waits for its model looks again. To be told after whoever keeps the endpoints."""
        if new is None or self._line is None or not self._line.waiting:
            return
        read = pods.read(new)
        if read is not None and not read.unready:
            self._line.freed(read.model)

    # For the director.

    def knows(self, model: str) -> bool:
        """Whether an autoscaler stands for ``model``, or that cannot be told yet."""
        return self.book.knows(model) or not self.settled()

    def cards(self, known: Collection[str]) -> Sequence[contract.ModelCard]:
        """Rows of ``/v1/models`` for models without pods that are woken when they are asked, but for those ``known`` already."""
        names = sorted(name for name in self.book.models() if name not in known and self.holds(name))
        return [contract.ModelCard(name, self._created(name), OWNER, 0) for name in names]

    def summary(self, known: Collection[str]) -> Mapping[str, Mapping[str, object]]:
        """Those that ``cards`` has rows for: the ``autoscalers`` that wake them, and how many requests are ``held``."""
        held = {model: count for model, count, _ in self.held()}
        return {
            each.id: {
                "autoscalers": [str(sleeper.autoscaler) for sleeper in self.book.of(each.id)],
                "held": held.get(each.id, 0),
            }
            for each in self.cards(known)
        }

    def absence(self, model: str) -> str:
        """Why ``model``, which has no pods, has none."""
        found = self.book.of(model)
        if not found:
            return UNSETTLED
        listed = ", ".join(f"PodAutoscaler {each.autoscaler}" for each in found)
        if not self._given.on:
            return f"model {model!r} has no pods ({listed}), and this gateway wakes none: BRICKYARD_GATEWAY_WAKING_TIMEOUT is 0"
        refusals = [
            f"PodAutoscaler {each.autoscaler} does not wake it: {each.refusal}" for each in found if each.refusal
        ]
        if len(refusals) == len(found):
            return _cut(f"model {model!r} has no pods: {'; '.join(refusals)}")
        return f"model {model!r} sleeps: {listed} scaled it to 0, and is told that it is asked for"

    def _created(self, model: str) -> int:
        return int(min(each.created for each in self.book.of(model)))

    # For the queue.

    @property
    def limit(self) -> int:
        """Requests of one model that may wait."""
        return self._given.length

    @property
    def timeout(self) -> float:
        """Seconds that they may."""
        return self._given.timeout

    def holds(self, model: str) -> bool:
        """Whether requests for ``model``, which has no endpoint, wait for one."""
        return self._given.on and self.book.wakes(model)

    def take(self, size: int) -> bool:
        """Count bytes kept for a request that waits; False when there are too many."""
        if self._bytes + size > self._given.max_bytes:
            return False
        self._bytes += size
        return True

    def give(self, size: int) -> None:
        """They are kept no longer."""
        self._bytes -= size

    def begun(self, _model: str) -> None:
        """Somebody waits for a model that sleeps: its autoscalers hear of it at once."""
        self.called.set()

    def woken(self, _model: str, seconds: float) -> None:
        """A model has an endpoint again; ``seconds`` after somebody first waited for one."""
        self.metrics.seconds.observe(seconds)
        self.called.set()

    def ended(self, end: queueing.End) -> None:
        """Somebody waits no more."""
        self.metrics.ends[end] += 1

    def full(self, model: str) -> errors.RefusedError:
        """503: too many wait for ``model`` already."""
        message = (
            f"model {model} is being woken, and as many requests as may wait for it already: {self._given.length}, or "
            f"{self._given.max_bytes} bytes over all such models: try again later"
        )
        return errors.RefusedError(openai.ApiError(503, message, "overloaded", "model"), (("retry-after", _RETRY),))

    def late(self, model: str) -> errors.RefusedError:
        """503: ``model`` had no endpoint in time; with what is known of why."""
        why = "; ".join(filter(None, (self.pods(model), *map(self._told, self.book.of(model)))))
        waited = (
            f"model {model} was asked to wake up and had no endpoint that is ready within {self._given.timeout:g} s"
        )
        message = _cut(f"{waited}: {why}" if why else waited)
        return errors.RefusedError(
            openai.ApiError(503, message, "model_not_ready", "model"), (("retry-after", _RETRY),)
        )

    def _told(self, sleeper: sleepers.Sleeper) -> str:
        trouble = self.trouble(sleeper)
        if trouble:
            return f"PodAutoscaler {sleeper.autoscaler} could not be told: {trouble}"
        said = sleeper.refusal or sleeper.said
        return (
            f"PodAutoscaler {sleeper.autoscaler} says: {said}"
            if said
            else f"PodAutoscaler {sleeper.autoscaler} has said nothing: is its controller running?"
        )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
