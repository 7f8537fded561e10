"""Pages that tell of all workers of a machine, whichever of them is asked.

What a worker knows by itself are its own counters and decisions. These pages put the others' beside them; without other workers they are
not used at all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
import prometheus_client

from brickyard.gateway.proxy import answers, router
from brickyard.gateway.sharing import exposition, neighbours

METRICS: Final = "/metrics"
MODELS: Final = "/debug/models"
DECISION: Final = "/debug/requests/{id}"


def pages(own: Mapping[str, router.Page], near: neighbours.Neighbours) -> Mapping[str, router.Page]:
    """``own`` pages, and in place of those that a worker alone cannot answer, those that ask the others as well."""
    asked = _Together(own, near)
    made = {METRICS: asked.metrics, MODELS: asked.models, DECISION: asked.decision}
    near.serve(asked.own)
    return {path: made.get(path, page) for path, page in own.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class _Together:
    pages: Mapping[str, router.Page]
    near: neighbours.Neighbours

    def own(self, page: str, rest: str) -> bytes:
        """This worker's answer to ``page``; empty when it has none."""
        answer = self._own(page, rest)
        return answer.body if answer is not None and answer.status == 200 else b""

    def _own(self, page: str, rest: str) -> answers.Answer | None:
        made = self.pages[page](rest) if page in {METRICS, MODELS, DECISION} & self.pages.keys() else None
        return made if isinstance(made, answers.Answer) else None

    async def metrics(self, rest: str) -> answers.Answer:
        """``/metrics`` of all workers, each series with its worker's number."""
        others = await self.near.ask(METRICS, rest)
        told = {self.near.worker: self.own(METRICS, rest), **others}
        return answers.Answer(200, exposition.merged(told), prometheus_client.CONTENT_TYPE_LATEST)

    async def models(self, rest: str) -> answers.Answer:
        """``/debug/models``: endpoints as this worker sees them, rates of all, the latest decision of any."""
        others = await self.near.ask(MODELS, rest)
        told = [orjson.loads(body)["models"] for body in (self.own(MODELS, rest), *others.values()) if body]
        return answers.document(200, {"models": _summed(told)})

    async def decision(self, rest: str) -> answers.Answer:
        """``/debug/requests/{id}``: the latest of what workers have under this id."""
        mine = self._own(DECISION, rest)
        if mine is not None and mine.status == 200 and rest != "last":
            return mine
        others = await self.near.ask(DECISION, rest)
        found = [body for body in (self.own(DECISION, rest), *others.values()) if body]
        if found:
            return answers.Answer(200, max(found, key=lambda body: str(orjson.loads(body).get("decided_at"))))
        return mine or answers.Answer(404)


def _summed(told: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One row a model. The first worker's rows stand, with everybody's rates and the latest decision."""
    rows: dict[str, dict[str, Any]] = {}
    for row in (row for models in told for row in models):
        known = rows.setdefault(row["id"], row)
        if known is row:
            continue
        known["requests_per_second"] = round(known["requests_per_second"] + row["requests_per_second"], 2)
        for name, told_of in row.get("adapters", {}).items():
            own = known["adapters"].setdefault(name, told_of)
            if own is not told_of:
                own["requests_per_second"] = round(own["requests_per_second"] + told_of["requests_per_second"], 2)
        decisions = [each for each in (known["last"], row["last"]) if each]
        known["last"] = max(decisions, key=lambda each: str(each["decided_at"]), default=None)
    return [row for _, row in sorted(rows.items())]
