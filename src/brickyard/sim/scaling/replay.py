"""The loop: requests come, engines compute, and every few seconds somebody looks and decides.

    arrival ─► fleet.submit          engine's stretch ends, replica ready, grace over ─► fleet.advance
    look ─► measures ─► scaling.decide ─► fleet.resize ─► sample

Decisions end with the last arrival; what is open then is served to its end, at most an hour long. Equal loads, plans and seeds give equal
outcomes, to the last digit.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import math
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from brickyard.scaling import contract, decide
from brickyard.sim.engine.core import params
from brickyard.sim.scaling import engine, errors, fleet, measures, outcome, workload

PATIENCE: Final = 3600.0
"""Seconds after the last arrival at which what is still open counts as lost."""
MINUTE: Final = 60.0
OPENING: Final = 300.0
"""Seconds of the load's beginning that the first replicas are made for."""

LOOKS: Final[Mapping[contract.Strategy, float]] = {
    contract.Strategy.KPA: 10.0,
    contract.Strategy.APA: 10.0,
    contract.Strategy.HPA: 15.0,
}
"""Seconds between two decisions: ours, and Kubernetes' own for a HorizontalPodAutoscaler."""

Decide = Callable[[contract.Settings, contract.Snapshot, float], contract.Recommendation]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """One way to scale one kind of fleet.

    Attributes:
        label: what tells it from others.
        settings: how to decide.
        build: what replicas are like.
        period: seconds between two decisions; None for the strategy's own, as in ``LOOKS``.
        limit: seconds to the first token that are still fine.
        replicas: how many are ready at the beginning; None for as many as its first five minutes keep busy at four fifths.
    """

    label: str
    settings: contract.Settings
    build: fleet.Build
    period: float | None = None
    limit: float = 5.0
    replicas: int | None = None

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and self.limit > 0 and math.isfinite(self.seconds)):
            raise errors.ReplayError(f"period and limit are seconds above 0, not {self.period!r} and {self.limit!r}")
        for each in self.settings.metrics:
            measures.metric(each.name, each.target)

    @property
    def seconds(self) -> float:
        """Between two decisions."""
        return LOOKS[self.settings.strategy] if self.period is None else self.period


class Work:
    """How long requests keep a replica busy that has as many in its batch as fit.

    A prompt costs its computation. An answer costs its tokens' share of each step: with B sequences in the batch, a Bth of what a
    step costs whatever is in it, and all of what it costs for one more.
    """

    def __init__(self, given: params.Params, load: workload.Load) -> None:
        number = max(1, len(load.arrivals))
        held = sum(each.prompt + each.output / 2 for each in load.arrivals) / number
        self._timing = given.timing
        self._batch = max(1.0, min(given.max_num_seqs, given.capacity / max(1.0, held)))

    def seconds(self, each: workload.Arrival) -> float:
        """Of one request."""
        timing = self._timing
        token = (
            timing.step / self._batch
            + timing.decode_sequence
            + timing.decode_kv_token * (each.prompt + each.output / 2)
        )
        prompt = timing.request + timing.prefill_token * each.prompt + timing.prefill_pair * each.prompt**2 / 2
        return prompt + token * each.output


def run(load: workload.Load, plan: Plan) -> outcome.Outcome:
    """One replay, by ``scaling.decide``."""
    memory = decide.Memory()
    return Replay(load, plan, lambda settings, seen, now: decide.decide(settings, memory, seen, now)).run()


def side_by_side(load: workload.Load, plans: Sequence[Plan], jobs: int = 0) -> list[outcome.Outcome]:
    """One replay for each of ``plans``, in their order, ``jobs`` at a time in processes of their own; 0 is as many as there are cores."""
    number = min(len(plans), jobs or os.cpu_count() or 1)
    if number <= 1:
        return [run(load, each) for each in plans]
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(max_workers=number, mp_context=spawn) as pool:
        return list(pool.map(run, [load] * len(plans), plans))


class Replay:
    """One run: make it, ``run`` it once. ``decided`` answers for ``scaling.decide`` with a memory of its own."""

    def __init__(self, load: workload.Load, plan: Plan, decided: Decide) -> None:
        self._load = load
        self._plan = plan
        self._decide = decided
        self._jobs = [engine.Job(at, prompt, output) for at, prompt, output in load.arrivals]
        work = Work(plan.build.engine, load)
        self._work = [work.seconds(each) for each in load.arrivals]
        self._fleet = fleet.Fleet(plan.build, self._opening())
        self._meter = measures.Meter(load.start)
        self._arrived = 0
        self._minute = 0
        self._busy = 0.0
        self._samples: list[outcome.Sample] = []
        self._moves: list[contract.Recommendation] = []

    def _opening(self) -> int:
        if self._plan.replicas is not None:
            return self._plan.replicas
        bounds = self._plan.settings.bounds
        span = min(OPENING, self._load.seconds) or 1.0
        busy = sum(each for job, each in zip(self._jobs, self._work, strict=True) if job.arrived < span) / span
        wanted = max(bounds.minimum, math.ceil(busy / outcome.SPARE))
        return wanted if bounds.maximum is None else min(wanted, bounds.maximum)

    def run(self) -> outcome.Outcome:
        """From the first arrival until the last answer."""
        end = self._load.seconds
        looks = 1
        while (look := looks * self._plan.seconds) <= end:
            self._until(look)
            self._look(look)
            looks += 1
        self._until(end)
        spent = self._fleet.cost(end)
        while self._fleet.open and self._fleet.next_at() <= end + PATIENCE:
            self._fleet.advance()
        return outcome.Outcome(
            self._plan.label,
            self._plan.settings,
            self._load.start,
            self._plan.seconds,
            tuple(self._samples),
            tuple(self._moves),
            self._figures(spent),
        )

    def _until(self, now: float) -> None:
        """What arrives and happens before ``now``, in its order."""
        jobs, made = self._jobs, self._fleet
        while True:
            arrival = jobs[self._arrived].arrived if self._arrived < len(jobs) else math.inf
            due = made.next_at()
            if min(arrival, due) > now:
                return
            if due <= arrival:
                made.advance()
            else:
                made.submit(jobs[self._arrived], arrival)
                self._busy += self._work[self._arrived]
                self._arrived += 1

    def _look(self, now: float) -> None:
        self._meter.arrived = self._arrived
        settings, made = self._plan.settings, self._fleet
        seen = self._meter.look(settings.metrics, made, now)
        told = self._decide(settings, seen, self._load.start + now)
        if told.desired is not None and told.moves:
            self._moves.append(told)
            made.resize(told.desired, now)
        while self._minute < self._arrived and self._jobs[self._minute].arrived <= now - MINUTE:
            self._busy -= self._work[self._minute]
            self._minute += 1
        self._samples.append(
            outcome.Sample(
                now,
                made.replicas,
                len(made.ready),
                self._busy / min(MINUTE, max(now, self._plan.seconds)),
                demand(told),
                made.waiting,
                told.panicking_since is not None,
                told.minimum,
                told.maximum,
            )
        )

    def _figures(self, spent: float) -> outcome.Figures:
        jobs, samples, period = self._jobs, self._samples, self._plan.seconds
        waits = [job.first_token - job.arrived for job in jobs if job.first_token >= 0]
        lost = sum(job.ended < 0 for job in jobs)
        late = sum(job.ended < 0 or job.first_token - job.arrived > self._plan.limit for job in jobs)
        replicas = [self._opening(), *(each.wanted for each in samples)]
        return outcome.Figures(
            requests=len(jobs),
            missed=outcome.share(late, len(jobs)),
            lost=lost,
            p50=outcome.quantile(waits, 0.5),
            p99=outcome.quantile(waits, 0.99),
            replica_hours=spent / 3600,
            mean=outcome.share(spent, self._load.seconds),
            events=outcome.events(replicas),
            oscillations=outcome.oscillations(replicas),
            under=outcome.under(samples, period),
            over=outcome.over(samples, period),
            most_waiting=self._fleet.most_waiting,
        )


def demand(told: contract.Recommendation) -> float:
    """The largest of what its metrics ask for, in replicas before rounding and limits; NaN when none says anything."""
    asked = [_replicas(each, told.current) for each in told.metrics]
    return max((each for each in asked if not math.isnan(each)), default=math.nan)


def _replicas(verdict: contract.MetricVerdict, current: int) -> float:
    if verdict.ratio is not None and current:
        return verdict.ratio.low * current
    if verdict.demand is not None:
        return verdict.demand.low / verdict.metric.target
    return math.nan
