"""What the Endpoints object of a Service says. Pure. EndpointSlices say the same and more; this is for clients that know no others.

    | pod                              | where it stands                                    |
    |----------------------------------|----------------------------------------------------|
    | ready, or published in any state | ``addresses`` of the subset with its ports         |
    | not ready                        | ``notReadyAddresses`` of it                        |
    | being deleted, ended, no address | nowhere                                            |

Pods on which the Service's ports come to the same numbers share a subset. Beyond ``CAPACITY`` addresses the rest is left out, ready ones
last, and an annotation says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import podstate
from brickyard.embedded.builtin.service import endpoints
from brickyard.embedded.builtin.service import plan as slices
from brickyard.kube.objects import meta, owners, selectors

CAPACITY = 1000
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"

Ports = tuple[endpoints.Port, ...]
_Address = tuple[Ports, bool, dict[str, Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """At most one of the two: a whole object to create, or to put in the place of the stored one."""

    reason: str
    create: resources.Object | None = None
    update: resources.Object | None = None


def plan(service: resources.Object, pods: Iterable[resources.Object], stored: resources.Object | None) -> Plan:
    """The write that makes the Endpoints equal to ``pods``, those of the Service's namespace."""
    if not slices.selects(service):
        return Plan("no selector: the endpoints belong to somebody else")
    if meta.is_deleting(service):
        return Plan("being deleted: the garbage collector takes the endpoints")
    found, cut = _addresses(service, pods)
    labels = {key: text for key, text in meta.labels(service).items() if key != slices.HEADLESS}
    if service["spec"].get("clusterIP") == "None":
        labels[slices.HEADLESS] = ""
    content = {"labels": {**labels, MANAGED_BY: MANAGER}, "annotations": {OVER_CAPACITY: "truncated"} if cut else {}}
    subsets = _subsets(found)
    if stored is None:
        metadata = {
            "name": meta.name(service),
            "namespace": meta.namespace(service),
            "ownerReferences": [owners.owner_reference(service)],
            **{key: value for key, value in content.items() if value},
        }
        return Plan("new", create={"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets})
    others = {key: text for key, text in meta.annotations(stored).items() if key != OVER_CAPACITY}
    content["annotations"] = {**others, **content["annotations"]}
    same = meta.labels(stored) == content["labels"] and meta.annotations(stored) == content["annotations"]
    if same and (stored.get("subsets") or []) == subsets:
        return Plan("as wanted")
    return Plan(
        "follows the pods", update={**stored, "metadata": {**stored["metadata"], **content}, "subsets": subsets}
    )


def _addresses(service: resources.Object, pods: Iterable[resources.Object]) -> tuple[list[_Address], bool]:
    selector = selectors.from_map(service["spec"]["selector"])
    family = (service["spec"].get("ipFamilies") or ["IPv4"])[0]
    found: list[_Address] = []
    for pod in sorted((each for each in pods if selector.matches(meta.labels(each))), key=meta.name):
        one = endpoints.endpoint(service, pod, family)
        published = bool(service["spec"].get("publishNotReadyAddresses"))
        if one is None or (podstate.is_terminating(pod) and not published):
            continue
        address = {"ip": one["addresses"][0], "targetRef": one["targetRef"]}
        address |= {key: one[key] for key in ("nodeName", "hostname") if key in one}
        found.append((endpoints.ports(service, pod), bool(one["conditions"]["ready"]), address))
    kept = sorted(found, key=lambda each: not each[1])[:CAPACITY]
    return kept, len(kept) < len(found)


def _subsets(found: Sequence[_Address]) -> list[dict[str, Any]]:
    groups: dict[Ports, dict[str, list[dict[str, Any]]]] = {}
    for ports, ready, address in found:
        group = groups.setdefault(ports, {})
        group.setdefault("addresses" if ready else "notReadyAddresses", []).append(address)
    result = []
    for ports, group in sorted(groups.items()):
        lists = {key: sorted(each, key=_by_ip) for key, each in sorted(group.items())}
        told = [_port(each) for each in ports]
        result.append({**lists, "ports": told} if told else dict(lists))
    return result


def _by_ip(address: dict[str, Any]) -> str:
    return str(address["ip"])


def _port(port: endpoints.Port) -> dict[str, Any]:
    body = port.body()
    return {key: value for key, value in body.items() if value != ""}
