"""A recommendation in plain sentences: one line for a condition or an event, several for somebody who asks why. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from brickyard.scaling import bounds, contract, words

_STRATEGY: Final = {
    contract.Strategy.KPA: "demand of the whole workload over the target of one replica",
    contract.Strategy.APA: "what each replica does over its target",
    contract.Strategy.HPA: "Kubernetes' formula on what is measured now",
}
_RATES: Final = (contract.Limit.UP_RATE, contract.Limit.DOWN_RATE)
_FIRST: Final = 1.0
"""Seconds: what was watched for less is one value."""


def short(made: contract.Recommendation) -> str:
    """One line: where to, for which metric, and what kept it from going further."""
    if made.desired is None:
        return f"stays at {made.current}: no decision, {made.reason}"
    head = f"from {made.current} to {made.desired}" if made.moves else f"stays at {made.current}"
    told = deciding(made)
    why = made.reason if told is None else f"{told.metric.name} {told.reason}{_noted(told)}"
    limits = "".join(f"; {each.limit.value}: {each.why}" for each in made.steps)
    held = f" ({_bounds(made)})" if made.algorithm == contract.BOUNDARY_CHECK else ""
    return f"{head}: {why}{held}{limits}"


def deciding(made: contract.Recommendation) -> contract.MetricVerdict | None:
    """The metric that asks for most; the first one of several. None where metrics were not asked or none can say."""
    able = [each for each in made.metrics if each.replicas is not None]
    return max(able, key=lambda each: each.replicas or 0, default=None)


def lines(settings: contract.Settings, made: contract.Recommendation) -> tuple[str, ...]:
    """All of it: what was measured from which pods and over which window, what each metric asks for, what limited it, what comes next."""
    parts = (_head(settings, made), _metrics(settings, made), _steps(made), _outcome(made), _room(settings, made))
    return (*(line for part in parts for line in part), f"Next: {_next(settings, made)}.")


def _head(settings: contract.Settings, made: contract.Recommendation) -> Iterator[str]:
    verb = "was" if made.current == 1 else "were"
    yield f"At {words.moment(made.at)} there {verb} {words.replicas(made.current)}."
    strategy = f"{settings.strategy.value}, {_STRATEGY[settings.strategy]}"
    yield f"Strategy: {strategy}. Bounds: {_bounds(made)}."
    if made.panicking_since is not None:
        since = words.moment(made.panicking_since)
        lasted = made.at - made.panicking_since
        begun = f"since {since}, for {words.seconds(lasted)}" if lasted >= _FIRST else "from now on"
        yield f"In panic {begun}: nothing goes down."


def _bounds(made: contract.Recommendation) -> str:
    source = f", by schedule {made.schedule}" if made.schedule else ""
    return words.bounds(made.minimum, made.maximum) + source


# What was measured.


def _metrics(settings: contract.Settings, made: contract.Recommendation) -> Iterator[str]:
    if made.algorithm == contract.BOUNDARY_CHECK:
        yield f"Bounds alone decide, metrics are not asked: {made.reason}."
        return
    for each in made.metrics:
        yield f"{each.metric.name}, {words.wanted(each.metric)}"
        for name, text in _facts(settings, made, each):
            yield f"  {name:<10} {text}"


def _facts(
    settings: contract.Settings, made: contract.Recommendation, told: contract.MetricVerdict
) -> Iterator[tuple[str, str]]:
    yield "now", _now(told)
    for note in told.notes:
        yield "note", note
    if told.missing:
        hidden = told.lacking - len(told.missing)
        yield "unread", "; ".join(told.missing) + (f"; and {words.pods(hidden)} more" if hidden > 0 else "")
    yield from _windows(settings, made, told)
    if told.ratio is not None and not told.metric.presence:
        yield "that is", f"{words.percent(told.ratio)} of the target {_band(settings, told.metric)}"
    if told.asked is None or told.replicas is None:
        yield "no answer", told.reason
    else:
        cut = f"; the {told.limited_by} allows {told.replicas} in one step" if told.limited_by else ""
        yield "asks for", f"{words.replicas(told.asked)}{cut}"


def _windows(
    settings: contract.Settings, made: contract.Recommendation, told: contract.MetricVerdict
) -> Iterator[tuple[str, str]]:
    if settings.strategy is not contract.Strategy.HPA and told.stable is not None:
        each = " for each replica" if settings.strategy is contract.Strategy.APA and made.current else ""
        yield (
            f"over {words.seconds(settings.stable_window)}",
            f"{words.span(told.stable)}{each}{_reach(settings, told)}",
        )
    if told.panic is not None:
        yield f"over {words.seconds(settings.panic_window)}", words.span(told.panic)


def _reach(settings: contract.Settings, told: contract.MetricVerdict) -> str:
    if told.covered >= settings.stable_window:
        return ""
    return f" (watched for {words.seconds(told.covered)} so far)" if told.covered >= _FIRST else " (the first value)"


def _now(told: contract.MetricVerdict) -> str:
    value = "not read" if told.demand is None else f"{words.span(told.demand)} in all"
    if told.metric.form is contract.Form.WHOLE:
        return value
    if told.demand is not None and told.measured > 1:
        value += f", {words.amount(told.demand.low / told.measured)} each"
    counts = ((told.measured, "measured"), (told.unready, "not ready"), (told.lacking, "not measured"))
    first, *others = [(count, what) for count, what in counts if count] or [(0, "")]
    if not first[0]:
        return value
    return ", ".join((f"{value}: {words.pods(first[0])} {first[1]}", *(f"{count} {what}" for count, what in others)))


def _band(settings: contract.Settings, metric: contract.Metric) -> str:
    if metric.exact:
        return "(exact: no tolerance)"
    low, high = words.share(1 - settings.down_tolerance), words.share(1 + settings.up_tolerance)
    return f"(nothing moves from {low} to {high})"


def _noted(told: contract.MetricVerdict) -> str:
    return f" ({'; '.join(told.notes)})" if told.notes else ""


# What came of it.


def _steps(made: contract.Recommendation) -> Iterator[str]:
    for each in made.steps:
        name = each.limit.value
        yield f"{name[0].upper()}{name[1:]}: {each.after} instead of {each.before}, because {each.why}."


def _outcome(made: contract.Recommendation) -> Iterator[str]:
    if made.desired is None:
        why = "no metric could be read" if made.metrics else made.reason  # why, each metric has told already
        yield f"Outcome: no decision, so it stays at {words.replicas(made.current)}: {why}."
    elif made.moves:
        yield f"Outcome: from {made.current} to {words.replicas(made.desired)} ({made.reason})."
    else:
        yield f"Outcome: stays at {words.replicas(made.desired)} ({made.reason})."


def _room(settings: contract.Settings, made: contract.Recommendation) -> Iterator[str]:
    if made.excess_burst_capacity is None:
        return
    room, alone = made.excess_burst_capacity, len(made.metrics) == 1
    amount = words.amount(abs(room)) + (f" of {made.metrics[0].metric.name}" if alone else "")
    on_top = f"on top of the last {words.seconds(settings.panic_window)}"
    yield f"Room for a burst {on_top}: {amount}." if room >= 0 else f"Short of room {on_top}: {amount}."


# What comes next.


def _next(settings: contract.Settings, made: contract.Recommendation) -> str:
    if made.next_at is not None:
        wait = made.next_at - made.at
        when = f"in {words.seconds(wait)}, at {words.moment(made.next_at)}" if wait > 0 else "with the next look"
        return f"if the metrics stay as they are, {when}, {made.next_why}"
    if made.reason == bounds.DISABLED:
        return (
            "nothing by itself, since the minimum is above 0 and somebody set 0: scale it to 1 to have it scaled again"
        )
    if made.desired is None:
        return "with the first look that reads a metric there is a decision"
    if made.algorithm == contract.BOUNDARY_CHECK and made.moves:
        return "metrics decide from the next look on"
    if made.desired == 0:
        return "it sleeps until a metric asks for replicas"
    return _held(settings, made) or "nothing changes until the metrics do"


def _held(settings: contract.Settings, made: contract.Recommendation) -> str:
    """What has to happen before it changes, where time alone is not enough; "" where nothing in particular."""
    limits = {each.limit for each in made.steps}
    if contract.Limit.UNKNOWN in limits:
        unread = ", ".join(each.metric.name for each in made.metrics if each.replicas is None)
        return f"nothing goes down until {unread} can be read"
    if contract.Limit.PANIC in limits:
        return f"nothing goes down while the rush lasts, and for {words.seconds(settings.stable_window)} after it"
    last = made.steps[-1].limit if made.steps else None
    if last in _RATES and made.asked is not None:
        return f"it goes on towards {words.replicas(made.asked)} as soon as the rate allows it"
    if last is contract.Limit.MAXIMUM and made.asked is not None:
        return f"it goes towards {words.replicas(made.asked)} when the maximum allows it"
    if not made.moves and any(_straddles(settings, each) for each in made.metrics):
        return "nothing goes down until the pods that were not read can be read"
    return ""


def _straddles(settings: contract.Settings, told: contract.MetricVerdict) -> bool:
    """Whether it would go down if the pods that were not read did nothing."""
    return bool(told.lacking) and told.ratio is not None and told.ratio.low < 1 - settings.down_tolerance
