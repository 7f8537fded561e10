"""What engines say of the models and adapters they serve: each endpoint's ``/v1/models``, read soon after it comes and lazily after that.

Which models there are is the pods' to say; which LoRA adapters an endpoint holds is its engine's alone, because they are loaded and dropped
while it runs. So an endpoint that may hold adapters (it lists some, its metrics speak of them, or its pod's label allows them) is asked at
the pace that is set, any other one a twelfth as often; and one whose metrics name an adapter that it has not listed, or that
answered 404 for one that it had, is asked at once.

What cannot be read changes nothing: an engine that is too busy for this page still holds what it held.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson

from brickyard.api import names
from brickyard.gateway.endpoints import table
from brickyard.lib import clock, logs, pages
from brickyard.routing import contract as routing

log = logs.get(__name__)

LOOK_EVERY: Final = 0.5
"""Seconds between two looks for endpoints whose time has come."""
EVERY: Final = 5.0
"""Seconds between two readings of an endpoint that may hold adapters, where nobody sets another pace."""
SELDOM: Final = 12
"""How many times longer it takes for an endpoint that shows no sign of adapters."""
JITTER: Final = 0.2
"""The share of the pause by which it may be longer or shorter, in total: endpoints that came together are not read together for ever."""
MOST: Final = 1024
"""Adapters taken from one engine; those beyond are left out."""
LONGEST: Final = 256
"""Characters of an adapter's name; one that is longer is left out."""


@dataclasses.dataclass(frozen=True, slots=True)
class Described:
    """A model as its engine tells of it: tokens that a conversation may have, and what it was loaded from. None: not told."""

    max_model_len: int | None = None
    root: str | None = None


UNKNOWN: Final = Described()


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """One engine's page: its own model, and the adapters it holds by name."""

    own: Described
    adapters: Mapping[str, Described]


class _Followed:
    """An endpoint: when it is asked again, what its metrics named without its listing it, and how often it did not answer."""

    __slots__ = ("due", "misses", "wondered")

    def __init__(self) -> None:
        self.due = 0.0
        self.misses = 0
        self.wondered: frozenset[str] = frozenset()


class Cards:
    """Keeps the table's adapters and the descriptions of models and adapters current. ``every``: seconds, as the module says."""

    def __init__(
        self,
        live: table.Table,
        fetch: Callable[[str], Awaitable[bytes]],
        *,
        time: clock.Clock,
        rng: routing.Random,
        every: float = EVERY,
    ) -> None:
        self._table = live
        self._fetch = fetch
        self._clock = time
        self._rng = rng
        self._every = every
        self._known: dict[str, Described] = {}
        self._followed: dict[table.Slot, _Followed] = {}

    def of(self, model: str) -> Described:
        """What is known of a model or an adapter."""
        return self._known.get(model, UNKNOWN)

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Read the page of every endpoint whose time has come; forget what is gone."""
        now = self._clock.monotonic()
        there = {slot: self._followed.get(slot) or _Followed() for slot in self._table.routable()}
        self._followed = there
        async with asyncio.TaskGroup() as group:
            for slot, followed in there.items():
                if self._is_due(slot, followed, now):
                    group.create_task(self._read(slot, followed), name=f"cards/{slot.endpoint.key}")
        for gone in self._known.keys() - self._table.models().keys() - self._table.adapters().keys():
            del self._known[gone]

    def _is_due(self, slot: table.Slot, followed: _Followed, now: float) -> bool:
        if not slot.listed and not followed.misses:
            return True
        if slot.doubted:
            slot.doubted = False
            return True
        unlisted = _at_work(slot) - slot.adapters - {slot.endpoint.model}
        if unlisted - followed.wondered:
            followed.wondered = unlisted
            return True
        return now >= followed.due

    async def _read(self, slot: table.Slot, followed: _Followed) -> None:
        endpoint = slot.endpoint
        try:
            told = listing(await self._fetch(f"http://{endpoint.authority}/v1/models"), endpoint.model)
        except pages.PageMissed as error:
            followed.misses += 1
            if followed.misses == 1:
                log.info("an engine does not list its models", endpoint=endpoint.key, error=error)
            followed.due = self._clock.monotonic() + self._pause(slot, followed)
            return
        followed.misses = 0
        models = self._table.models()
        if told.own is not UNKNOWN:
            self._known[endpoint.model] = told.own
        self._known.update((name, adapter) for name, adapter in told.adapters.items() if name not in models)
        self._tell_changes(slot, frozenset(told.adapters))
        self._table.lists(slot, frozenset(told.adapters))
        followed.due = self._clock.monotonic() + self._pause(slot, followed)

    def _tell_changes(self, slot: table.Slot, adapters: frozenset[str]) -> None:
        if adapters != slot.adapters:
            came, went = sorted(adapters - slot.adapters), sorted(slot.adapters - adapters)
            log.info("adapters changed", endpoint=slot.endpoint.key, came=came[:16], went=went[:16])

    def _pause(self, slot: table.Slot, followed: _Followed) -> float:
        """Seconds until the next reading; who does not answer is asked again soon, and ever less often."""
        some = self._every * (1 - JITTER / 2 + JITTER * self._rng.random())
        if followed.misses:
            return some * min(1 << min(followed.misses - 1, 8), SELDOM)
        return some if _may_hold_adapters(slot) else some * SELDOM


def _may_hold_adapters(slot: table.Slot) -> bool:
    load = slot.load
    return (
        bool(slot.adapters)
        or (load is not None and (load.lora_slots is not None or load.loras_running is not None))
        or slot.endpoint.labels.get(names.ADAPTER_ENABLED) == "true"
    )


def _at_work(slot: table.Slot) -> frozenset[str]:
    """Adapters that the engine's metrics name."""
    load = slot.load
    return frozenset(load.loras_running or ()).union(load.loras_waiting or ()) if load is not None else frozenset()


def listing(page: bytes, model: str) -> Listing:
    """What an engine's list of models says. ``model``: how the gateway calls the engine's own.

    vLLM and SGLang tell ``max_model_len`` and ``root``, and an adapter's ``parent``; llama.cpp tells ``meta.n_ctx`` or the context that the
    model was trained with.

    Raises:
        PageMissed: the page is something else.
    """
    rows = _rows(page)
    own = [row for row in rows if not row.get("parent")]
    # An engine of one model may know it under a name of its own, such as the file it was read from.
    row = next((row for row in own if row.get("id") == model), own[0] if len(own) == 1 else None)
    adapters = ((row.get("id"), row) for row in rows if isinstance(row.get("parent"), str) and row["parent"])
    named = ((name, row) for name, row in adapters if isinstance(name, str) and 0 < len(name) <= LONGEST)
    held = {name: _described(row) for name, row in named if name != model}
    return Listing(UNKNOWN if row is None else _described(row), dict(sorted(held.items())[:MOST]))


def _rows(page: bytes) -> list[dict[str, Any]]:
    try:
        document: Any = orjson.loads(page)
    except orjson.JSONDecodeError as error:
        raise pages.PageMissed(f"the list of models is no JSON: {error}") from error
    rows = document.get("data") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise pages.PageMissed("the list of models has no list under data")
    return [row for row in rows if isinstance(row, dict)]


def _described(row: Mapping[str, Any]) -> Described:
    meta = row.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    lengths = (row.get("max_model_len"), meta.get("n_ctx"), meta.get("n_ctx_train"))
    length = next((each for each in lengths if type(each) is int and each > 0), None)
    root = row.get("root")
    told = Described(length, root if isinstance(root, str) and root else None)
    return UNKNOWN if told == UNKNOWN else told
