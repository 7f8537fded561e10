"""What a PodAutoscaler's spec and annotations ask for. Pure.

    annotation, after autoscaling.aibrix.ai/   default   value
    max-scale-up-rate                          2         number above 1
    max-scale-down-rate                        2         number, at least 1
    scale-up-tolerance                         0.1       number, not negative
    scale-down-tolerance                       0.1       number from 0 to 1
    panic-threshold                            2         number, at least 1
    activation-scale                           1         whole number, at least 1
    target-burst-capacity                      0         number, not negative
    scale-up-cooldown-window                   0s        duration
    scale-down-cooldown-window                 300s      duration
    scale-to-zero                                        true or false, and without effect: spec.minReplicas 0 is what allows it

What cannot be used is a ``contract.Problem``; its default holds, and everything else holds as written. A source without a usable target
has no default: it is left out. Legacy forms are read as ``api.kinds.podautoscaler.legacy`` reads them.

Whether the spec as a whole is valid is for ``api.kinds.podautoscaler.admission`` to say, and nothing may be scaled where it is not.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from brickyard.api import names
from brickyard.api.kinds import resources, shapes
from brickyard.api.kinds.podautoscaler import admission, legacy, schedules, texts, types
from brickyard.scaling import contract

OPTIMIZER_METRIC: Final = "vllm:deployment_replicas"
"""What the GPU optimizer says of a Deployment: replicas, as a percentage of the target."""

_PREFIX: Final = names.AUTOSCALING_PREFIX


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    """An annotation and the setting that it fills."""

    key: str
    field: str
    parse: Callable[[str], float]
    fits: Callable[[float], bool]
    form: str


_ROWS: Final = (
    _Row(names.MAX_SCALE_UP_RATE, "up_rate", texts.number, lambda value: value > 1, "a number above 1"),
    _Row(names.MAX_SCALE_DOWN_RATE, "down_rate", texts.number, lambda value: value >= 1, "a number, at least 1"),
    _Row(names.SCALE_UP_TOLERANCE, "up_tolerance", texts.number, lambda value: value >= 0, "a number such as 0.1"),
    _Row(
        names.SCALE_DOWN_TOLERANCE,
        "down_tolerance",
        texts.number,
        lambda value: 0 <= value <= 1,
        "a number from 0 to 1",
    ),
    _Row(names.PANIC_THRESHOLD, "panic_threshold", texts.number, lambda value: value >= 1, "a number, at least 1"),
    _Row(
        names.ACTIVATION_SCALE,
        "activation_scale",
        texts.whole,
        lambda value: value >= 1,
        "a whole number, at least 1",
    ),
    _Row(
        names.TARGET_BURST_CAPACITY,
        "burst_capacity",
        texts.number,
        lambda value: value >= 0,
        "a number, at least 0",
    ),
    _Row(names.SCALE_UP_COOLDOWN, "up_window", texts.seconds, lambda value: value >= 0, "a duration such as 30s"),
    _Row(names.SCALE_DOWN_COOLDOWN, "down_window", texts.seconds, lambda value: value >= 0, "a duration such as 30s"),
)

ANNOTATIONS: Final[Mapping[str, str]] = {row.key.removeprefix(_PREFIX): row.form for row in _ROWS}
"""What can be set, without the prefix, and what a value must be."""


def read(obj: resources.Object) -> tuple[contract.Settings, tuple[contract.Problem, ...]]:
    """The settings of a PodAutoscaler, and what of it cannot be used. Never raises."""
    problems = [contract.Problem(f"annotation {key}", f"{why}; it has no effect") for key, why in legacy.unusable(obj)]
    today = legacy.convert(obj).obj
    spec = shapes.mapping(today, "spec")
    bounds = _bounds(spec, problems)
    hours = _hours(spec, bounds, problems)
    stable, panic = _windows(spec, problems)
    settings = contract.Settings(
        strategy=_strategy(spec, problems),
        metrics=tuple(_metrics(spec, problems)),
        bounds=bounds,
        stable_window=stable,
        panic_window=panic,
        hours=hours,
        timezone=_timezone(spec) if hours else schedules.UTC,
        **_annotations(today, problems),
    )
    problems += _zero(today, bounds)
    return settings, tuple(problems)


def keys(sources: Sequence[Any]) -> tuple[str, ...]:
    """``Metric.key`` of each of ``spec.metricsSources``, today's form, in order.

    The same source has the same key whatever its target and place; where one is there twice, the later ones are numbered.
    """
    seen: collections.Counter[str] = collections.Counter()
    found = []
    for each in sources:
        key = _key(each)
        seen[key] += 1
        found.append(key if seen[key] == 1 else f"{key}#{seen[key]}")
    return tuple(found)


def _key(source: Any) -> str:
    kind = _kind(source)
    path = shapes.text(source, "path") or ""
    place = [shapes.text(source, each) or "" for each in ("protocolType", "endpoint", "port")]
    page = "" if not path or path.startswith("/") else "/"
    return f"{kind}:{':'.join(filter(None, place))}{page}{path}:{shapes.text(source, 'targetMetric') or ''}"


def _kind(source: Any) -> str:
    kind = shapes.text(source, "metricSourceType") or ""
    return types.SOURCE_EXTERNAL if kind == types.SOURCE_DOMAIN else kind


def _metrics(spec: Mapping[str, Any], problems: list[contract.Problem]) -> Iterator[contract.Metric]:
    sources = shapes.sequence(spec, "metricsSources")
    for index, (key, source) in enumerate(zip(keys(sources), sources, strict=True)):
        name = shapes.text(source, "targetMetric") or ""
        text = shapes.text(source, "targetValue") or ""
        try:
            target = admission.target_value(text)
        except ValueError as error:
            where = f"spec.metricsSources[{index}].targetValue"
            problems.append(contract.Problem(where, f"{text!r} {error}; {name or 'the metric'} is left out"))
            continue
        whole = _kind(source) == types.SOURCE_EXTERNAL
        form = contract.Form.WHOLE if whole else contract.Form.PODS
        yield contract.Metric(key, name, target, form, exact=whole and name == OPTIMIZER_METRIC)


def _annotations(obj: resources.Object, problems: list[contract.Problem]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in _ROWS:
        text = shapes.annotation(obj, row.key)
        if not text:
            continue
        try:
            value = row.parse(text)
        except ValueError:
            value = None
        if value is None or not row.fits(value):
            problems.append(contract.Problem(f"annotation {row.key}", f"{text} is not {row.form}; the default holds"))
        else:
            found[row.field] = value
    return found


def _zero(obj: resources.Object, bounds: schedules.Bounds) -> Iterator[contract.Problem]:
    text = shapes.annotation(obj, names.SCALE_TO_ZERO)
    if not text:
        return
    where = f"annotation {names.SCALE_TO_ZERO}"
    try:
        wanted = texts.truth(text)
    except ValueError as error:
        yield contract.Problem(where, f"{text} {error}; it has no effect either way")
        return
    if wanted and bounds.minimum:
        yield contract.Problem(where, f"has no effect while spec.minReplicas is {bounds.minimum}; write minReplicas: 0")
    elif not wanted and not bounds.minimum:
        yield contract.Problem(where, "has no effect: spec.minReplicas 0 lets the workload go to sleep; write 1")


def _strategy(spec: Mapping[str, Any], problems: list[contract.Problem]) -> contract.Strategy:
    text = shapes.text(spec, "scalingStrategy") or ""
    try:
        return contract.Strategy(text)
    except ValueError:
        problems.append(contract.Problem("spec.scalingStrategy", f"{text!r} is none of HPA, KPA, APA; APA holds"))
        return contract.Strategy.APA


def _bounds(spec: Mapping[str, Any], problems: list[contract.Problem]) -> schedules.Bounds:
    found = schedules.bounds(spec)
    if found.minimum < 0:
        problems.append(contract.Problem("spec.minReplicas", f"{found.minimum} is negative; 1 holds"))
        found = dataclasses.replace(found, minimum=1)
    if found.maximum is None or found.maximum <= 0:
        problems.append(
            contract.Problem("spec.maxReplicas", f"{found.maximum} is no number above 0; the minimum holds")
        )
        found = dataclasses.replace(found, maximum=max(found.minimum, 1))
    elif found.minimum > found.maximum:
        text = f"{found.minimum} is more than spec.maxReplicas {found.maximum}, which holds"
        problems.append(contract.Problem("spec.minReplicas", text))
        found = dataclasses.replace(found, minimum=found.maximum)
    return found


def _windows(spec: Mapping[str, Any], problems: list[contract.Problem]) -> tuple[float, float]:
    stable = _window(spec, "observeWindowSeconds", types.DEFAULT_OBSERVE_WINDOW_SECONDS, problems)
    panic = _window(spec, "panicWindowSeconds", types.DEFAULT_PANIC_WINDOW_SECONDS, problems)
    if panic > stable:
        text = f"{panic} is more than spec.observeWindowSeconds {stable}, which holds"
        problems.append(contract.Problem("spec.panicWindowSeconds", text))
        panic = stable
    return float(stable), float(panic)


def _window(spec: Mapping[str, Any], field: str, default: int, problems: list[contract.Problem]) -> int:
    if shapes.at(spec, field) is None:
        return default
    found = shapes.integer(spec, field)
    if found is not None and 1 <= found <= types.MAX_WINDOW_SECONDS:
        return found
    text = f"{shapes.at(spec, field)} is not a number from 1 to {types.MAX_WINDOW_SECONDS}; {default} holds"
    problems.append(contract.Problem(f"spec.{field}", text))
    return default


def _hours(
    spec: Mapping[str, Any], bounds: schedules.Bounds, problems: list[contract.Problem]
) -> tuple[schedules.Window, ...]:
    entries = shapes.at(spec, "schedules")
    if entries is None:
        return ()
    try:
        return tuple(schedules.windows(shapes.sequence(entries), bounds))
    except schedules.ScheduleError as error:
        problems.append(contract.Problem("spec.schedules", f"{error}; none of them holds"))
        return ()


def _timezone(spec: Mapping[str, Any]) -> str:
    first = next(iter(shapes.sequence(spec, "schedules")), None)
    return shapes.text(first, "timezone") or schedules.UTC
