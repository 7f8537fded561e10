"""Which EndpointSlices a Service needs, made of those it has with as few writes as possible.

Endpoints are grouped by address family and by the numbers their ports resolve to, at most ``CAPACITY`` to a slice:

    | endpoint                                | what happens                                                           |
    |-----------------------------------------|------------------------------------------------------------------------|
    | in a slice and still wanted             | stays in that slice, brought up to date                                |
    | in a slice and no longer wanted         | leaves it                                                              |
    | wanted and in no slice                  | fills slices that are written anyway, then the fullest untouched slice |
    |                                         | that takes all the rest, then new slices                               |

    | slice                                   | what happens                                                           |
    |-----------------------------------------|------------------------------------------------------------------------|
    | without endpoints                       | becomes the next new slice of its family, else is deleted              |
    | the family's last                       | stays, empty: a Service that has no endpoints says so                  |
    | of a former Service of this name        | deleted                                                                |

Names of new slices follow from the Service and its slices, so that a stale pass asks for names that exist and is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from brickyard.api import names as keys
from brickyard.api.kinds import resources
from brickyard.embedded.builtin.service import endpoints
from brickyard.kube.objects import meta, names, owners, selectors

CAPACITY = 100
SERVICE_NAME = keys.SERVICE_OF_SLICE
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"

_SUFFIX = 5

Endpoints = dict[str, dict[str, Any]]
"""Endpoints by the uid of their pod, in the order in which they are written."""
Ports = tuple[endpoints.Port, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """A Service, its namespace's pods (those that its selector does not match are ignored) and the slices labelled with its name."""

    service: resources.Object
    pods: Sequence[resources.Object]
    slices: Sequence[resources.Object]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Whole slices to create and to replace, and slices to delete."""

    reason: str
    create: tuple[resources.Object, ...] = ()
    update: tuple[resources.Object, ...] = ()
    delete: tuple[resources.Object, ...] = ()


@dataclasses.dataclass(slots=True)
class _Slice:
    """A slice while it is being worked on; ``stored`` is None for one that is to be created."""

    ports: Ports
    endpoints: Endpoints
    stored: resources.Object | None = None
    touched: bool = False

    @property
    def room(self) -> int:
        return CAPACITY - len(self.endpoints)

    def take(self, waiting: Endpoints) -> None:
        """Move as many of ``waiting`` here as fit."""
        for uid in list(waiting)[: self.room]:
            self.endpoints[uid] = waiting.pop(uid)
            self.touched = True


def selects(service: resources.Object) -> bool:
    """Whether the endpoints of the Service are ours to keep."""
    return bool(service["spec"].get("selector")) and service["spec"].get("type") != "ExternalName"


def plan(snapshot: Snapshot) -> Plan:
    """The writes that make the slices equal to the pods."""
    service = snapshot.service
    if not selects(service):
        return Plan("no selector: slices belong to somebody else")
    if meta.is_deleting(service):
        return Plan("being deleted: the garbage collector takes the slices")
    managed = [each for each in snapshot.slices if meta.labels(each).get(MANAGED_BY) == MANAGER]
    mine = [each for each in managed if owners.is_owned_by(each, service)]
    families = tuple(service["spec"].get("ipFamilies") or ("IPv4",))
    selector = selectors.from_map(service["spec"]["selector"])
    pods = sorted((pod for pod in snapshot.pods if selector.matches(meta.labels(pod))), key=meta.name)
    create: list[resources.Object] = []
    update: list[resources.Object] = []
    delete = [each for each in managed if each not in mine or each.get("addressType") not in families]
    for family in families:
        stored = sorted((each for each in mine if each.get("addressType") == family), key=meta.name)
        wanted, spare = _arrange(stored, _group(service, pods, family))
        taken = {meta.name(each) for each in managed}
        new_names = _free_names(service, family, taken)
        create += [_new(service, family, each, next(new_names)) for each in wanted if each.stored is None]
        update += [changed for each in wanted if (changed := _changed(service, each)) is not None]
        delete += spare
    return Plan("slices follow the pods", tuple(create), tuple(update), tuple(delete))


def _group(service: resources.Object, pods: Iterable[resources.Object], family: str) -> dict[Ports, Endpoints]:
    groups: dict[Ports, Endpoints] = {}
    for pod in pods:
        found = endpoints.endpoint(service, pod, family)
        if found is not None:
            groups.setdefault(endpoints.ports(service, pod), {})[meta.uid(pod)] = found
    return groups


def _ports_of(stored: resources.Object) -> Ports:
    return tuple(sorted(map(endpoints.port_of, stored.get("ports") or ())))


def _arrange(
    stored: Sequence[resources.Object], groups: Mapping[Ports, Endpoints]
) -> tuple[list[_Slice], list[resources.Object]]:
    """The slices of one family as they should be, and the stored ones that nobody needs."""
    used: list[_Slice] = []
    empty: list[resources.Object] = []
    waiting: dict[Ports, Endpoints] = {ports: dict(group) for ports, group in groups.items()}
    for each in stored:
        kept = _keep(each, waiting.get(_ports_of(each), {}))
        if kept.endpoints:
            used.append(kept)
        else:
            empty.append(each)
    for ports, rest in waiting.items():
        new = _place([each for each in used if each.ports == ports], ports, rest)
        for fresh in new:
            fresh.stored = empty.pop(0) if empty else None
        used += new
    if not used:
        used.append(_Slice(ports=(), endpoints={}, stored=empty.pop(0) if empty else None))
    return used, empty


def _keep(stored: resources.Object, waiting: Endpoints) -> _Slice:
    """The stored slice with the endpoints that stay; they are taken out of ``waiting``."""
    kept: Endpoints = {}
    touched = False
    for old in stored.get("endpoints") or ():
        uid = (old.get("targetRef") or {}).get("uid", "")
        current = waiting.pop(uid, None)
        touched = touched or current != old
        if current is not None:
            kept[uid] = current
    return _Slice(_ports_of(stored), kept, stored, touched)


def _place(used: Sequence[_Slice], ports: Ports, waiting: Endpoints) -> list[_Slice]:
    """Put ``waiting`` into ``used``, as the table above says; the slices that it takes beyond those are returned."""
    for each in used:
        if each.touched:
            each.take(waiting)
    fitting = [each for each in used if each.room >= len(waiting)]
    if waiting and fitting:
        min(fitting, key=lambda each: each.room).take(waiting)
    new: list[_Slice] = []
    while waiting:
        new.append(_Slice(ports, {}))
        new[-1].take(waiting)
    return new


# --------------------------------------------------------------------------------------------------------------- bodies


def _labels(service: resources.Object) -> dict[str, str]:
    theirs = {
        key: text for key, text in meta.labels(service).items() if key not in (SERVICE_NAME, MANAGED_BY, HEADLESS)
    }
    headless = {HEADLESS: ""} if service["spec"].get("clusterIP") == "None" else {}
    return {**theirs, **headless, SERVICE_NAME: meta.name(service), MANAGED_BY: MANAGER}


def _content(service: resources.Object, arranged: _Slice) -> dict[str, Any]:
    return {
        "labels": _labels(service),
        "endpoints": list(arranged.endpoints.values()),
        "ports": [each.body() for each in arranged.ports],
    }


def _changed(service: resources.Object, arranged: _Slice) -> resources.Object | None:
    """The stored slice with its new content; None when it has that already."""
    stored = arranged.stored
    if stored is None:
        return None
    content = _content(service, arranged)
    current = {
        "labels": dict(meta.labels(stored)),
        "endpoints": list(stored.get("endpoints") or ()),
        "ports": [each.body() for each in _ports_of(stored)],
    }
    if content == current:
        return None
    metadata = {**stored["metadata"], "labels": content["labels"]}
    return {**stored, "metadata": metadata, "endpoints": content["endpoints"], "ports": content["ports"]}


def _new(service: resources.Object, family: str, arranged: _Slice, name: str) -> resources.Object:
    content = _content(service, arranged)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "generateName": f"{meta.name(service)}-",
            "namespace": meta.namespace(service),
            "labels": content["labels"],
            "ownerReferences": [owners.owner_reference(service, controller=True)],
        },
        "addressType": family,
        "endpoints": content["endpoints"],
        "ports": content["ports"],
    }


def _free_names(service: resources.Object, family: str, taken: Container[str]) -> Iterator[str]:
    prefix = names.truncated(meta.name(service), names.SUBDOMAIN_LIMIT - _SUFFIX - 1)
    ordinal = 0
    while True:
        digest = hashlib.sha256(f"{meta.uid(service)}\n{family}\n{ordinal}".encode()).digest()
        name = f"{prefix}-{names.encode_safe(digest, _SUFFIX)}"
        ordinal += 1
        if name not in taken:
            yield name
