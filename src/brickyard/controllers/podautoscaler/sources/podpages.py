"""``metricSourceType: pod``: what each pod tells on its own metrics page.

The page is at ``protocolType://podIP:port path``. ``port`` is a number or the name of a container's port. A path without its leading slash
gets one, and ``/metrics`` means the metrics page wherever the pod's engine keeps it: TensorRT-LLM's is at ``/prometheus/metrics``. With
https the pod's certificate is not verified: pods sign for themselves. The engine is what the pod's label ``model.aibrix.ai/engine`` says,
else vLLM; on the page of an engine that nobody knows, series are found by their own names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import types
from brickyard.controllers.podautoscaler.sources import contract, fetching, found, looks, observing, units
from brickyard.kube.objects import meta
from brickyard.scaling import contract as scaling

USUAL: Final = "/metrics"
HIGHEST_PORT: Final = 65535


class _Written(NamedTuple):
    """What a source says, read once for all pods."""

    protocol: str
    port: str
    path: str
    metric: str


def _written(source: types.MetricSource) -> _Written:
    return _Written(source.protocol_type or "http", source.port, source.path, source.target_metric)


class PodPages:
    """Fills ``contract.Source``."""

    def __init__(
        self, fetcher: fetching.Fetcher, finder: looks.Looks, paths: Mapping[str, str], known: units.Units
    ) -> None:
        """``paths``: where each engine keeps its page, by the engine's name."""
        self._fetcher = fetcher
        self._looks = finder
        self._paths = dict(paths)
        self._units = known

    async def observe(self, wanted: contract.Wanted, now: float) -> scaling.Observation:
        source = _written(wanted.source)
        answers: dict[str, fetching.Answer] = {}
        asks: dict[str, fetching.Ask] = {}
        for pod in wanted.pods:
            if observing.ready(pod):
                ask = self._ask(source, pod)
                if isinstance(ask, fetching.Ask):
                    asks[meta.name(pod)] = ask
                else:
                    answers[meta.name(pod)] = fetching.Answer(ask)
        answers.update(zip(asks, await self._fetcher.read(list(asks.values())), strict=True))
        numbers = [each.number for each in answers.values() if isinstance(each.number, float)]
        unit = self._units.judge(source.metric, wanted.metric.target, numbers)
        return observing.of_pods(wanted, answers, unit, now)

    def _ask(self, source: _Written, pod: resources.Object) -> fetching.Ask | found.Absent:
        address = (pod.get("status") or {}).get("podIP")
        if not address:
            return found.Absent("it has no address yet")
        port = port_of(source.port, pod)
        if port is None:
            return found.Absent(
                f"port {source.port!r} is neither a number of 1 to {HIGHEST_PORT} nor the name of a port of its containers"
            )
        engine = _engine(pod)
        path = self._path(source.path, engine)
        host = f"[{address}]" if ":" in address else address
        url = f"{source.protocol}://{host}:{port}{path}"
        return fetching.Ask(meta.uid(pod), url, self._looks.at_pod(source.metric, engine))

    def _path(self, path: str, engine: str) -> str:
        whole = path if path.startswith("/") else f"/{path}"
        return self._paths.get(engine, USUAL) if whole in ("/", USUAL) else whole


def port_of(text: str, pod: resources.Object) -> int | None:
    """The port that a number or a name means in ``pod``; None when it means none."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        port = int(text) if len(text) <= len(str(HIGHEST_PORT)) else 0
        return port if 1 <= port <= HIGHEST_PORT else None
    spec = pod.get("spec") or {}
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        for each in container.get("ports") or ():
            if each.get("name") == text and text:
                return int(each["containerPort"])
    return None


def _engine(pod: resources.Object) -> str:
    return (
        meta.labels(pod).get(names.MODEL_ENGINE)
        or meta.annotations(pod).get(names.MODEL_ENGINE)
        or names.DEFAULT_ENGINE
    )
