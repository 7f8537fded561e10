"""Where metrics come from: the metrics APIs of Kubernetes, by whoever serves them here, and what a target's scale is.

``metrics.k8s.io`` tells what pods use, ``custom.metrics.k8s.io`` what they and other objects report, ``external.metrics.k8s.io`` the rest.
One that is not served makes its metrics unmeasurable, and the autoscaler says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import orjson

from brickyard.api.kinds import resources
from brickyard.embedded.builtin.hpa import metrics, proposals
from brickyard.kube.client import contract, errors
from brickyard.kube.objects import selectors

DEADLINE = 10.0
"""Seconds for one answer."""
LIMIT = 32 * 2**20
"""Most bytes of one."""

_USAGE = "/apis/metrics.k8s.io/v1beta1"
_CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2"
_EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1"


async def read(client: contract.Client, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON object at ``path``.

    Raises:
        KubeError: the API refuses, or is away.
        UnmeasuredError: the answer is too long or too late, or no JSON object.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(DEADLINE):
            chunks = await client.stream(path, dict(params or {}))
            async for chunk in chunks:
                body += chunk
                if len(body) > LIMIT:
                    break
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
        found = orjson.loads(body)
    except (TimeoutError, orjson.JSONDecodeError) as error:
        raise proposals.UnmeasuredError(f"{path} gives no usable answer") from error
    if not isinstance(found, dict):
        raise proposals.UnmeasuredError(f"{path} gives no object")
    return found


async def kind_of(client: contract.Client, reference: Mapping[str, Any]) -> resources.ResourceType:
    """The type that a reference's ``apiVersion`` and ``kind`` name.

    Raises:
        UnmeasuredError: nothing of that name is served.
    """
    version = reference.get("apiVersion") or "v1"
    group, _, number = version.rpartition("/")
    served: dict[str, Any] = {}
    with contextlib.suppress(errors.NotFound):
        served = await read(client, f"/apis/{version}" if group else f"/api/{version}")
    for each in served.get("resources") or ():
        if each["kind"] == reference["kind"] and "/" not in each["name"]:
            return resources.ResourceType(group, number, each["name"], each["kind"], each["namespaced"])
    raise proposals.UnmeasuredError(f"no matches for kind {reference['kind']!r} in {version!r}")


class Sources:
    """Reads the numbers of metrics for one namespace at a time."""

    def __init__(self, client: contract.Client) -> None:
        self._client = client

    async def of_pods(self, metric: Mapping[str, Any], namespace: str, selector: str) -> dict[str, int]:
        """What each pod measures, in thousandths: Resource, ContainerResource, Pods. Raises as ``read``."""
        source = metric[metrics.FIELDS[metric["type"]]]
        if metric["type"] != "Pods":
            found = await read(self._client, f"{_USAGE}/namespaces/{namespace}/pods", {"labelSelector": selector})
            return metrics.usage(found.get("items") or (), source["name"], source.get("container", ""))
        path = f"{_CUSTOM}/namespaces/{namespace}/pods/*/{source['metric']['name']}"
        found = await read(self._client, path, {"labelSelector": selector, **_narrowed(source, "metricLabelSelector")})
        return {each["describedObject"]["name"]: metrics.milli(each["value"]) for each in found.get("items") or ()}

    async def of_whole(self, metric: Mapping[str, Any], namespace: str) -> int:
        """The one value of an Object or External metric, in thousandths. Raises as ``read``, and where there is no value."""
        source = metric[metrics.FIELDS[metric["type"]]]
        name = source["metric"]["name"]
        if metric["type"] == "External":
            path, narrowed = f"{_EXTERNAL}/namespaces/{namespace}/{name}", _narrowed(source, "labelSelector")
        else:
            described = source["describedObject"]
            kind = await kind_of(self._client, described)
            plural = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
            path = f"{_CUSTOM}/namespaces/{namespace}/{plural}/{described['name']}/{name}"
            narrowed = _narrowed(source, "metricLabelSelector")
        items = (await read(self._client, path, narrowed)).get("items") or ()
        if not items:
            raise proposals.UnmeasuredError(f"no values of {name}")
        return sum(metrics.milli(each["value"]) for each in items)


def _narrowed(source: Mapping[str, Any], parameter: str) -> dict[str, str]:
    selector = source["metric"].get("selector")
    return {parameter: str(selectors.from_label_selector(selector))} if selector else {}
