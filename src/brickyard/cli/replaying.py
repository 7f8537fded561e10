"""From a replay's options to its plans, and from its outcomes to tables, curves and JSON.

Settings are read as the controller reads them: a PodAutoscaler is taken from a manifest or made of the options, and ``scaling.settings``
reads it. What it complains of ends the command.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from rich.table import Table

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import texts
from brickyard.cli import curves, sources
from brickyard.lib import errors
from brickyard.scaling import contract, settings
from brickyard.sim.engine.core import presets
from brickyard.sim.scaling import fleet, measures, outcome, recording, replay, workload

_FIELDS: Final = {
    "min-replicas": "minReplicas",
    "max-replicas": "maxReplicas",
    "observe-window": "observeWindowSeconds",
    "panic-window": "panicWindowSeconds",
}
"""Fields of the spec that hold whole numbers; windows may be written as durations."""
DEFAULT_METRICS: Final = ("num_requests_running=10",)
EVERY: Final = ("HPA", "KPA", "APA")
_MOST: Final = 100
"""Replicas, where options do not say."""
KEYS: Final = (*_FIELDS, *settings.ANNOTATIONS)
HEADS: Final = (
    *("settings", "late or lost", "TTFT p50 s", "p99 s", "replica hours", "changes", "oscillations"),
    *("too few min", "too many min", "most waiting"),
)
_TALL: Final = 1.5
"""A bound so many times above everything else would leave nothing of it to see: it is left out of curves."""


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """One way to scale: ``strategy`` ("" for the manifest's) with settings of its own, as ``KPA,panic-threshold=3`` says them."""

    label: str
    strategy: str = ""
    own: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """What is replayed: a file, or the load that ``made_up`` names, for ``seconds``; ``factor`` times as many requests."""

    trace: pathlib.Path | None
    made_up: str = ""
    factor: float = 1.0
    seconds: float = 3600.0
    seed: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Like:
    """What replicas are like: the engine's preset, seconds to start, seconds until a first token is late; how many there are at first."""

    engine: str
    cold_start: float
    limit: float
    replicas: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Ways:
    """How to scale: by the PodAutoscaler in ``manifest`` or by ``metrics``, once for each of ``strategies``; ``shared`` is set for all."""

    manifest: pathlib.Path | None = None
    metrics: Sequence[str] = ()
    strategies: Sequence[str] = ()
    shared: Sequence[str] = ()

    def settings(self) -> list[tuple[str, contract.Settings]]:
        """With their labels.

        Raises:
            UsageError: something in them cannot be.
        """
        if self.manifest is not None and self.metrics:
            raise errors.UsageError("the manifest names its metrics", hint="leave --metric out, or -f")
        base = _of_manifest(self.manifest) if self.manifest else autoscaler(self.metrics or DEFAULT_METRICS, _MOST)
        unnamed = [Choice(base["metadata"]["name"])] if self.manifest else [choice(each) for each in EVERY]
        shared = dict(pair(each) for each in self.shared)
        chosen = [choice(each) for each in self.strategies] or unnamed
        return [(each.label, read(base, each, shared)) for each in chosen]


def _of_manifest(path: pathlib.Path) -> dict[str, Any]:
    found = [
        obj
        for _, obj in sources.objects([str(path)], namespace=None, recursive=False)
        if obj["kind"] == "PodAutoscaler"
    ]
    if len(found) != 1:
        raise errors.UsageError(
            f"{path} has {len(found)} PodAutoscalers", hint="give a manifest with the one to replay"
        )
    return dict(found[0])


def run(source: Source, like: Like, ways: Ways) -> tuple[str, list[outcome.Outcome]]:
    """What it is, in words, and what came of each way to scale.

    Raises:
        UsageError, ReplayError, ParamsError: something in them cannot be.
    """
    chosen = ways.settings()
    given = _given(source)
    if isinstance(given, recording.Recording):
        plans = [recording.Plan(label, each, like.cold_start) for label, each in chosen]
        return f"{given.name}, recorded demand, cold start {like.cold_start:g} s", [
            recording.run(given, each) for each in plans
        ]
    build = fleet.Build(presets.preset(like.engine), like.cold_start)
    ordered = [replay.Plan(label, each, build, limit=like.limit, replicas=like.replicas) for label, each in chosen]
    load = given.times(source.factor, source.seed)
    if source.trace is not None:
        load = load.shaken(source.seed)
    title = f"{load.name}, {len(load.arrivals)} requests, {like.engine}, cold start {like.cold_start:g} s"
    return title, replay.side_by_side(load, ordered)


def _given(source: Source) -> workload.Load | recording.Recording:
    if bool(source.made_up) == (source.trace is not None):
        raise errors.UsageError("what is to be replayed?", hint="give --trace FILE, or --load constant:5")
    if source.trace is None:
        return workload.make(source.made_up, workload.Shape(source.seconds, seed=source.seed))
    try:
        text = source.trace.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UsageError(
            f"{source.trace} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    page = _page(text)
    return (
        workload.read(text.splitlines(), source.trace.name) if page is None else recording.read(page, source.trace.name)
    )


def _page(text: str) -> Any:
    """The JSON document that ``text`` is when it is an autoscaler's page, else None."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None  # JSON lines
    return document if recording.of_page(document) else None


def choice(text: str) -> Choice:
    """The choice that ``text`` says.

    Raises:
        UsageError: there is no such strategy or setting.
    """
    strategy, *rest = (each.strip() for each in text.split(","))
    if strategy.upper() not in contract.Strategy.__members__:
        known = ", ".join(contract.Strategy.__members__)
        raise errors.UsageError(
            f"there is no strategy {strategy!r}", hint=f"{known}; its own settings follow: KPA,panic-threshold=3"
        )
    return Choice(text, strategy.upper(), dict(pair(each) for each in rest))


def pair(text: str) -> tuple[str, str]:
    """``key=value``.

    Raises:
        UsageError: it is none, or there is no such setting.
    """
    key, _, value = (each.strip() for each in text.partition("="))
    if not (key and value):
        raise errors.UsageError(f"{text!r} is no setting", hint="write it as key=value, such as panic-threshold=3")
    if key not in KEYS:
        raise errors.UsageError(f"there is no setting {key!r}", hint=f"there are {', '.join(KEYS)}")
    return key, value


def metric(text: str) -> dict[str, str]:
    """A metric source of ``NAME=TARGET``.

    Raises:
        UsageError: it is none.
        ReplayError: there is no such metric in a replay, or its target is none.
    """
    name, _, target = (each.strip() for each in text.partition("="))
    try:
        known = measures.metric(name, texts.number(target))
    except ValueError as error:
        raise errors.UsageError(
            f"{text!r} is no metric", hint="write NAME=TARGET, such as num_requests_running=10"
        ) from error
    source = {"targetMetric": name, "targetValue": target, "protocolType": "http", "path": "/metrics"}
    if known.form is contract.Form.WHOLE:
        return source | {"metricSourceType": "external", "endpoint": "gateway:8888"}
    return source | {"metricSourceType": "pod", "port": "8000"}


def autoscaler(metrics: Sequence[str], maximum: int) -> dict[str, Any]:
    """A PodAutoscaler of options."""
    return {
        "apiVersion": resources.POD_AUTOSCALER.api_version,
        "kind": "PodAutoscaler",
        "metadata": {"name": "replay", "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "replay"},
            "minReplicas": 1,
            "maxReplicas": maximum,
            "metricsSources": [metric(each) for each in metrics],
        },
    }


def read(base: Mapping[str, Any], chosen: Choice, shared: Mapping[str, str]) -> contract.Settings:
    """``base`` with what is set for all, and what ``chosen`` sets for itself.

    Raises:
        UsageError: the controller would not take something of it.
        ReplayError: it scales by a metric that a replay does not have.
    """
    obj = copy.deepcopy(dict(base))
    spec = obj.setdefault("spec", {})
    if chosen.strategy:
        spec["scalingStrategy"] = chosen.strategy
    annotations = obj.setdefault("metadata", {}).setdefault("annotations", {})
    for key, value in {**shared, **chosen.own}.items():
        if key in _FIELDS:
            spec[_FIELDS[key]] = _whole(key, value)
        else:
            annotations[names.AUTOSCALING_PREFIX + key] = value
    found, problems = settings.read(obj)
    if problems:
        raise errors.UsageError(f"{chosen.label}: " + "; ".join(f"{each.where}: {each.text}" for each in problems))
    if not found.metrics:
        raise errors.UsageError(
            f"{chosen.label}: there is no metric to scale by", hint="--metric num_requests_running=10"
        )
    for each in found.metrics:
        measures.metric(each.name, each.target)
    return found


def _whole(key: str, text: str) -> int:
    try:
        value = texts.seconds(text) if key.endswith("window") and not text.isdecimal() else float(text)
    except ValueError as error:
        raise errors.UsageError(f"{key}={text}: {error}") from error
    if not value.is_integer():
        raise errors.UsageError(f"{key}={text} is no whole number")
    return int(value)


def seconds(text: str) -> float:
    """Of an option such as ``120s`` or ``2m``; a plain number is seconds.

    Raises:
        UsageError: it is none.
    """
    try:
        return float(text) if text.replace(".", "", 1).isdecimal() else texts.seconds(text)
    except ValueError as error:
        raise errors.UsageError(str(error)) from error


def rows(found: Sequence[outcome.Outcome]) -> list[tuple[str, ...]]:
    """The table's cells."""
    return [
        (
            each.label,
            _shown(each.figures.missed, ".2%"),
            _shown(each.figures.p50, ".2f"),
            _shown(each.figures.p99, ".2f"),
            f"{each.figures.replica_hours:.1f}",
            str(each.figures.events),
            str(each.figures.oscillations),
            f"{each.figures.under / 60:.1f}",
            f"{each.figures.over / 60:.1f}",
            str(each.figures.most_waiting),
        )
        for each in found
    ]


def _shown(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "-"


def table(found: Sequence[outcome.Outcome]) -> Table:
    """For the terminal."""
    # Every column fits into 80 of the terminal's: heads break at their spaces, and one space is between two columns.
    made = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    for place, head in enumerate(HEADS):
        made.add_column(head.replace(" ", "\n"), justify="right" if place else "left", vertical="bottom")
    for row in rows(found):
        made.add_row(*row)
    return made


def chart(title: str, found: Sequence[outcome.Outcome]) -> curves.Chart:
    """Replicas over time for each outcome, with what waited below it."""
    panels = [panel for each in found for panel in _panels(each)]
    calendar = found[0].start if found[0].start > 0 else None
    return curves.Chart(title, panels, calendar)


def _panels(found: outcome.Outcome) -> list[curves.Panel]:
    samples = found.samples
    times = [each.at for each in samples]
    drawn = [
        curves.Line("load", curves.Kind.DEMAND, [each.load for each in samples]),
        curves.Line("ready", curves.Kind.ACTUAL, [float(each.ready) for each in samples], steps=True),
        curves.Line("wanted", curves.Kind.DESIRED, [float(each.wanted) for each in samples], steps=True),
    ]
    drawn += bounds([each.minimum for each in samples], [each.maximum for each in samples], drawn)
    figures = found.figures
    note = (
        f"{_shown(figures.missed, '.2%')} late or lost · {figures.replica_hours:.1f} replica-hours · "
        f"{figures.events} changes · {figures.oscillations} oscillations"
    )
    panic = curves.spans(times, [each.panicking for each in samples])
    queue = curves.Line("", curves.Kind.QUEUE, [float(each.waiting) for each in samples])
    return [
        curves.Panel(found.label, "replicas", times, drawn, panic, note=note),
        curves.Panel("waiting", "requests", times, [queue], weight=1),
    ]


def bounds(least: Sequence[float], most: Sequence[float], beside: Sequence[curves.Line]) -> list[curves.Line]:
    """Bounds as lines, without what nothing of ``beside`` comes near."""
    highest = _TALL * max([1.0, *(value for line in beside for value in line.values if math.isfinite(value))])
    made = []
    for name, values in (("maximum", most), ("minimum", least)):
        near = [value if value <= highest else math.nan for value in values]
        if any(value > 0 for value in near):
            made.append(curves.Line(name, curves.Kind.BOUND, near, steps=True))
    return made


def document(found: Sequence[outcome.Outcome]) -> dict[str, Any]:
    """As JSON-ready data; what is not known is null."""
    return {
        "replays": [
            {
                "label": each.label,
                "strategy": each.settings.strategy.value,
                "start": each.start,
                "period": each.period,
                "figures": {key: known(value) for key, value in dataclasses.asdict(each.figures).items()},
                "samples": [{key: known(value) for key, value in sample._asdict().items()} for sample in each.samples],
                "moves": [
                    {"at": move.at, "from": move.current, "to": move.desired, "reason": move.reason}
                    for move in each.moves
                ],
            }
            for each in found
        ]
    }


def known(value: float) -> float | None:
    """NaN is null in JSON."""
    return value if math.isfinite(value) else None
