"""``metrics.k8s.io``: what pods and the node use, measured by the node agent and dressed as objects here.

An object has the name and labels of the pod or node it is about, so that ``kubectl top -l`` and autoscalers select by them; one that the
store does not know (any more) is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import orjson

from brickyard.api.kinds import resources, usage
from brickyard.embedded.apiserver import answers, drafts, errors, records, selection, shapes
from brickyard.embedded.apiserver.context import Context
from brickyard.kube.objects import quantities
from brickyard.lib import timestamps

_NANO = Decimal(1).scaleb(-9)
_KIBI = 1024


async def answer(
    context: Context, place: drafts.Place, view: shapes.View, wanted: selection.Selection
) -> answers.Answer:
    """The measurements of ``place`` that ``wanted`` selects: a list, or with a name one object.

    Raises:
        UnavailableError: nobody measures here.
        NotFoundError: there is none of that name (yet).
    """
    if context.usages is None:
        about = errors.details(place.kind, place.name)
        raise errors.UnavailableError("this API server has no node agent, and with it nobody who measures", about)
    found = [each for each in await _measured(context, place.kind, context.usages) if wanted.matches(each)]
    if not place.name:
        head, now = view.list_head({}, context.now()), context.now()
        return answers.Answer(b"%s%s]}" % (head, b",".join(view.items(found, now))))
    if not found:
        raise errors.not_found(place.kind, place.name)
    return answers.Answer(view.one(found[0].raw, context.now()))


async def _measured(context: Context, kind: resources.ResourceType, usages: usage.Usages) -> list[records.Record]:
    if kind == resources.NODE_METRICS:
        return list(_of_nodes(context, await usages.nodes()))
    return sorted(_of_pods(context, await usages.pods()), key=lambda each: each.key)


def _of_nodes(context: Context, found: Sequence[usage.NodeUsage]) -> Iterator[records.Record]:
    for each in found:
        node = context.store.get(records.key_of(resources.NODE, "", each.name))
        if node is not None:
            yield _record(resources.NODE_METRICS, node, each, {"usage": _amount(each.amount)})


def _of_pods(context: Context, found: Sequence[usage.PodUsage]) -> Iterator[records.Record]:
    for each in found:
        pod = context.store.get(records.key_of(resources.POD, each.namespace, each.name))
        if pod is not None and pod.uid == each.uid:
            containers = [{"name": name, "usage": _amount(used)} for name, used in each.containers.items()]
            yield _record(resources.POD_METRICS, pod, each, {"containers": containers})


def _record(
    kind: resources.ResourceType,
    about: records.Record,
    measured: usage.PodUsage | usage.NodeUsage,
    fields: dict[str, Any],
) -> records.Record:
    key, at = about.key, timestamps.rfc3339(measured.at)
    meta: dict[str, Any] = {"name": key.name, "creationTimestamp": at, "labels": dict(about.labels)}
    if key.namespace:
        meta["namespace"] = key.namespace
    obj = {
        "kind": kind.kind,
        "apiVersion": kind.api_version,
        "metadata": meta,
        "timestamp": at,
        "window": f"{measured.window:.3f}s",
        **fields,
    }
    return records.load(records.key_of(kind, key.namespace, key.name), 0, orjson.dumps(obj))


def _amount(used: usage.Amount) -> dict[str, str]:
    return {"cpu": cores(Decimal(used.cpu)), "memory": kibibytes(Decimal(used.memory))}


def cores(value: Decimal) -> str:
    """As the metrics server writes it: whole billionths of a core, in the largest unit that fits."""
    return quantities.format_decimal(value.quantize(_NANO))


def kibibytes(value: Decimal) -> str:
    """As the metrics server writes it: ``20480Ki``."""
    return f"{int(value) // _KIBI}Ki"
