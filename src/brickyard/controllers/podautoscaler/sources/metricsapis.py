"""The metrics APIs of the cluster, by whoever serves them there.

    metricSourceType            API                       value, and what targetValue is in
    resource                    metrics.k8s.io            containers added up: cpu in thousandths of a core, memory in bytes
    custom                      custom.metrics.k8s.io     of each pod, in the metric's own unit
    external without endpoint   external.metrics.k8s.io   all items in the autoscaler's namespace added up

Each is asked once per metric and pass, by the target's selector, whatever the number of pods. A measurement that is older than ``STALE``
is missing: whoever serves the API shows the last one for as long as it likes.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import types
from brickyard.controllers.podautoscaler.sources import contract, fetching, found, looks, observing, units
from brickyard.kube.client import contract as client_contract
from brickyard.kube.client import errors
from brickyard.kube.objects import errors as object_errors
from brickyard.kube.objects import meta, quantities
from brickyard.lib import timestamps
from brickyard.scaling import contract as scaling

STALE: Final = looks.STALE
CPU: Final = "cpu"
MILLICORES: Final = 1000
_CUSTOM: Final = "custom.metrics.k8s.io"
_CUSTOM_VERSIONS: Final = ("v1beta2", "v1beta1")
_EXTERNAL: Final = "external.metrics.k8s.io"

Item = Mapping[str, Any]


class MetricsApis:
    """Fills ``contract.Source`` for the three types."""

    def __init__(self, client: client_contract.Client, known: units.Units, deadline: float) -> None:
        """``deadline``: seconds for one answer."""
        self._client = client
        self._units = known
        self._deadline = deadline

    async def observe(self, wanted: contract.Wanted, now: float) -> scaling.Observation:
        kind = wanted.source.metric_source_type
        try:
            async with asyncio.timeout(self._deadline):
                if kind == types.SOURCE_RESOURCE:
                    return await self._resource(wanted, now)
                if kind == types.SOURCE_CUSTOM:
                    return await self._custom(wanted, now)
                return await self._external(wanted, now)
        except TimeoutError:
            return observing.nothing(wanted, f"{_api(kind)} did not answer within {self._deadline:g} s", now)
        except errors.KubeError as error:
            return observing.nothing(wanted, _refused(kind, error), now)

    async def _resource(self, wanted: contract.Wanted, now: float) -> scaling.Observation:
        resource = wanted.source.target_metric
        items = await self._list(resources.POD_METRICS, wanted)
        scale = MILLICORES if resource == CPU else 1
        answers = {meta.name(item): _dated(item, now, lambda item: _usage(item, resource) * scale) for item in items}
        unit = units.Unit(1.0, _reminder(resource, wanted.metric.target))
        return observing.of_pods(wanted, _asked(wanted, answers, _api(types.SOURCE_RESOURCE)), unit, now)

    async def _custom(self, wanted: contract.Wanted, now: float) -> scaling.Observation:
        name = wanted.source.target_metric
        plural = f"pods/*/{urllib.parse.quote(name, safe='')}"
        items = await self._either(plural, wanted)
        answers = {_described(item): _dated(item, now, _value) for item in items}
        numbers = [each.number for each in answers.values() if isinstance(each.number, float)]
        unit = self._units.judge(name, wanted.metric.target, numbers)
        return observing.of_pods(wanted, _asked(wanted, answers, _api(types.SOURCE_CUSTOM)), unit, now)

    async def _either(self, plural: str, wanted: contract.Wanted) -> Sequence[Item]:
        """By the newest version of the API that is served: adapters in use serve either."""
        newest, *older = (resources.ResourceType(_CUSTOM, each, plural, "MetricValue") for each in _CUSTOM_VERSIONS)
        try:
            return await self._list(newest, wanted)
        except errors.NotFound:
            return await self._list(older[0], wanted)

    async def _external(self, wanted: contract.Wanted, now: float) -> scaling.Observation:
        name = wanted.source.target_metric
        kind = resources.ResourceType(_EXTERNAL, "v1beta1", urllib.parse.quote(name, safe=""), "ExternalMetricValue")
        found_items = await self._client.list(kind, client_contract.Query(namespace=wanted.namespace))
        answers = [_dated(item, now, _value) for item in found_items.items]
        if not answers:
            return observing.nothing(wanted, f"{_EXTERNAL} has no value of {name} in {wanted.namespace}", now)
        numbers = [each.number for each in answers if isinstance(each.number, float)]
        if len(numbers) < len(answers):
            return observing.of_whole(
                wanted, next(each for each in answers if not isinstance(each.number, float)), units.AS_IT_IS, now
            )
        unit = self._units.judge(name, wanted.metric.target, numbers)
        total = sum(numbers) / (len(numbers) if units.is_share(name) else 1)
        return observing.of_whole(wanted, fetching.Answer(total, min(each.at for each in answers)), unit, now)

    async def _list(self, kind: resources.ResourceType, wanted: contract.Wanted) -> Sequence[Item]:
        query = client_contract.Query(namespace=wanted.namespace, label_selector=wanted.selector)
        return (await self._client.list(kind, query)).items


def _api(kind: str) -> str:
    if kind == types.SOURCE_RESOURCE:
        return resources.POD_METRICS.group
    return _CUSTOM if kind == types.SOURCE_CUSTOM else _EXTERNAL


def _refused(kind: str, error: errors.KubeError) -> str:
    """The API's own words, and what to do about them."""
    remedy = {
        types.SOURCE_RESOURCE: "install metrics-server",
        types.SOURCE_CUSTOM: "install an adapter that serves it, such as prometheus-adapter, or use type pod",
    }.get(kind, "install an adapter that serves it, or name an endpoint")
    if isinstance(error, errors.NotFound):
        return f"{_api(kind)} is not served or does not know the metric ({error}): {remedy}"
    return f"{_api(kind)}: {error}"


def _asked(wanted: contract.Wanted, answers: Mapping[str, fetching.Answer], api: str) -> dict[str, fetching.Answer]:
    """``answers`` of the pods that are ready; those that are not told of are missing."""
    unknown = fetching.Answer(found.Absent(f"{api} does not tell of this pod yet"))
    names = (meta.name(pod) for pod in wanted.pods if observing.ready(pod))
    return {name: answers.get(name, unknown) for name in names}


def _dated(item: Item, now: float, read: Callable[[Item], float]) -> fetching.Answer:
    """What ``read`` makes of an item, where it is new enough and can be read."""
    try:
        at = timestamps.parse_rfc3339(item.get("timestamp") or "")
    except ValueError:
        at = now
    if now - at > STALE:
        return fetching.Answer(
            found.Absent(f"its newest measurement is {now - at:.0f} s old: whoever measured it has stopped"), at
        )
    try:
        return fetching.Answer(found.checked(read(item)), at)
    except (KeyError, TypeError, object_errors.QuantityError) as error:
        return fetching.Answer(found.Absent(f"the metrics API tells no number: {error}"), at)


def _usage(item: Item, resource: str) -> float:
    used = [quantities.parse((container.get("usage") or {})[resource]) for container in item.get("containers") or ()]
    if not used:
        raise KeyError("containers")
    return float(sum(used, Decimal(0)))


def _value(item: Item) -> float:
    return float(quantities.parse(item["value"]))


def _described(item: Item) -> str:
    return str((item.get("describedObject") or {}).get("name") or "")


def _reminder(resource: str, target: float) -> str:
    """A target that looks like percent is none here, and would scale to the largest size at once."""
    if resource == CPU and target <= 100:
        return f"targetValue {target:g} of cpu is in thousandths of a core, not percent (1000 is one core)"
    if resource != CPU and target < 2**20:
        return f"targetValue {target:g} of {resource} is in bytes, not percent"
    return ""
