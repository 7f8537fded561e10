"""Namespaces, Nodes, Events, Leases, EndpointSlices: kinds with few rules each."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import metadata, ports

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_ENDPOINTS_LIMIT = 1000
_FAMILIES: Mapping[str, type[ipaddress.IPv4Address | ipaddress.IPv6Address]] = {
    "IPv4": ipaddress.IPv4Address,
    "IPv6": ipaddress.IPv6Address,
}


def fill_namespace(draft: resources.Object) -> None:
    """Fill in a Namespace: selectors of namespaces find it by its name."""
    metadata = draft.setdefault("metadata", {})
    if metadata.get("name"):
        metadata["labels"] = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}


def judge_event(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """An event lies in the namespace of what it is about; one about a cluster-wide object in ``default`` or ``kube-system``."""
    del old
    about = (obj.get("involvedObject") or {}).get("namespace") or ""
    namespace = (obj.get("metadata") or {}).get("namespace") or ""
    if (about and about != namespace) or (not about and namespace not in ("default", "kube-system")):
        yield faults.invalid("involvedObject.namespace", about, "does not match event.namespace")


def judge_lease(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Durations are positive, the count of holders never shrinks below zero."""
    del old
    spec: Mapping[str, Any] = obj.get("spec") or {}
    duration = spec.get("leaseDurationSeconds")
    if duration is not None and duration <= 0:
        yield faults.invalid("spec.leaseDurationSeconds", duration, "must be greater than 0")
    yield from faults.not_negative("spec", spec, "leaseTransitions")


def fill_endpoint_slice(draft: resources.Object) -> None:
    """Fill in an EndpointSlice: a port is unnamed and TCP unless it says otherwise."""
    for port in draft.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def judge_endpoint_slice(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with an EndpointSlice."""
    kind, endpoints = obj.get("addressType"), obj.get("endpoints") or ()
    yield from faults.one_of("addressType", kind, _ADDRESS_TYPES)
    if len(endpoints) > _ENDPOINTS_LIMIT:
        yield faults.too_many("endpoints", len(endpoints), _ENDPOINTS_LIMIT)
    for index, endpoint in enumerate(endpoints):
        path = f"endpoints[{index}].addresses"
        if not endpoint.get("addresses"):
            yield faults.required(path, "must contain at least 1 address")
        for position, address in enumerate(endpoint.get("addresses") or ()):
            yield from _address(f"{path}[{position}]", address, kind or "")
    for index, port in enumerate(obj.get("ports") or ()):
        yield from faults.one_of(f"ports[{index}].protocol", port.get("protocol"), ports.PROTOCOLS)
        if port.get("port") is not None:
            yield from ports.number(f"ports[{index}].port", port["port"])
    named = [(f"[{index}].name", each.get("name")) for index, each in enumerate(obj.get("ports") or ())]
    yield from faults.unique("ports", named)
    if old is not None:
        yield from metadata.immutable("addressType", kind, old.get("addressType"))


def _address(path: str, address: str, kind: str) -> faults.Errors:
    family = _FAMILIES.get(kind)
    if family is None:
        if kind == "FQDN" and (problem := metadata.dns_subdomain(address)):
            yield faults.invalid(path, address, problem)
        return
    try:
        family(address)
    except ValueError:
        yield faults.invalid(path, address, f"must be an {kind} address")
