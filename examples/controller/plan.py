"""What a ModelAlias asks for, worked out from what is. Pure: no client, no clock, so that tests are tables."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.kube.objects import conditions, meta, owners

MODEL_ALIAS = resources.ResourceType("examples.brickyard.dev", "v1", "modelaliases", "ModelAlias")
MANAGED = "examples.brickyard.dev/managed"
OWNER = "examples.brickyard.dev/alias"
FINALIZER = "examples.brickyard.dev/unpublish"


class Mark(enum.Enum):
    """What happens to our finalizer. It comes before the first ConfigMap that no owner reference can reach."""

    KEEP = "keep"
    ADD = "add"
    REMOVE = "remove"


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """What people are told."""

    severity: str
    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order. ``status`` None: the object is on its way out and has none to write."""

    mark: Mark = Mark.KEEP
    apply: Sequence[resources.Object] = ()
    delete: Sequence[meta.Key] = ()
    status: Mapping[str, Any] | None = None
    events: Sequence[Event] = ()


def plan(alias: resources.Object, pods: Sequence[resources.Object], held: Sequence[resources.Object], now: str) -> Plan:
    """What ``alias`` asks for.

    Args:
        alias: the ModelAlias.
        pods: those that carry its model's label, in its namespace.
        held: the ConfigMaps we made for it, wherever they are.
        now: RFC 3339, for transition times.
    """
    if meta.is_deleting(alias):
        return _ending(alias, held)
    elsewhere = [each for each in _namespaces(alias) if each != meta.namespace(alias)]
    if elsewhere and FINALIZER not in meta.finalizers(alias):
        return Plan(mark=Mark.ADD)
    ready = [each for each in pods if not meta.is_deleting(each) and _is_ready(each)]
    wanted = [_config_map(alias, namespace, ready) for namespace in _namespaces(alias)]
    by_key = {meta.key(each): each for each in held}
    changed = tuple(each for each in wanted if not _says(by_key.get(meta.key(each)), each))
    surplus = tuple(sorted(by_key.keys() - {meta.key(each) for each in wanted}))
    return Plan(
        # Nothing is left that an owner reference does not reach: deletion need not wait for us.
        mark=Mark.REMOVE if FINALIZER in meta.finalizers(alias) and not elsewhere and not surplus else Mark.KEEP,
        apply=changed,
        delete=surplus,
        status=_status(alias, len(ready), now),
        events=_events(alias, len(ready)),
    )


def _ending(alias: resources.Object, held: Sequence[resources.Object]) -> Plan:
    if FINALIZER not in meta.finalizers(alias):
        return Plan()
    left = tuple(sorted(meta.key(each) for each in held))
    # The mark goes in a pass of its own, once the cache shows that nothing is left.
    return Plan(delete=left) if left else Plan(mark=Mark.REMOVE)


def _namespaces(alias: resources.Object) -> list[str]:
    return sorted(set(alias["spec"].get("publishTo") or [meta.namespace(alias)]))


def _is_ready(pod: resources.Object) -> bool:
    return conditions.is_true((pod.get("status") or {}).get("conditions"), "Ready")


def _config_map(alias: resources.Object, namespace: str, ready: Sequence[resources.Object]) -> resources.Object:
    addresses = {meta.name(each): (each.get("status") or {}).get("podIP", "") for each in ready}
    metadata: dict[str, Any] = {
        "name": meta.name(alias),
        "namespace": namespace,
        "labels": {MANAGED: "true"},
        "annotations": {OWNER: str(meta.key(alias))},
    }
    if namespace == meta.namespace(alias):
        metadata["ownerReferences"] = [owners.owner_reference(alias)]
    data = {
        "model": alias["spec"]["model"],
        "pods.json": orjson.dumps(addresses, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2).decode(),
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _says(held: resources.Object | None, wanted: resources.Object) -> bool:
    """Whether ``held`` says all of ``wanted``; what others wrote beside it is theirs."""
    if held is None or held.get("data") != wanted["data"]:
        return False
    found, asked = meta.metadata(held), meta.metadata(wanted)
    marked = asked["labels"].items() <= meta.labels(held).items()
    named = asked["annotations"].items() <= meta.annotations(held).items()
    return marked and named and found.get("ownerReferences") == asked.get("ownerReferences")


def _status(alias: resources.Object, ready: int, now: str) -> dict[str, Any]:
    old = alias.get("status") or {}
    told = conditions.Condition(
        "Ready",
        "True" if ready else "False",
        "PodsReady" if ready else "NoReadyPods",
        f"{ready} ready" if ready else f"no pod labelled {names.MODEL_NAME}={alias['spec']['model']} is ready",
        meta.generation(alias),
    )
    return {
        **old,
        "readyPods": ready,
        "observedGeneration": meta.generation(alias),
        "conditions": conditions.set_condition(old.get("conditions"), told, now),
    }


def _events(alias: resources.Object, ready: int) -> Sequence[Event]:
    """One when readiness comes or goes; numbers that move are in the status."""
    before = bool((alias.get("status") or {}).get("readyPods"))
    if before == bool(ready):
        return ()
    if ready:
        return (Event("Normal", "Published", f"{ready} ready pods of {alias['spec']['model']}"),)
    return (Event("Warning", "NoReadyPods", f"no pod of {alias['spec']['model']} is ready any more"),)
