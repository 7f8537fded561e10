"""Ingresses and NetworkPolicies, kept and judged, carried out by nobody on one machine; and Endpoints."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import metadata, ports, workloads

Spec = Mapping[str, Any]

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_POLICY_TYPES = ("Egress", "Ingress")


def fill_ingress(draft: resources.Object) -> None:
    """Fill in an Ingress."""
    draft.setdefault("spec", {})
    draft.setdefault("status", {}).setdefault("loadBalancer", {})


def judge_ingress(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with an Ingress."""
    del old
    spec: Spec = obj.get("spec") or {}
    rules = spec.get("rules") or ()
    if not rules and spec.get("defaultBackend") is None:
        yield faults.invalid("spec", spec, "either `defaultBackend` or `rules` must be specified")
    if spec.get("defaultBackend") is not None:
        yield from _backend("spec.defaultBackend", spec["defaultBackend"])
    for index, rule in enumerate(rules):
        yield from _rule(f"spec.rules[{index}]", rule)
    for index, entry in enumerate(spec.get("tls") or ()):
        for position, host in enumerate(entry.get("hosts") or ()):
            yield from _host(f"spec.tls[{index}].hosts[{position}]", host)
    name = spec.get("ingressClassName")
    if name is not None and (problem := metadata.dns_subdomain(name)):
        yield faults.invalid("spec.ingressClassName", name, problem)


def _rule(path: str, rule: Spec) -> faults.Errors:
    if rule.get("host"):
        yield from _host(f"{path}.host", rule["host"])
    http = rule.get("http")
    if http is None:
        return
    if not http.get("paths"):
        yield faults.required(f"{path}.http.paths")
    for index, each in enumerate(http.get("paths") or ()):
        inner, kind = f"{path}.http.paths[{index}]", each.get("pathType")
        if not kind:
            yield faults.required(f"{inner}.pathType", "pathType must be specified")
        elif kind not in _PATH_TYPES:
            yield faults.not_supported(f"{inner}.pathType", kind, _PATH_TYPES)
        elif (kind != "ImplementationSpecific" or each.get("path")) and not (each.get("path") or "").startswith("/"):
            yield faults.invalid(f"{inner}.path", each.get("path") or "", "must be an absolute path")
        yield from _backend(f"{inner}.backend", each.get("backend") or {})


def _host(path: str, host: str) -> faults.Errors:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        yield faults.invalid(path, host, "must be a DNS name, not an IP address")
        return
    if problem := metadata.dns_subdomain(host.removeprefix("*.")):
        yield faults.invalid(path, host, problem)


def _backend(path: str, backend: Spec) -> faults.Errors:
    service, other = backend.get("service"), backend.get("resource")
    if service is not None and other is not None:
        yield faults.invalid(path, "", "cannot set both resource and service backends")
    elif service is None and other is None:
        yield faults.required(path, "must specify a `service` or `resource` backend")
    if service is None:
        return
    if not service.get("name"):
        yield faults.required(f"{path}.service.name")
    elif problem := metadata.dns1035_label(service["name"]):
        yield faults.invalid(f"{path}.service.name", service["name"], problem)
    port = service.get("port") or {}
    if port.get("name") and port.get("number"):
        yield faults.invalid(path, "", "cannot set both port name & port number")
    elif port.get("name"):
        yield from ports.name(f"{path}.service.port.name", port["name"])
    elif not port.get("number"):
        yield faults.required(path, "port name or number is required")
    else:
        yield from ports.number(f"{path}.service.port.number", port["number"])


def fill_policy(draft: resources.Object) -> None:
    """Fill in a NetworkPolicy."""
    spec = draft.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    for direction in ("ingress", "egress"):
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                port["protocol"] = port.get("protocol") or "TCP"


def judge_policy(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a NetworkPolicy."""
    del old
    spec: Spec = obj.get("spec") or {}
    yield from workloads.label_selector("spec.podSelector", spec.get("podSelector") or {})
    for index, kind in enumerate(spec.get("policyTypes") or ()):
        if kind not in _POLICY_TYPES:
            yield faults.not_supported(f"spec.policyTypes[{index}]", kind, _POLICY_TYPES)
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{index}]"
            for position, port in enumerate(rule.get("ports") or ()):
                yield from _policy_port(f"{path}.ports[{position}]", port)
            for position, peer in enumerate(rule.get(peers) or ()):
                yield from _peer(f"{path}.{peers}[{position}]", peer)


def _policy_port(path: str, port: Spec) -> faults.Errors:
    yield from faults.one_of(f"{path}.protocol", port.get("protocol"), ports.PROTOCOLS)
    if port.get("port") is not None:
        yield from ports.number_or_name(f"{path}.port", port["port"])
    end = port.get("endPort")
    if end is not None and not isinstance(port.get("port"), int):
        yield faults.invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified or is a name")
    elif end is not None and end < port["port"]:
        yield faults.invalid(f"{path}.endPort", end, "must be greater than or equal to `port`")


def _peer(path: str, peer: Spec) -> faults.Errors:
    given = [name for name in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(name) is not None]
    if not given:
        yield faults.required(path, "must specify a peer")
    elif "ipBlock" in given and len(given) > 1:
        yield faults.forbidden(path, "may not specify both ipBlock and another peer")
    for name in given:
        if name != "ipBlock":
            yield from workloads.label_selector(f"{path}.{name}", peer[name])
    if "ipBlock" in given:
        yield from _block(f"{path}.ipBlock", peer["ipBlock"])


def _block(path: str, block: Spec) -> faults.Errors:
    if not block.get("cidr"):
        yield faults.required(f"{path}.cidr")
        return
    for below, cidr in (
        (".cidr", block["cidr"]),
        *((f".except[{at}]", each) for at, each in enumerate(block.get("except") or ())),
    ):
        try:
            ipaddress.ip_network(cidr)
        except ValueError:
            yield faults.invalid(
                f"{path}{below}", cidr, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            )


def fill_endpoints(draft: resources.Object) -> None:
    """Fill in Endpoints: a port is TCP unless it says otherwise."""
    for subset in draft.get("subsets") or ():
        for port in subset.get("ports") or ():
            port["protocol"] = port.get("protocol") or "TCP"


def judge_endpoints(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with Endpoints."""
    del old
    for index, subset in enumerate(obj.get("subsets") or ()):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            yield faults.required(path, "must specify `addresses` or `notReadyAddresses`")
        for field in ("addresses", "notReadyAddresses"):
            for position, each in enumerate(subset.get(field) or ()):
                yield from _endpoint_address(f"{path}.{field}[{position}].ip", each.get("ip") or "")
        found = subset.get("ports") or ()
        for position, port in enumerate(found):
            yield from _endpoint_port(f"{path}.ports[{position}]", port, named=len(found) > 1)


def _endpoint_address(path: str, address: str) -> faults.Errors:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        yield faults.invalid(path, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")


def _endpoint_port(path: str, port: Spec, *, named: bool) -> faults.Errors:
    name = port.get("name")
    if named and not name:
        yield faults.required(f"{path}.name")
    elif name and (problem := metadata.dns_label(name)):
        yield faults.invalid(f"{path}.name", name, problem)
    yield from ports.number(f"{path}.port", port.get("port"))
    yield from faults.one_of(f"{path}.protocol", port.get("protocol"), ports.PROTOCOLS)
