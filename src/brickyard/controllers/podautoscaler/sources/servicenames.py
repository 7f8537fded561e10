"""Where Services are, for controllers that no cluster's name server tells: those of one machine, which run outside of its pods.

    host                                                   address
    web.shop.svc.cluster.local, web.shop.svc, web.shop     the Service's own; of a headless one that of its first ready pod;
                                                           of an ExternalName whatever that is the name of
    web-0.web.shop.svc…                                    the ready pod of that host name behind the Service
    anything else                                          as the machine resolves it

The API is asked whenever a connection is made, which is seldom: connections are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors
from brickyard.lib import pages

_DOMAIN: Final = ".cluster.local"
_ENDING: Final = ".svc"
_HOPS: Final = 8
"""ExternalNames that may lead to one another."""


class Name(NamedTuple):
    """What a host says. ``pod``: host name of one pod behind the Service; "" for the Service itself. ``sure``: it can be nothing else."""

    service: str
    namespace: str
    pod: str = ""
    sure: bool = True

    def __str__(self) -> str:
        return f"Service {self.namespace}/{self.service}"


def read(host: str) -> Name | None:
    """``host`` as the name of a Service; None where it is none."""
    short = host.lower().removesuffix(".").removesuffix(_DOMAIN)
    words = short.removesuffix(_ENDING).split(".")
    sure = short.endswith(_ENDING)
    if not all(words) or len(words) > 3 or len(words) < 2 or (len(words) == 3 and not sure):
        return None
    *pod, service, namespace = words
    return Name(service, namespace, "".join(pod), sure)


class ServiceNames:
    """``await ServiceNames(client)(host)``: an address, or None for whom the machine knows better. Fills ``pages.Names``."""

    def __init__(self, client: contract.Client) -> None:
        self._client = client

    async def __call__(self, host: str) -> str | None:
        """The address of ``host``.

        Raises:
            PageMissed: the Service is not there, has no address, or cannot be looked up.
        """
        try:
            return await self._address(host)
        except errors.KubeError as error:
            raise pages.PageMissed(f"{host} cannot be looked up: {error}") from error

    async def _address(self, host: str) -> str | None:
        followed = ""
        for _ in range(_HOPS):
            name = read(host)
            service = None if name is None else await self._service(name)
            if name is None or service is None:
                return followed or None
            spec = service["spec"]
            if spec.get("type") != "ExternalName":
                return await self._of(name, spec)
            host = followed = str(spec.get("externalName") or "").removesuffix(".")
        raise pages.PageMissed(f"{host} leads from one ExternalName to the next without end")

    async def _service(self, name: Name) -> resources.Object | None:
        try:
            return await self._client.get(resources.SERVICE, name.service, name.namespace)
        except errors.NotFound as error:
            if name.sure:
                raise pages.PageMissed(f"there is no {name}") from error
            return None

    async def _of(self, name: Name, spec: Mapping[str, Any]) -> str:
        address = spec.get("clusterIP") or ""
        if address != "None" and not name.pod:
            if not address:
                raise pages.PageMissed(f"{name} has no address yet")
            return str(address)
        query = contract.Query(name.namespace, label_selector=f"{names.SERVICE_OF_SLICE}={name.service}")
        slices = (await self._client.list(resources.ENDPOINT_SLICE, query)).items
        ready = sorted(_ready(slices, name.pod))
        if not ready:
            raise pages.PageMissed(f"{name} has no ready pod" + (f" {name.pod}" if name.pod else ""))
        return ready[0]


def _ready(slices: Sequence[resources.Object], pod: str) -> Iterator[str]:
    for each in slices:
        for endpoint in each.get("endpoints") or ():
            said = (endpoint.get("conditions") or {}).get("ready") is not False
            if said and (not pod or endpoint.get("hostname") == pod):
                yield from endpoint.get("addresses") or ()
