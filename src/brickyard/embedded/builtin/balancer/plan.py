"""Which address a Service has, and who answers on its ports. Pure.

| Service                                    | address                          | listens                                   |
|--------------------------------------------|----------------------------------|-------------------------------------------|
| ClusterIP, NodePort, LoadBalancer          | given, from ``NETWORK``          | each TCP and UDP port of the manifest     |
| NodePort and LoadBalancer, besides         | ``HOST``                         | each port's node port, given if need be   |
| with a ``clusterIP`` of its own choice     | that one                         | there, if it is an address of loopback    |
| headless (``clusterIP: None``)             | none                             | nowhere: clients look at its endpoints    |
| ExternalName, or being deleted             | none                             | nowhere                                   |

| endpoints                                  | connections go to                                                            |
|--------------------------------------------|------------------------------------------------------------------------------|
| some ready                                 | the ready ones                                                               |
| none ready, some serving while terminating | those                                                                        |
| none                                       | nobody: a connection is refused at once                                      |
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.objects import meta

NETWORK = ipaddress.IPv4Network("127.128.0.0/10")
"""Beside the pods' network; all of 127/8 is this machine without configuration."""
HOST = "127.0.0.1"
"""Where node ports are: nothing here is for other machines."""
NODE_PORTS = range(30000, 32768)
PROTOCOLS = ("TCP", "UDP")
LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")
HEADLESS = "None"
_API = ("default", "kubernetes")
_AFFINITY_SECONDS = 10800.0
_TRIES = 4096


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Target:
    """Where a connection goes."""

    host: str
    port: int


@dataclasses.dataclass(frozen=True, slots=True)
class Listen:
    """A port to listen on. ``affinity``: seconds for which a client stays with its pod; None where it need not."""

    host: str
    port: int
    targets: tuple[Target, ...]
    affinity: float | None = None
    protocol: str = "TCP"


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """What other Services have: addresses, and node ports with their protocol."""

    addresses: Container[str] = ()
    node_ports: Container[tuple[int, str]] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What to do.

    ``assign`` is the part of the spec that the Service has to be given first: its address, its ports with node ports. ``unserved`` says
    which ports nobody listens on, and why; ``ingress`` is the address that a LoadBalancer's status tells.
    """

    reason: str
    assign: Mapping[str, Any] | None = None
    listen: tuple[Listen, ...] = ()
    unserved: str = ""
    ingress: str = ""


def plan(service: resources.Object, slices: Sequence[resources.Object], taken: Taken) -> Plan:
    """What to do for one Service. ``slices`` are its EndpointSlices."""
    spec = service["spec"]
    without = _without_address(service)
    if without:
        return Plan(without)
    assign = _assign(service, taken)
    if assign:
        return Plan(f"needs {' and '.join(assign)}", assign=assign)
    address = spec.get("clusterIP") or ""
    if not is_ours(address):
        told = f"{address} is no loopback address: leave clusterIP out" if address else f"all of {NETWORK} is taken"
        return Plan("no address of this machine", unserved=told)
    ports = spec.get("ports") or ()
    served = [each for each in ports if _protocol(each) in PROTOCOLS]
    told = ", ".join(f"{each['port']}/{each['protocol']}" for each in ports if each not in served)
    listen = [_listen(service, each, slices, address, int(each["port"])) for each in served]
    if has_node_ports(service):
        outside = [each for each in served if each.get("nodePort")]
        listen += [_listen(service, each, slices, HOST, int(each["nodePort"])) for each in outside]
    return Plan(
        "listens",
        listen=tuple(listen),
        unserved=f"only TCP and UDP are balanced on one machine, not {told}" if told else "",
        ingress=address if spec.get("type") == "LoadBalancer" else "",
    )


def has_node_ports(service: resources.Object) -> bool:
    """Whether the Service is one that is reached by ports of the node."""
    spec = service["spec"]
    wanted = spec.get("type") == "NodePort" or spec.get("allocateLoadBalancerNodePorts", True)
    return wanted and spec.get("type") in ("NodePort", "LoadBalancer")


def _protocol(port: Mapping[str, Any]) -> str:
    return str(port.get("protocol") or "TCP")


def _assign(service: resources.Object, taken: Taken) -> dict[str, Any]:
    """What the Service lacks, as fields of its spec."""
    found: dict[str, Any] = {}
    spec = service["spec"]
    if not spec.get("clusterIP") and (address := free_address(meta.uid(service), taken.addresses)):
        found |= {"clusterIP": address, "clusterIPs": [address]}
    ports = [dict(each) for each in spec.get("ports") or ()]
    if has_node_ports(service):
        wanted = _with_node_ports(meta.uid(service), ports, taken.node_ports)
        found |= {"ports": wanted} if wanted != ports else {}
    return found


def _with_node_ports(
    uid: str, ports: Sequence[Mapping[str, Any]], taken: Container[tuple[int, str]]
) -> list[dict[str, Any]]:
    given = {(int(each["nodePort"]), _protocol(each)) for each in ports if each.get("nodePort")}
    found = []
    for each in ports:
        number = each.get("nodePort")
        if not number:
            number = _free_node_port(f"{uid}/{each['port']}", _protocol(each), taken, given)
            given.add((number, _protocol(each)))
        found.append({**each, "nodePort": number} if number else dict(each))
    return found


def _free_node_port(
    seed: str, protocol: str, taken: Container[tuple[int, str]], given: Container[tuple[int, str]]
) -> int:
    """A port that follows from ``seed``; 0 where none is free."""
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8])
    for step in range(len(NODE_PORTS)):
        found = NODE_PORTS[(start + step) % len(NODE_PORTS)]
        if (found, protocol) not in taken and (found, protocol) not in given:
            return found
    return 0


def _without_address(service: resources.Object) -> str:
    """Why the Service has no address to listen on; "" where it has one, or shall."""
    if meta.is_deleting(service):
        return "being deleted"
    if meta.key(service) == _API:
        return "reached where it listens"
    if service["spec"].get("type") == "ExternalName":
        return "a name of somewhere else"
    return "headless" if service["spec"].get("clusterIP") == HEADLESS else ""


def is_ours(address: str) -> bool:
    """Whether this machine can listen on ``address`` whoever runs it."""
    try:
        return ipaddress.IPv4Address(address) in LOOPBACK
    except ValueError:
        return False


def free_address(uid: str, taken: Container[str]) -> str:
    """An address that follows from the Service's uid, so that two machines in one box rarely meet; "" where none is free."""
    start = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8])
    for step in range(_TRIES):
        number = (start + step) % NETWORK.num_addresses
        # What ends in 0 or 255 looks like a network or a broadcast.
        found = str(NETWORK[number])
        if number & 0xFF not in (0, 0xFF) and found not in taken:
            return found
    return ""


def _listen(
    service: resources.Object, port: Mapping[str, Any], slices: Sequence[resources.Object], host: str, number: int
) -> Listen:
    spec = service["spec"]
    affinity = None
    if spec.get("sessionAffinity") == "ClientIP":
        client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        affinity = float(client.get("timeoutSeconds") or _AFFINITY_SECONDS)
    found = targets(slices, port.get("name") or "", _protocol(port))
    return Listen(host, number, found, affinity, _protocol(port))


def targets(slices: Sequence[resources.Object], port: str, protocol: str = "TCP") -> tuple[Target, ...]:
    """Who answers on the port of that name, in a stable order."""
    ready: set[Target] = set()
    leaving: set[Target] = set()
    for target, conditions in _endpoints(slices, port, protocol):
        if conditions.get("ready") is not False:
            ready.add(target)
        elif conditions.get("serving") and conditions.get("terminating"):
            leaving.add(target)
    return tuple(sorted(ready or leaving))


def _endpoints(
    slices: Sequence[resources.Object], port: str, protocol: str
) -> Iterator[tuple[Target, Mapping[str, Any]]]:
    for each in slices:
        if each.get("addressType", "IPv4") != "IPv4":
            continue
        numbers = [int(one["port"]) for one in each.get("ports") or () if _is(one, port, protocol)]
        for endpoint in each.get("endpoints") or ():
            for address in endpoint.get("addresses") or ():
                for number in numbers:
                    yield Target(address, number), endpoint.get("conditions") or {}


def _is(port: Mapping[str, Any], name: str, protocol: str) -> bool:
    return _protocol(port) == protocol and (port.get("name") or "") == name and bool(port.get("port"))
