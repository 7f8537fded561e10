"""Services. No address is given out here: ``clusterIP`` stays as it was written until the controller with the proxy writes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import metadata, ports

Spec = Mapping[str, Any]

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_POLICIES = ("Cluster", "Local")
_AFFINITY_SECONDS = 10800
_HEADLESS = "None"


def fill(draft: resources.Object) -> None:
    """Fill in a Service."""
    draft.setdefault("status", {}).setdefault("loadBalancer", {})
    spec = draft.setdefault("spec", {})
    spec["type"] = spec.get("type") or "ClusterIP"
    spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
    if spec["sessionAffinity"] == "ClientIP":
        client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        client.setdefault("timeoutSeconds", _AFFINITY_SECONDS)
    for port in spec.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
        if port.get("targetPort") in (None, "", 0) and "port" in port:
            port["targetPort"] = port["port"]
    if spec["type"] == "ExternalName":
        return
    spec.setdefault("internalTrafficPolicy", "Cluster")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if spec["type"] in ("LoadBalancer", "NodePort"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec.get("clusterIP") == _HEADLESS:
        spec.setdefault("clusterIPs", [_HEADLESS])


def judge(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a Service."""
    spec: Spec = obj.get("spec") or {}
    yield from faults.one_of("spec.type", spec.get("type"), _TYPES)
    yield from faults.one_of("spec.sessionAffinity", spec.get("sessionAffinity"), _AFFINITIES)
    for name in ("internalTrafficPolicy", "externalTrafficPolicy"):
        if spec.get(name):
            yield from faults.one_of(f"spec.{name}", spec[name], _POLICIES)
    yield from _ports(spec)
    yield from metadata.label_map("spec.selector", spec.get("selector"))
    if spec.get("type") == "ExternalName":
        yield from _external(spec)
    if old is not None:
        yield from _changes(spec, old.get("spec") or {})


def _external(spec: Spec) -> faults.Errors:
    name = (spec.get("externalName") or "").removesuffix(".")
    if not name:
        yield faults.required("spec.externalName")
    elif problem := metadata.dns_subdomain(name):
        yield faults.invalid("spec.externalName", name, problem)
    if spec.get("clusterIP"):
        yield faults.forbidden("spec.clusterIPs[0]", "may not be set for ExternalName services")


def _ports(spec: Spec) -> faults.Errors:
    found: Sequence[Spec] = spec.get("ports") or ()
    if not found and spec.get("type") != "ExternalName" and spec.get("clusterIP") != _HEADLESS:
        yield faults.required("spec.ports")
    for index, port in enumerate(found):
        path = f"spec.ports[{index}]"
        if len(found) > 1 and not port.get("name"):
            yield faults.required(f"{path}.name")
        elif port.get("name") and (problem := metadata.dns_label(port["name"])):
            yield faults.invalid(f"{path}.name", port["name"], problem)
        yield from ports.number(f"{path}.port", port.get("port"))
        yield from faults.one_of(f"{path}.protocol", port.get("protocol"), ports.PROTOCOLS)
        yield from ports.number_or_name(f"{path}.targetPort", port.get("targetPort"))
        if port.get("nodePort") and spec.get("type") == "ClusterIP":
            yield faults.forbidden(f"{path}.nodePort", "may not be used when `type` is 'ClusterIP'")
    yield from faults.unique("spec.ports", [(f"[{index}].name", each.get("name")) for index, each in enumerate(found)])
    pairs = [(f"[{index}]", f"{each.get('protocol')}/{each.get('port')}") for index, each in enumerate(found)]
    yield from faults.unique("spec.ports", pairs)


def _changes(new: Spec, old: Spec) -> faults.Errors:
    """A cluster address, once given, stays until the Service becomes an ExternalName."""
    if "ExternalName" in (new.get("type"), old.get("type")) or not old.get("clusterIP"):
        return
    if new.get("clusterIP") != old["clusterIP"]:
        yield faults.invalid("spec.clusterIPs[0]", [new.get("clusterIP") or ""], "may not change once set")
