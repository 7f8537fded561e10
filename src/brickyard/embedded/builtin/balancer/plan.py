"""Which address a Service has, and who answers on its ports. Pure.

| Service                                    | address                          | listens                                   |
|--------------------------------------------|----------------------------------|-------------------------------------------|
| ClusterIP, NodePort, LoadBalancer          | given, from ``NETWORK``          | each TCP port of the manifest             |
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


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """``assign`` is the address that the Service has to be given first; ``unserved`` says which ports nobody listens on, and why."""

    reason: str
    assign: str = ""
    listen: tuple[Listen, ...] = ()
    unserved: str = ""


def plan(service: resources.Object, slices: Sequence[resources.Object], taken: Container[str]) -> Plan:
    """What to do for one Service. ``slices`` are its EndpointSlices, ``taken`` the addresses of other Services."""
    spec = service["spec"]
    without = _without_address(service)
    if without:
        return Plan(without)
    address = spec.get("clusterIP")
    if not address:
        return Plan("needs an address", assign=free_address(meta.uid(service), taken))
    if not is_ours(address):
        return Plan("no address of this machine", unserved=f"{address} is no loopback address: leave clusterIP out")
    ports = spec.get("ports") or ()
    others = [each for each in ports if each.get("protocol", "TCP") != "TCP"]
    told = ", ".join(f"{each['port']}/{each['protocol']}" for each in others)
    return Plan(
        "listens",
        listen=tuple(_listen(service, each, slices) for each in ports if each not in others),
        unserved=f"only TCP is balanced on one machine, not {told}" if told else "",
    )


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


def _listen(service: resources.Object, port: Mapping[str, Any], slices: Sequence[resources.Object]) -> Listen:
    spec = service["spec"]
    affinity = None
    if spec.get("sessionAffinity") == "ClientIP":
        client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        affinity = float(client.get("timeoutSeconds") or _AFFINITY_SECONDS)
    return Listen(spec["clusterIP"], int(port["port"]), targets(slices, port.get("name") or ""), affinity)


def targets(slices: Sequence[resources.Object], port: str) -> tuple[Target, ...]:
    """Who answers on the port of that name, in a stable order."""
    ready: set[Target] = set()
    leaving: set[Target] = set()
    for target, conditions in _endpoints(slices, port):
        if conditions.get("ready") is not False:
            ready.add(target)
        elif conditions.get("serving") and conditions.get("terminating"):
            leaving.add(target)
    return tuple(sorted(ready or leaving))


def _endpoints(slices: Sequence[resources.Object], port: str) -> Iterator[tuple[Target, Mapping[str, Any]]]:
    for each in slices:
        if each.get("addressType", "IPv4") != "IPv4":
            continue
        numbers = [int(one["port"]) for one in each.get("ports") or () if _is(one, port)]
        for endpoint in each.get("endpoints") or ():
            for address in endpoint.get("addresses") or ():
                for number in numbers:
                    yield Target(address, number), endpoint.get("conditions") or {}


def _is(port: Mapping[str, Any], name: str) -> bool:
    tcp = (port.get("protocol") or "TCP") == "TCP"
    return tcp and (port.get("name") or "") == name and bool(port.get("port"))
