"""What engines say of the models they serve: asked of one endpoint per model, soon after it comes and seldom after that.

Only descriptions come from here, for ``/v1/models``; which models there are is the pods' to say.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson

from brickyard.gateway.endpoints import pages, table
from brickyard.lib import clock
from brickyard.routing import contract as routing

LOOK_EVERY: Final = 2.0
"""Seconds between two looks for models that nobody has described yet."""
ASK_EVERY: Final = 300.0
"""Seconds after which a model is asked about again: an engine may come back with other arguments."""
ASK_AGAIN: Final = 30.0
"""The same, where the engine did not say."""


@dataclasses.dataclass(frozen=True, slots=True)
class Described:
    """A model as its engine tells of it: tokens that a conversation may have, and what it was loaded from. None: not told."""

    max_model_len: int | None = None
    root: str | None = None


UNKNOWN: Final = Described()


class Cards:
    """Descriptions by model, as far as they are known."""

    def __init__(self, live: table.Table, fetch: Callable[[str], Awaitable[bytes]], *, time: clock.Clock) -> None:
        self._table = live
        self._fetch = fetch
        self._clock = time
        self._known: dict[str, Described] = {}
        self._due: dict[str, float] = {}

    def of(self, model: str) -> Described:
        """What is known of ``model``."""
        return self._known.get(model, UNKNOWN)

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Ask about every model whose time has come, one after the other; forget those that are gone."""
        there: dict[str, routing.Endpoint] = {}
        for slot in self._table.routable():
            there.setdefault(slot.endpoint.model, slot.endpoint)
        served = self._table.models().keys()
        for gone in self._due.keys() - served:
            del self._due[gone]
            self._known.pop(gone, None)
        for model, endpoint in there.items():
            if self._clock.monotonic() >= self._due.get(model, 0.0):
                told = await self._ask(model, endpoint)
                self._due[model] = self._clock.monotonic() + (ASK_AGAIN if told is UNKNOWN else ASK_EVERY)
                if told is not UNKNOWN:
                    self._known[model] = told

    async def _ask(self, model: str, endpoint: routing.Endpoint) -> Described:
        try:
            return described(await self._fetch(f"http://{endpoint.authority}/v1/models"), model)
        except pages.PageMissed:
            return UNKNOWN


def described(page: bytes, model: str) -> Described:
    """What an engine's list of models says of ``model``; nothing where the page is something else.

    vLLM and SGLang tell ``max_model_len`` and ``root``, llama.cpp ``meta.n_ctx`` or the context that the model was trained with.
    """
    try:
        document: Any = orjson.loads(page)
    except orjson.JSONDecodeError:
        return UNKNOWN
    rows = document.get("data") if isinstance(document, dict) else None
    named = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    # An engine of one model may know it under a name of its own, such as the file it was read from.
    row = next((row for row in named if row.get("id") == model), named[0] if len(named) == 1 else None)
    if row is None:
        return UNKNOWN
    meta = row.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    lengths = (row.get("max_model_len"), meta.get("n_ctx"), meta.get("n_ctx_train"))
    length = next((each for each in lengths if type(each) is int and each > 0), None)
    root = row.get("root")
    told = Described(length, root if isinstance(root, str) and root else None)
    return UNKNOWN if told == UNKNOWN else told
