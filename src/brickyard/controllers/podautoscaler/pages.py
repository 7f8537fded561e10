"""What is shown of autoscalers, as JSON.

    GET /debug/autoscalers
        {"autoscalers": [{namespace, name, strategy, target, looked_at, current, desired, reason, panic}], "period": 10.0}

    GET /debug/autoscalers/{namespace}/{name}
        {
          "namespace", "name", "strategy",
          "target":          "Deployment default/chat",
          "period":          seconds between two looks,
          "settings":        ``scaling.contract.Settings``, or null where the spec is at fault,
          "fault":           {"reason", "text"} of such a spec, or null,
          "problems":        [{"where", "text"}] of settings that are not used,
          "waits":           Unix time until which the step waits, since one was taken a moment ago; null where none does,
          "recommendation":  ``scaling.contract.Recommendation`` as it is, every number in it; null before the first look,
          "explanation":     {"short": one line, "long": [lines]}; null likewise,
          "status":          the object's status as last written,
          "history":         {"fields": [names of ``history.Point``], "points": [[…], …]}, the oldest first
        }
        404 {"error": text} where there is no such autoscaler.

Times are Unix seconds; a number that is not known is null. A strategy HPA has neither recommendation nor history: the
HorizontalPodAutoscaler of its name has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from brickyard.api.kinds import resources
from brickyard.controllers import pages
from brickyard.controllers.podautoscaler import cards, history
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta
from brickyard.scaling import explain

LIST: Final = "/debug/autoscalers"
ONE: Final = "/debug/autoscalers/{namespace}/{name}"


class Pages:
    """Pages over what is kept of the autoscalers of ``cache``."""

    def __init__(self, cache: informers.Informer, kept: cards.Cards, period: float) -> None:
        self._cache = cache
        self._kept = kept
        self._period = period

    def table(self) -> Mapping[str, pages.Page]:
        """Pages by path."""
        return {LIST: self.all, ONE: self.one}

    def all(self, _: Mapping[str, str]) -> pages.Document:
        """Every autoscaler in one line each."""
        return 200, {"autoscalers": [self._line(each) for each in self._cache.list()], "period": self._period}

    def one(self, parts: Mapping[str, str]) -> pages.Document:
        """One autoscaler, with all there is to know."""
        found = self._cache.get(parts["namespace"], parts["name"])
        if found is None:
            return 404, {"error": f"there is no PodAutoscaler {parts['namespace']}/{parts['name']}"}
        card = self._kept.find(found)
        reading = card.read(found) if card is not None else cards.read(found)
        return 200, {
            **_names(found),
            "strategy": (found.get("spec") or {}).get("scalingStrategy"),
            "target": str(reading.wanted),
            "period": self._period,
            "settings": reading.settings,
            "fault": reading.fault,
            "problems": reading.problems,
            "waits": card.waits if card is not None else None,
            **_decided(card),
            "status": found.get("status") or {},
            "history": _history(card),
        }

    def _line(self, found: resources.Object) -> Mapping[str, Any]:
        card = self._kept.find(found)
        made = card.made if card is not None else None
        reading = card.read(found) if card is not None else cards.read(found)
        told = found.get("status") or {}
        return {
            **_names(found),
            "strategy": (found.get("spec") or {}).get("scalingStrategy"),
            "target": str(reading.wanted),
            "looked_at": made.at if made else None,
            "current": made.current if made else told.get("actualScale"),
            "desired": made.desired if made else told.get("desiredScale"),
            "reason": made.reason if made else None,
            "panic": made is not None and made.panicking_since is not None,
        }


def _names(found: resources.Object) -> Mapping[str, str]:
    return {"namespace": meta.namespace(found), "name": meta.name(found)}


def _decided(card: cards.Card | None) -> Mapping[str, Any]:
    if card is None or card.made is None:
        return {"recommendation": None, "explanation": None}
    long = [] if card.settings is None else list(explain.lines(card.settings, card.made))
    words = {"short": explain.short(card.made), "long": long}
    return {"recommendation": card.made, "explanation": words}


def _history(card: cards.Card | None) -> Mapping[str, Any]:
    points = [] if card is None else [list(each) for each in card.history.points()]
    return {"fields": list(history.Point._fields), "points": points}
