"""What a pod contributes to a Service: one endpoint per address family, and the numbers behind the Service's ports.

    | pod                        | ready | serving | terminating |
    |----------------------------|-------|---------|-------------|
    | ready                      | yes   | yes     | no          |
    | not ready                  | no    | no      | no          |
    | ready, being deleted       | no    | yes     | yes         |
    | not ready, being deleted   | no    | no      | yes         |
    | ended, or without address  | (no endpoint)                 |

With ``publishNotReadyAddresses`` ready is always yes.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import podstate
from brickyard.kube.objects import meta


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Port:
    """A port of an EndpointSlice, as clients may dial it."""

    name: str
    protocol: str
    number: int
    app_protocol: str = ""

    def body(self) -> dict[str, Any]:
        """As the slice's field."""
        body: dict[str, Any] = {"name": self.name, "protocol": self.protocol, "port": self.number}
        return {**body, "appProtocol": self.app_protocol} if self.app_protocol else body


def port_of(body: Mapping[str, Any]) -> Port:
    """A slice's field as ``Port``."""
    return Port(
        name=body.get("name") or "",
        protocol=body.get("protocol") or "TCP",
        number=int(body.get("port") or 0),
        app_protocol=body.get("appProtocol") or "",
    )


def _containers(pod: resources.Object) -> Iterator[Mapping[str, Any]]:
    """Those that run beside each other: containers, and init containers that go on running."""
    spec = pod.get("spec") or {}
    yield from spec.get("containers") or ()
    yield from (each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always")


def _named(pod: resources.Object, name: str, protocol: str) -> int | None:
    for container in _containers(pod):
        for port in container.get("ports") or ():
            if port.get("name") == name and (port.get("protocol") or "TCP") == protocol:
                return int(port["containerPort"])
    return None


def _target(service_port: Mapping[str, Any], pod: resources.Object) -> int | None:
    """The number a Service's port means on this pod; None where the pod has no port of that name."""
    target = service_port.get("targetPort")
    if target in (None, "", 0):
        target = service_port["port"]
    if isinstance(target, int):
        return target
    number = _named(pod, str(target), service_port.get("protocol") or "TCP")
    return int(target) if number is None and str(target).isdigit() else number


def ports(service: resources.Object, pod: resources.Object) -> tuple[Port, ...]:
    """The Service's ports on this pod, sorted. Ports that the pod does not have are left out."""
    found = []
    for each in service["spec"].get("ports") or ():
        number = _target(each, pod)
        if number is not None:
            protocol = each.get("protocol") or "TCP"
            found.append(Port(each.get("name") or "", protocol, number, each.get("appProtocol") or ""))
    return tuple(sorted(found))


def _family(text: str | None) -> str | None:
    """``IPv4``, ``IPv6``, or None for what is no address."""
    try:
        return f"IPv{ipaddress.ip_address(text or '').version}"
    except ValueError:
        return None


def address(pod: resources.Object, family: str) -> str | None:
    """The pod's address of the family (``IPv4`` or ``IPv6``)."""
    status = pod.get("status") or {}
    texts = [each.get("ip") for each in status.get("podIPs") or ()] or [status.get("podIP")]
    return next((text for text in texts if _family(text) == family), None)


def endpoint(service: resources.Object, pod: resources.Object, family: str) -> dict[str, Any] | None:
    """The pod as an endpoint of the Service; None when it is none: it ended, or has no address of the family."""
    reached_at = address(pod, family)
    if podstate.is_terminal(pod) or reached_at is None:
        return None
    serving, terminating = podstate.is_ready(pod), podstate.is_terminating(pod)
    published = bool(service["spec"].get("publishNotReadyAddresses"))
    body: dict[str, Any] = {
        "addresses": [reached_at],
        "conditions": {
            "ready": published or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {"kind": "Pod", "namespace": meta.namespace(pod), "name": meta.name(pod), "uid": meta.uid(pod)},
    }
    spec = pod.get("spec") or {}
    if spec.get("nodeName"):
        body["nodeName"] = spec["nodeName"]
    if spec.get("hostname") and spec.get("subdomain") == meta.name(service):
        body["hostname"] = spec["hostname"]
    return body
