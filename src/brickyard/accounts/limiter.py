"""A gateway's limits: reservations gathered into batches for a store, settlements that nobody waits for.

While one batch is with the store the next one gathers, so a busy gateway makes few large exchanges and an idle one small quick ones; an
exchange under way is the only one, so the order of charges is kept. Settlements travel with the next reservations; where none come, they
go by themselves after ``LINGER``.

    reserve ─► waiting ─┐
    settle ──► charges ─┴─► exchange ─► answers
                               └─ failed: charges are kept and sent again under the same id; who waited is told
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Sequence
from typing import Final, Self

from brickyard.accounts import contract, errors, metrics, windows
from brickyard.accounts.stores import memory
from brickyard.lib import backoff, clock, logs, tasks

log = logs.get(__name__)

DEADLINE: Final = 2.5
"""Seconds for one exchange, whatever the store's own deadlines are."""
LINGER: Final = 0.05
"""Seconds in which settlements gather while no reservation comes along."""
MOST_ASKS: Final = 256
"""Reservations in one exchange."""
MOST_WAITING: Final = 8192
"""Reservations that wait for an exchange; one more is told that the store is away."""
MOST_CHARGES: Final = 16384
"""Counters with settlements under way; further ones are lost, and counted as such."""
RETRY: Final = backoff.Backoff(0.1, 2, 2)
"""Between a failed exchange and the next try. Until then reservations are answered without one."""


class Limiter:
    """Asks ``store`` on behalf of one process: ``async with Limiter(…) as limiter``; leaving it sends what is unsettled.

    ``batch_ids`` makes names that no other process makes. ``count_alone``: while the store is away, count here; otherwise
    ``reserve`` raises.
    """

    def __init__(
        self,
        store: contract.Counters,
        *,
        batch_ids: Callable[[], str],
        time: clock.Clock,
        count_alone: bool = False,
        counted: metrics.AccountMetrics | None = None,
    ) -> None:
        self._store = store
        self._ids = batch_ids
        self._time = time
        self._fallback = memory.MemoryCounters() if count_alone else None
        self._fallback_ids = map(str, itertools.count())
        self._metrics = counted or metrics.AccountMetrics()
        self._metrics.away = lambda: self.away
        self._metrics.unsettled = lambda: len(self._charges) + len(self._unanswered.charges)
        self._waiting: list[tuple[Sequence[contract.Claim], asyncio.Future[contract.Taken]]] = []
        self._charges: dict[tuple[str, int], contract.Charge] = {}
        self._unanswered = contract.Batch("")
        self._asked = asyncio.Event()
        self._work = asyncio.Event()
        self._scope = tasks.Scope("limits")
        self._failures = 0
        self._away_until = 0.0

    @property
    def away(self) -> bool:
        """Whether the last exchange failed."""
        return self._failures > 0

    async def __aenter__(self) -> Self:
        await self._scope.__aenter__()
        self._scope.start(self._run(), name="exchanges")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        await self._scope.__aexit__(kind, error, trace)
        for _, answer in self._waiting:
            answer.cancel()
        self._waiting.clear()
        for _ in range(2):  # what was unanswered, then what came since
            if self._charges or self._unanswered.charges:
                with contextlib.suppress(errors.StoreAwayError):
                    await self._exchange([])

    async def reserve(self, demand: contract.Demand) -> contract.Reservation | contract.Refusal:
        """Take what ``demand`` needs from all of its limits, or learn which one refuses.

        Raises:
            StoreAwayError: the store does not answer, and nobody counts here instead.
        """
        now = self._time.wall()
        claims = windows.claims(demand, now)
        if not claims:
            return _Granted(self, (), (), alone=False)
        try:
            taken, alone = await self._ask(claims), False
        except errors.StoreAwayError:
            if self._fallback is None:
                self._metrics.outcome("away")
                raise
            taken, alone = self._fallback.apply(contract.Batch("", (), (claims,)), now)[0], True
        if taken.refused is not None:
            self._metrics.outcome(claims[taken.refused].kind.value)
            return windows.refusal(demand, claims, taken, now)
        if alone:
            # Told to the store once it is back, if the window still lasts then.
            self._metrics.alone += 1
            self._charge(windows.debts(claims))
        self._metrics.outcome("admitted")
        return _Granted(self, claims, windows.standings(claims, taken, now), alone=alone)

    async def _ask(self, claims: Sequence[contract.Claim]) -> contract.Taken:
        if self._time.monotonic() < self._away_until:
            raise errors.StoreAwayError("the store of limits is away", hint="see the gateway's log for why")
        if len(self._waiting) >= MOST_WAITING:
            raise errors.StoreAwayError("the store of limits is too slow for what is asked of it")
        answer: asyncio.Future[contract.Taken] = asyncio.get_running_loop().create_future()
        self._waiting.append((claims, answer))
        self._asked.set()
        self._work.set()
        try:
            return await answer
        except asyncio.CancelledError:
            # It was answered in the very turn in which its caller was told to stop.
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                self._give_back(claims, answer.result())
            raise

    def _give_back(self, claims: Sequence[contract.Claim], taken: contract.Taken) -> None:
        if taken.refused is None:
            self._charge(windows.refund(claims, self._time.wall()))

    def end(self, charges: Sequence[contract.Charge], *, alone: bool) -> None:
        """Called by a reservation when it ends."""
        if alone and self._fallback is not None:
            self._fallback.apply(contract.Batch(next(self._fallback_ids), charges), self._time.wall())
        self._charge(charges)

    def now(self) -> float:
        """The moment that windows are told by."""
        return self._time.wall()

    def _charge(self, charges: Sequence[contract.Charge]) -> None:
        for charge in charges:
            place = (charge.key, charge.window)
            before = self._charges.get(place)
            if before is not None:
                charge = contract.Charge(charge.key, charge.window, charge.period, before.amount + charge.amount)  # noqa: PLW2901 - the sum of both
            elif len(self._charges) >= MOST_CHARGES:
                self._metrics.lost_charges += 1
                continue
            self._charges[place] = charge
        if charges:
            self._work.set()

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            await asyncio.sleep(max(0.0, self._away_until - self._time.monotonic()))
            if not self._waiting:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._asked.wait(), LINGER)
            waiting, self._waiting = self._waiting[:MOST_ASKS], self._waiting[MOST_ASKS:]
            await self._round(waiting)
            if not self._waiting:
                self._asked.clear()
                if not self._charges and not self._unanswered.charges:
                    self._work.clear()

    async def _round(self, waiting: list[tuple[Sequence[contract.Claim], asyncio.Future[contract.Taken]]]) -> None:
        waiting = [each for each in waiting if not each[1].done()]
        try:
            answers = await self._exchange([claims for claims, _ in waiting])
        except errors.StoreAwayError as error:
            self._failed(error)
            for _, answer in (*waiting, *self._waiting):
                if not answer.done():
                    answer.set_exception(error)
            self._waiting.clear()
            return
        except asyncio.CancelledError:
            for _, answer in waiting:
                answer.cancel()
            raise
        for (claims, answer), taken in zip(waiting, answers, strict=True):
            if answer.done():  # its caller went away meanwhile
                self._give_back(claims, taken)
            else:
                answer.set_result(taken)

    async def _exchange(self, asks: Sequence[Sequence[contract.Claim]]) -> Sequence[contract.Taken]:
        now, began = self._time.wall(), self._time.monotonic()
        batch = self._gather(asks, now)
        if not batch.charges and not asks:
            return ()
        try:
            async with asyncio.timeout(DEADLINE):
                answers = await self._store.exchange(batch, now)
        except TimeoutError:
            raise errors.StoreAwayError(f"the store of limits did not answer within {DEADLINE:g} s") from None
        self._unanswered = contract.Batch("")
        self._answered(len(asks), self._time.monotonic() - began)
        return answers

    def _gather(self, asks: Sequence[Sequence[contract.Claim]], now: float) -> contract.Batch:
        """The next batch: charges that were not answered for go again before newer ones, under the id that they had."""
        batch, charges = self._unanswered.id, self._unanswered.charges
        if not charges:
            batch, charges = self._ids(), tuple(self._charges.values())
            self._charges = {}
        current = tuple(charge for charge in charges if windows.current(charge, now))
        self._metrics.lost_charges += sum(charge.amount > 0 for charge in charges) - sum(c.amount > 0 for c in current)
        self._unanswered = contract.Batch(batch, current)
        return contract.Batch(batch, current, asks)

    def _answered(self, asks: int, seconds: float) -> None:
        self._metrics.exchanges += 1
        self._metrics.asks += asks
        self._metrics.seconds += seconds
        if self._failures:
            log.info("the store of limits is back", failures=self._failures)
        self._failures = 0
        self._away_until = 0.0

    def _failed(self, error: errors.StoreAwayError) -> None:
        self._metrics.failures += 1
        self._failures += 1
        if self._failures == 1:
            log.warning("the store of limits is away", error=error, counting_alone=self._fallback is not None)
        self._away_until = self._time.monotonic() + RETRY.delay(self._failures)


class _Granted:
    """A reservation; see ``contract.Reservation``."""

    __slots__ = ("_alone", "_claims", "_limiter", "standings")

    def __init__(
        self,
        limiter: Limiter,
        claims: Sequence[contract.Claim],
        standings: Sequence[contract.Standing],
        *,
        alone: bool,
    ) -> None:
        self._limiter = limiter
        self._claims = claims
        self._alone = alone
        self.standings = standings

    def settle(self, tokens: int) -> None:
        """The request used ``tokens``."""
        claims, self._claims = self._claims, ()
        if claims:
            self._limiter.end(windows.settlement(claims, tokens, self._limiter.now()), alone=self._alone)

    def cancel(self) -> None:
        """The request went nowhere."""
        claims, self._claims = self._claims, ()
        if claims:
            self._limiter.end(windows.refund(claims, self._limiter.now()), alone=self._alone)
