"""Columns of Services, Endpoints and EndpointSlices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.columns import cells
from brickyard.kube.objects import paths

_UNSET = "<unset>"
_SHOWN = 3


def _cluster_ip(obj: resources.Object, now: float) -> str:
    del now
    addresses = paths.get(obj, "spec.clusterIPs", ())
    return str(addresses[0] if addresses else paths.get(obj, "spec.clusterIP") or cells.NONE)


def _external_ip(obj: resources.Object, now: float) -> str:
    del now
    kind = paths.get(obj, "spec.type", "ClusterIP")
    if kind == "ExternalName":
        return str(paths.get(obj, "spec.externalName", ""))
    given = paths.get(obj, "spec.externalIPs", ())
    if kind != "LoadBalancer":
        return cells.joined(given)
    balanced = [
        each.get("ip") or each.get("hostname") or "" for each in paths.get(obj, "status.loadBalancer.ingress", ())
    ]
    return ",".join([*balanced, *given]) or "<pending>"


def _ports(obj: resources.Object, now: float) -> str:
    del now
    return cells.joined(_port(each) for each in paths.get(obj, "spec.ports", ()))


def _port(port: Mapping[str, Any]) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node}/{port.get('protocol') or 'TCP'}"


def _labels(obj: resources.Object, now: float) -> str:
    del now
    return cells.label_map(paths.get(obj, "spec.selector"))


def _endpoints(obj: resources.Object, now: float) -> str:
    del now
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        addresses = [each.get("ip") or "" for each in subset.get("addresses") or ()]
        ports = [each.get("port") for each in subset.get("ports") or ()]
        found += [_joined(address, port) for port in ports for address in addresses] if ports else addresses
    return cells.shortened(found, _SHOWN)


def _joined(address: str, port: object) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _slice_ports(obj: resources.Object, now: float) -> str:
    del now
    return _some(str(each.get("port") or each.get("name") or "*") for each in obj.get("ports") or ())


def _slice_endpoints(obj: resources.Object, now: float) -> str:
    del now
    return _some(address for each in obj.get("endpoints") or () for address in each.get("addresses") or ())


def _some(values: Iterable[str]) -> str:
    words = list(values)
    return cells.shortened(words, _SHOWN) if words else _UNSET


SERVICE = (
    cells.NAME,
    contract.Column("Type", cells.at("spec.type", "ClusterIP"), description="How the Service is exposed."),
    contract.Column("Cluster-IP", _cluster_ip, description="Address inside the cluster."),
    contract.Column("External-IP", _external_ip, description="Addresses outside the cluster."),
    contract.Column("Port(s)", _ports, description="Ports, with the node's port after a colon."),
    cells.AGE,
    contract.Column("Selector", _labels, priority=1, description="Labels of the pods behind it."),
)
ENDPOINTS = (
    cells.NAME,
    contract.Column("Endpoints", _endpoints, description="Addresses and ports that are ready."),
    cells.AGE,
)
ENDPOINT_SLICE = (
    cells.NAME,
    contract.Column("AddressType", cells.at("addressType", ""), description="IPv4, IPv6 or FQDN."),
    contract.Column("Ports", _slice_ports, description="Ports of every endpoint of the slice."),
    contract.Column("Endpoints", _slice_endpoints, description="Addresses of the slice."),
    cells.AGE,
)
