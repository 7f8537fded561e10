"""A pod's ``/etc/hosts``: what a cluster's name server would say, written down. Pure.

| name                                                       | address                                                              |
|------------------------------------------------------------|----------------------------------------------------------------------|
| ``web`` (in its own namespace), ``web.shop``,              | the Service's; of a headless one those of its pods that are ready;   |
| ``web.shop.svc``, ``web.shop.svc.cluster.local``           | of an ExternalName that names a Service here, that Service's         |
| ``web-0.web`` and so on, longer by the same endings        | the pod's: one with a host name behind a headless Service            |
| the pod's own host name                                    | its own                                                              |
| ``localhost``                                              | the machine's, and the pod's own: containers of a pod find each      |
|                                                            | other there, whichever of both they listen on                        |
| what ``hostAliases`` and the machine's ``/etc/hosts`` say  | what they say                                                        |

Programs read the file through the C library or by themselves, so that every resolver on the machine knows the names: Python, curl,
llama.cpp and vLLM alike. What no file can say is not there: SRV records, pods' names made of addresses, and ExternalNames elsewhere.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.kube.objects import meta

DOMAIN = "cluster.local"
SERVICE_NAME = names.SERVICE_OF_SLICE
_HOPS = 8
"""ExternalNames that may lead to one another."""
_HEAD = "# Names of Services and pods, as Brickyard knows them; what the machine's own file says follows at the end."


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """``host`` is "" for the Service itself, and the host name of a pod behind it otherwise."""

    namespace: str
    service: str
    address: str
    host: str = ""


def entries(services: Iterable[resources.Object], slices: Iterable[resources.Object]) -> tuple[Entry, ...]:
    """Every name of every namespace, in a stable order."""
    by_key = {meta.key(each): each for each in services}
    endpoints: dict[meta.Key, list[Mapping[str, Any]]] = {}
    for each in slices:
        key = meta.Key(meta.namespace(each), meta.labels(each).get(SERVICE_NAME, ""))
        if each.get("addressType", "IPv4") == "IPv4":
            endpoints.setdefault(key, []).extend(each.get("endpoints") or ())
    found: set[Entry] = set()
    for key, service in by_key.items():
        found |= {Entry(*key, address) for address in _addresses(service, by_key, endpoints)}
        if _is_headless(service):
            found |= set(_hosts(key, service, endpoints.get(key, ())))
    return tuple(sorted(found, key=dataclasses.astuple))


def _is_headless(service: resources.Object) -> bool:
    return bool(service["spec"].get("clusterIP") == "None")


def _addresses(
    service: resources.Object,
    services: Mapping[meta.Key, resources.Object],
    endpoints: Mapping[meta.Key, Sequence[Mapping[str, Any]]],
) -> set[str]:
    for _ in range(_HOPS):
        if service["spec"].get("type") != "ExternalName":
            break
        name = str(service["spec"].get("externalName") or "").removesuffix(".")
        if _is_address(name):
            return {name}
        target = services.get(_key(name))
        if target is None:
            return set()
        service = target
    else:
        return set()
    if _is_headless(service):
        return {address for each in endpoints.get(meta.key(service), ()) for address in _open(service, each)}
    address = service["spec"].get("clusterIP") or ""
    return {address} if address else set()


def _key(name: str) -> meta.Key:
    """The Service that ``web.shop.svc.cluster.local`` means."""
    words = name.removesuffix(f".svc.{DOMAIN}").removesuffix(".svc").split(".")
    return meta.Key(words[1], words[0]) if len(words) == 2 else meta.Key("", "")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _open(service: resources.Object, endpoint: Mapping[str, Any]) -> Sequence[str]:
    """The addresses of an endpoint that may be told: it is ready, or the Service does not mind."""
    ready = (endpoint.get("conditions") or {}).get("ready") is not False
    told = ready or service["spec"].get("publishNotReadyAddresses")
    return endpoint.get("addresses") or () if told else ()


def _hosts(key: meta.Key, service: resources.Object, endpoints: Sequence[Mapping[str, Any]]) -> Iterator[Entry]:
    for each in endpoints:
        if each.get("hostname"):
            for address in _open(service, each):
                yield Entry(*key, address, each["hostname"])


def lines(found: Sequence[Entry], namespace: str) -> str:
    """The lines that all pods of ``namespace`` have."""
    return "".join(f"{each.address}\t{' '.join(_names(each, namespace))}\n" for each in found)


def _names(entry: Entry, namespace: str) -> Iterator[str]:
    stem = f"{entry.host}.{entry.service}" if entry.host else entry.service
    if entry.namespace == namespace:
        yield stem
    yield from (f"{stem}.{entry.namespace}{end}" for end in ("", ".svc", f".svc.{DOMAIN}"))


def render(pod: resources.Object, address: str, common: str, machine: str) -> str:
    """The whole file of a pod. ``common`` are its namespace's ``lines``, ``machine`` is what the machine's own file says."""
    spec, namespace = pod["spec"], meta.namespace(pod)
    name = spec.get("hostname") or meta.name(pod)
    long = f"{name}.{spec['subdomain']}.{namespace}.svc.{DOMAIN} " if spec.get("subdomain") else ""
    aliases = "".join(
        f"{each['ip']}\t{' '.join(each['hostnames'])}\n"
        for each in spec.get("hostAliases") or ()
        if each.get("hostnames")
    )
    loopback = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    own = "" if spec.get("hostNetwork") else f"{address}\tlocalhost\n{address}\t{long}{name}\n"
    return f"{_HEAD}\n{loopback}{own}{aliases}{common}{machine}"
