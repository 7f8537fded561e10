"""Objects that every cluster has, and that clients and manifests take for granted.

In each namespace, kept as long as the namespace is: the ServiceAccount ``default`` and the ConfigMap ``kube-root-ca.crt`` with the
certificate by which this server is known. Once: the Service ``kubernetes`` with its EndpointSlice, which says where this server
listens, and the priority classes of the system.
"""

from __future__ import annotations

from typing import Any, Final

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import chores, drafts, records, strategies, writes
from brickyard.embedded.apiserver.admission import policy
from brickyard.embedded.apiserver.context import Context

_NAMESPACES: Final = records.resource_of(resources.NAMESPACE)
_ACCOUNTS: Final = records.resource_of(resources.SERVICE_ACCOUNT)
_CONFIG_MAPS: Final = records.resource_of(resources.CONFIG_MAP)
_ROOT_CA: Final = "kube-root-ca.crt"
_KEPT: Final = frozenset({(_ACCOUNTS, strategies.DEFAULT_ACCOUNT), (_CONFIG_MAPS, _ROOT_CA)})
_SERVER: Final = "kubernetes"
_HTTPS: Final = 443


async def ensure(context: Context, port: int) -> None:
    """Make what there is once, and let it say that the server listens on ``port``."""
    for name, value in policy.SYSTEM_PRIORITIES.items():
        content: dict[str, Any] = {"value": value, "description": "Used for parts of the system that must run."}
        await _keep(context, resources.PRIORITY_CLASS, {"metadata": {"name": name}, **content})
    metadata = {"name": _SERVER, "namespace": "default"}
    plain = {"component": "apiserver", "provider": "kubernetes"}
    ports = [{"name": "https", "protocol": "TCP", "port": _HTTPS, "targetPort": port}]
    await _keep(context, resources.SERVICE, {"metadata": {**metadata, "labels": plain}, "spec": {"ports": ports}})
    endpoints = {
        "metadata": {**metadata, "labels": {names.SERVICE_OF_SLICE: _SERVER}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    await _keep(context, resources.ENDPOINT_SLICE, endpoints)


async def _keep(context: Context, kind: resources.ResourceType, wanted: resources.Object) -> None:
    """Create the object, or give it back the top-level fields of ``wanted`` that it has no more."""
    resource = context.catalog.find(kind.group, kind.version, kind.plural)
    if resource is None:
        return
    metadata = wanted["metadata"]
    place = drafts.Place(resource, metadata.get("namespace", ""), metadata["name"])
    record = context.store.latest(place.key)
    if record is None:
        await writes.create(context, place, wanted, writes.Options())
        return
    content = {key: each for key, each in wanted.items() if key != "metadata"}
    # Through the kind's own defaults: what is filled in belongs to what is wanted.
    filled = resource.admission.default({**record.decode(), **content})
    await writes.amend(context, record, lambda obj: obj.update({key: filled[key] for key in content}))


class Keeper:
    """``run`` until cancelled: every namespace has what every namespace has."""

    def __init__(self, context: Context, ca_pem: str) -> None:
        self._context = context
        self._ca_pem = ca_pem
        self._chores: chores.Chores[str] = chores.Chores("landmarks", self._work)
        for record in context.store.list(_NAMESPACES):
            self._chores.ask(record.key.name)
        context.store.subscribe(self._heard)

    async def run(self) -> None:
        """Keep them until cancelled."""
        await self._chores.run()

    def _heard(self, change: records.Change) -> None:
        key = change.record.key
        if key.resource == _NAMESPACES:
            if change.type == "ADDED":
                self._chores.ask(key.name)
        elif (key.resource, key.name) in _KEPT and change.type != "ADDED":
            self._chores.ask(key.namespace)

    async def _work(self, namespace: str) -> None:
        found = self._context.store.latest(records.Key(_NAMESPACES, "", namespace))
        if found is None or found.deleting:
            return
        account = {"metadata": {"name": strategies.DEFAULT_ACCOUNT, "namespace": namespace}}
        root = {"metadata": {"name": _ROOT_CA, "namespace": namespace}, "data": {"ca.crt": self._ca_pem}}
        await _keep(self._context, resources.SERVICE_ACCOUNT, account)
        await _keep(self._context, resources.CONFIG_MAP, root)
