"""A recommendation in plain sentences: one line for a condition or an event, several for somebody who asks why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from brickyard.scaling import contract, rounding, words

_STRATEGY: Final = {
    contract.Strategy.KPA: "demand of the whole workload over the target of one replica",
    contract.Strategy.APA: "what each replica does over its target",
    contract.Strategy.HPA: "Kubernetes' formula on what is measured now",
}


def short(made: contract.Recommendation) -> str:
    """One line: where to, for which metric, and what kept it from going further."""
    if made.desired is None:
        return f"stays at {made.current}: no decision, {made.reason}"
    head = f"from {made.current} to {made.desired}" if made.moves else f"stays at {made.current}"
    told = deciding(made)
    why = made.reason if told is None else f"{told.metric.name} {told.reason}"
    limits = "".join(f"; {each.limit.value}: {each.why}" for each in made.steps)
    bounds = f" ({_bounds(made)})" if made.algorithm == contract.BOUNDARY_CHECK else ""
    return f"{head}: {why}{bounds}{limits}"


def deciding(made: contract.Recommendation) -> contract.MetricVerdict | None:
    """The metric that asks for most; the first one of several. None where metrics were not asked or none can say."""
    able = [each for each in made.metrics if each.replicas is not None]
    return max(able, key=lambda each: each.replicas or 0, default=None)


def lines(settings: contract.Settings, made: contract.Recommendation) -> tuple[str, ...]:
    """All of it: what was measured from which pods and over which window, what each metric asks for, what limited it, what comes next."""
    return (*_head(settings, made), *_metrics(settings, made), *_steps(made), *_outcome(made))


def _head(settings: contract.Settings, made: contract.Recommendation) -> Iterator[str]:
    yield f"At {words.moment(made.at)} there were {words.replicas(made.current)}."
    strategy = f"{settings.strategy.value}, {_STRATEGY[settings.strategy]}"
    yield f"Strategy: {strategy}. Bounds: {_bounds(made)}."
    if made.panicking_since is not None:
        lasted = words.seconds(made.at - made.panicking_since)
        yield f"Panic for {lasted}, since {words.moment(made.panicking_since)}: nothing goes down."


def _bounds(made: contract.Recommendation) -> str:
    most = "no maximum" if made.maximum >= rounding.MOST else f"{made.maximum}"
    source = f" of schedule {made.schedule}" if made.schedule else ""
    return f"{made.minimum} to {most}{source}"


def _metrics(settings: contract.Settings, made: contract.Recommendation) -> Iterator[str]:
    if made.algorithm == contract.BOUNDARY_CHECK:
        yield f"Bounds alone decide: {made.reason}. Metrics are not asked."
        return
    for each in made.metrics:
        yield f"{each.metric.name}, target {words.amount(each.metric.target)} for each replica"
        for name, text in _facts(settings, made, each):
            yield f"  {name:<10} {text}"


def _facts(
    settings: contract.Settings, made: contract.Recommendation, told: contract.MetricVerdict
) -> Iterator[tuple[str, str]]:
    yield "now", _now(told)
    if told.missing:
        hidden = told.lacking - len(told.missing)
        yield "unread", "; ".join(told.missing) + (f"; and {words.pods(hidden)} more" if hidden > 0 else "")
    if settings.strategy is not contract.Strategy.HPA and told.stable is not None:
        each = " for each replica" if settings.strategy is contract.Strategy.APA and made.current else ""
        reach = f" (values of the last {words.seconds(told.covered)})" if told.covered < settings.stable_window else ""
        yield f"over {words.seconds(settings.stable_window)}", f"{words.span(told.stable)}{each}{reach}"
    if told.panic is not None:
        yield f"over {words.seconds(settings.panic_window)}", words.span(told.panic)
    if told.ratio is not None:
        yield "that is", f"{words.percent(told.ratio)} of the target {_band(settings, told.metric)}"
    if told.asked is None or told.replicas is None:
        yield "asks for", f"nothing: {told.reason}"
    else:
        cut = f", cut to {told.replicas} by the {told.limited_by}" if told.limited_by else ""
        yield "asks for", f"{words.replicas(told.asked)}{cut}"


def _now(told: contract.MetricVerdict) -> str:
    value = "not read" if told.demand is None else f"{words.span(told.demand)} in all"
    if told.metric.form is contract.Form.WHOLE or not (told.measured or told.unready or told.lacking):
        return value
    counts = [f"{words.pods(told.measured)} measured"]
    if told.unready:
        counts.append(f"{told.unready} not ready")
    if told.lacking:
        counts.append(f"{told.lacking} not measured")
    return f"{value}: {', '.join(counts)}"


def _band(settings: contract.Settings, metric: contract.Metric) -> str:
    if metric.exact:
        return "(exact: no tolerance)"
    return f"(nothing moves from {1 - settings.down_tolerance:.0%} to {1 + settings.up_tolerance:.0%})"


def _steps(made: contract.Recommendation) -> Sequence[str]:
    return [f"{each.limit.value}: {each.before} becomes {each.after}, {each.why}" for each in made.steps]


def _outcome(made: contract.Recommendation) -> Iterator[str]:
    if made.desired is None:
        yield f"Outcome: no decision, {made.reason}. It stays at {made.current}."
    elif made.moves:
        yield f"Outcome: {words.replicas(made.desired)} ({made.reason})."
    else:
        yield f"Outcome: stays at {words.replicas(made.desired)} ({made.reason})."
    if made.excess_burst_capacity is not None:
        room = made.excess_burst_capacity
        yield (
            f"Room for a burst: {words.amount(room)}."
            if room >= 0
            else f"Short of room for a burst by {words.amount(-room)}."
        )
    if made.next_at is not None:
        wait = made.next_at - made.at
        when = f"at {words.moment(made.next_at)}, in {words.seconds(wait)}" if wait > 0 else "with the next pass"
        yield f"Next, if the metrics stay as they are: {when}, {made.next_why}."
