"""Requests at gateways, as metrics to scale by: what wakes a workload that sleeps, and keeps one awake that is asked.

Autoscalers whose minimum is 0 get two metrics that their specs do not name, read from what gateways write on them (``api.kinds
.podautoscaler.demand``):

    requests held at gateways   those that wait for a first endpoint; where the spec has a target for requests per replica, by that
    requests open at gateways   those being answered; any number asks for one replica: a page that is read every ten seconds
                                does not see requests of one second, and must not send to sleep who answers them

**When a word is believed.** It holds for as long as it says, counted from when it was first seen here: clocks of machines differ. A word
that was there already when an autoscaler is seen for the first time may be years old, so for it alone its own time counts.

**Giving up.** Replicas that have not been ready for an hour serve nobody, and their pages are not read; taken for unread for ever, they
would keep a model that cannot start at one replica until somebody comes by. So their metrics are waived then, and these two decide alone:
it goes to sleep once nobody has asked for as long as its windows are, and is tried anew by the next request.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from brickyard.api.kinds import resources, shapes
from brickyard.api.kinds.podautoscaler import demand
from brickyard.controllers.podautoscaler import observing
from brickyard.kube.objects import conditions, meta
from brickyard.lib import timestamps
from brickyard.scaling import contract

ANY: Final = 1e6
"""A target that no number of requests exceeds: any number of them asks for one replica."""
SKEW: Final = 60.0
"""Seconds that the clock of a gateway may be ahead, for a word that was there before us."""
PATIENCE: Final = 300.0
"""Seconds after which an autoscaler that nobody asked about is forgotten."""
GIVE_UP: Final = 3600.0
"""Seconds for which no replica has been ready, after which they are not expected to be."""
HELD: Final = "requests held at gateways"
OPEN: Final = "requests open at gateways"
_HELD_KEY: Final = "gateways:held"
_OPEN_KEY: Final = "gateways:open"
_REQUESTS: Final = frozenset({"num_requests_running", "num_requests_waiting"})
"""Metrics whose target is a number of requests at one replica, by names without an engine's prefix."""


@dataclasses.dataclass(slots=True)
class _Heard:
    """What is known of one autoscaler: when it was asked about, and each gateway's word with when it was first seen."""

    asked: float
    words: dict[str, tuple[demand.Word, float]]


class Gateways:
    """Fills ``observing.Witness``."""

    def __init__(self) -> None:
        self._heard: dict[str, _Heard] = {}
        self._swept = 0.0

    def testify(self, subject: observing.Subject, now: float) -> Sequence[tuple[contract.Metric, contract.Observation]]:
        if not sleeps(subject.settings):
            return ()
        told = self._believed(meta.uid(subject.autoscaler), demand.read(meta.annotations(subject.autoscaler)), now)
        target = _target(subject.settings)
        held = contract.Metric(_HELD_KEY, HELD, target, contract.Form.WHOLE, presence=target == ANY)
        open_ = contract.Metric(_OPEN_KEY, OPEN, ANY, contract.Form.WHOLE, presence=True)
        return (
            (held, _observation(held, now, {name: word.held for name, word in told.items()}, _since(told))),
            (open_, _observation(open_, now, {name: word.open for name, word in told.items()})),
        )

    def waives(self, subject: observing.Subject, now: float) -> bool:
        """Fills ``observing.Waiver``: nothing has been ready for so long that nothing is expected any more."""
        return (
            sleeps(subject.settings)
            and bool(subject.pods)
            and all(now - _unready_since(each, now) >= GIVE_UP for each in subject.pods)
        )

    def __len__(self) -> int:
        return len(self._heard)

    def _believed(self, uid: str, words: Mapping[str, demand.Word], now: float) -> Mapping[str, demand.Word]:
        self._sweep(now)
        before = self._heard.get(uid)
        seen = {name: (word, _seen(before, name, word, now)) for name, word in words.items()}
        self._heard[uid] = _Heard(now, seen)
        return {name: word for name, (word, at) in seen.items() if now - at <= word.lasts}

    def _sweep(self, now: float) -> None:
        if 0 <= now - self._swept < PATIENCE:
            return
        self._swept = now
        for uid in [uid for uid, heard in self._heard.items() if now - heard.asked > PATIENCE]:
            del self._heard[uid]


def sleeps(settings: contract.Settings) -> bool:
    """Whether the target may have no replicas at some hour."""
    return settings.bounds.minimum == 0 or any(each.minimum == 0 for each in settings.hours)


def _unready_since(pod: resources.Object, now: float) -> float:
    """Unix time since which ``pod`` has not been ready; ``now`` where it is, or nobody can tell."""
    ready = conditions.find(shapes.sequence(pod, "status", "conditions"), "Ready") or {}
    if ready.get("status") == "True":
        return now
    try:
        made = timestamps.parse_rfc3339(shapes.text(pod, "metadata", "creationTimestamp") or "")
        turned = shapes.text(ready, "lastTransitionTime")
        return max(made, timestamps.parse_rfc3339(turned)) if turned else made
    except ValueError:
        return now


def _seen(before: _Heard | None, name: str, word: demand.Word, now: float) -> float:
    """When ``word`` was first seen. Where nobody looked before, its own time stands for that, and one from far ahead is not believed."""
    if before is None:
        return min(word.at, now) if word.at <= now + SKEW else float("-inf")
    known = before.words.get(name)
    return min(known[1], now) if known is not None and known[0] == word else now


def _target(settings: contract.Settings) -> float:
    wanted = [each.target for each in settings.metrics if each.name.rpartition(":")[2] in _REQUESTS]
    return min(wanted, default=ANY)


def _since(words: Mapping[str, demand.Word]) -> str:
    began = [word.since for word in words.values() if word.held and word.since is not None]
    return f", the first since {timestamps.rfc3339(min(began))}" if began else ""


def _observation(
    metric: contract.Metric, now: float, counts: Mapping[str, int], since: str = ""
) -> contract.Observation:
    some = {name: count for name, count in counts.items() if count}
    notes = ("; ".join(f"{count} at {name}" for name, count in some.items()) + since,) if some else ()
    return contract.Observation(metric.key, now, whole=float(sum(counts.values())), notes=notes)
