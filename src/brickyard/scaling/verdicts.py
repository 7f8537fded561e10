"""What one metric asks for. Pure.

First every metric is looked at, since one of them in a rush is a rush of the workload; then each one says what it wants.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from brickyard.scaling import contract, demand, memory, rates, rounding, words
from brickyard.scaling.algorithms import apa, band, hpa, kpa


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """One metric in this pass. ``stable`` and ``panic`` are the demand of the whole, ``mean`` that of a pod, over their windows.

    ``young``: the windows do not reach back over a stable window. ``notes``: how values were taken.
    """

    metric: contract.Metric
    reading: demand.Reading
    stable: contract.Span | None
    mean: contract.Span | None
    panic: contract.Span | None
    covered: float
    young: bool
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """What is the same for every metric of a pass."""

    settings: contract.Settings
    current: int
    limits: rates.Limits
    panicking: bool = False

    def band(self, metric: contract.Metric) -> band.Band:
        """The tolerance for ``metric``."""
        if metric.exact:
            return band.Band()
        return band.Band(self.settings.up_tolerance, self.settings.down_tolerance)


def look(
    settings: contract.Settings, known: memory.Memory, snapshot: contract.Snapshot, now: float
) -> tuple[Look, ...]:
    """Every metric, in the order of the settings; what was measured is kept in ``known``."""
    found: Mapping[str, contract.Observation] = {each.metric: each for each in snapshot.observations}
    return tuple(
        _look(settings, known, each, (found.get(each.key), snapshot.replicas), now) for each in settings.metrics
    )


def _look(
    settings: contract.Settings,
    known: memory.Memory,
    metric: contract.Metric,
    seen: tuple[contract.Observation | None, int],
    now: float,
) -> Look:
    reading = demand.read(metric, *seen)
    window = settings.stable_window
    if reading.total is not None and reading.at < now - max(window, settings.panic_window):
        why = (
            f"what was read is {words.seconds(now - reading.at)} old, older than the window of {words.seconds(window)}"
        )
        reading = dataclasses.replace(reading, total=None, mean=None, why=why)
    watch = known.observe(metric, reading, window, now)
    return Look(
        metric,
        reading,
        watch.total.mean(window, now),
        watch.mean.mean(window, now),
        watch.total.mean(min(settings.panic_window, window), now),
        watch.total.covered(window, now),
        not watch.total.spans(window, now),
        seen[0].notes if seen[0] is not None else (),
    )


def rushes(settings: contract.Settings, seen: Look, current: int) -> bool:
    """Whether KPA should panic over this metric. Pods that are not ready do not help in a rush yet."""
    if seen.panic is None or seen.reading.total is None:
        return False
    pods = seen.reading.measured + seen.reading.lacking
    ready = min(pods, current) if seen.metric.form is contract.Form.PODS else current
    return kpa.panics(seen.panic, seen.metric.target, ready, settings.panic_threshold)


def verdict(case: Case, seen: Look) -> contract.MetricVerdict:
    """What the metric asks for. One that was not read now says nothing, whatever its windows still hold."""
    reading = seen.reading
    blank = contract.MetricVerdict(
        seen.metric,
        None,
        reading.why,
        demand=reading.total,
        stable=seen.stable,
        covered=seen.covered,
        measured=reading.measured,
        unready=reading.unready,
        missing=reading.missing,
        lacking=reading.lacking,
        notes=seen.notes,
    )
    if reading.total is None:
        return blank
    if case.settings.strategy is contract.Strategy.HPA:
        return _hpa(case, blank, reading.total, reading.mean)
    if seen.stable is None or seen.panic is None:
        return dataclasses.replace(blank, reason="the newest value is from the future of what was measured before")
    if case.settings.strategy is contract.Strategy.APA:
        return _apa(case, blank, seen.stable, seen.mean)
    return _kpa(case, blank, seen.stable, seen.panic)


def _kpa(
    case: Case, blank: contract.MetricVerdict, stable: contract.Span, panic: contract.Span
) -> contract.MetricVerdict:
    target, settings = blank.metric.target, case.settings
    asked = kpa.ask(stable, target, case.current, case.band(blank.metric))
    if case.panicking:
        asked = max(asked, kpa.ask(panic, target, case.current, case.band(blank.metric)))
    asked = kpa.activated(asked, settings.activation_scale)
    allowed, limited_by = case.limits.cut(asked)
    # A model that needs three replicas to serve at all is not helped by one: activation goes before the rate.
    replicas = max(allowed, min(asked, settings.activation_scale))
    measured = f"{words.span(stable)} over {words.seconds(settings.stable_window)}"
    if case.panicking:
        measured += f" and {words.span(panic)} over {words.seconds(settings.panic_window)}"
    return dataclasses.replace(
        blank,
        replicas=replicas,
        asked=asked,
        limited_by=limited_by if replicas != asked else "",
        panic=panic,
        ratio=kpa.ratio(stable, target, case.current),
        reason=f"{measured}, {words.wanted(blank.metric)}, asks for {asked}",
    )


def _apa(
    case: Case, blank: contract.MetricVerdict, stable: contract.Span, mean: contract.Span | None
) -> contract.MetricVerdict:
    target, window = blank.metric.target, words.seconds(case.settings.stable_window)
    value = apa.per_replica(stable, mean if blank.metric.form is contract.Form.PODS else None, case.current)
    if value is None:
        asked, ratio = rounding.up(stable.low / target), None
        measured = f"{words.span(stable)} over {window}"
    else:
        asked, ratio = apa.ask(value, target, case.current, case.band(blank.metric)), apa.ratio(value, target)
        measured = f"{words.span(value)} for each replica over {window}"
    replicas, limited_by = case.limits.cut(asked)
    return dataclasses.replace(
        blank,
        replicas=replicas,
        asked=asked,
        limited_by=limited_by,
        stable=value or stable,
        ratio=ratio,
        reason=f"{measured}, {words.wanted(blank.metric, of='')}, asks for {asked}",
    )


def _hpa(
    case: Case, blank: contract.MetricVerdict, total: contract.Span, mean: contract.Span | None
) -> contract.MetricVerdict:
    target = blank.metric.target
    asked = hpa.ask(total, mean, target, case.current, case.band(blank.metric))
    replicas, limited_by = case.limits.cut(asked)
    return dataclasses.replace(
        blank,
        replicas=replicas,
        asked=asked,
        limited_by=limited_by,
        stable=mean or apa.per_replica(total, None, case.current) or total,
        ratio=hpa.ratio(total, mean, target, case.current),
        reason=f"{words.span(total)} now, target {words.amount(target)} for each replica, asks for {asked}",
    )
