"""A kopf operator as people write them: handlers for a kind of its own. ``kopf run`` loads it; it imports nothing of ours.

It makes a ConfigMap for each Gadget, follows its size, and says goodbye by deleting what it made outside of ownership.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import kopf
import lightkube
from lightkube.models import meta_v1
from lightkube.resources import core_v1

GROUP = os.environ["TOYS_GROUP"]
Body = Any

# kopf passes what a handler asks for by name; its types want every handler to take everything.
On = Callable[..., Callable[[Callable[..., Any]], Any]]
on_startup: On = kopf.on.startup
on_create: On = kopf.on.create
on_update: On = kopf.on.update
on_delete: On = kopf.on.delete
on_timer: On = kopf.on.timer


def client(namespace: str) -> lightkube.Client:
    return lightkube.Client(config=lightkube.KubeConfig.from_env(), namespace=namespace)


def made(child: dict[str, Any]) -> core_v1.ConfigMap:
    return core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(**child["metadata"]), data=child["data"])


@on_startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.peering.standalone = True
    settings.posting.enabled = True
    settings.watching.server_timeout = 600
    settings.networking.error_backoffs = [0.2] * 100


@on_create(GROUP, "v1", "gadgets")
def created(spec: Body, name: str, namespace: str, body: Body, patch: Body, **_: Any) -> dict[str, Any]:
    metadata = {"name": f"of-{name}"}
    child = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"size": str(spec["size"])}}
    kopf.adopt(child)
    with client(namespace) as api:
        api.create(made(child))
        api.create(made({"metadata": {"name": f"free-of-{name}"}, "data": {}}))
    patch.status["replicas"] = 1
    kopf.info(body, reason="Made", message=f"made of-{name}")
    return {"made": f"of-{name}"}


@on_update(GROUP, "v1", "gadgets", field="spec.size")
def resized(old: int, new: int, name: str, namespace: str, retry: int, **_: Any) -> dict[str, Any]:
    if retry == 0:
        raise kopf.TemporaryError("not at the first try", delay=0.2)
    with client(namespace) as api:
        api.patch(core_v1.ConfigMap, f"of-{name}", {"data": {"size": str(new)}})
    return {"from": old, "to": new}


@on_delete(GROUP, "v1", "gadgets")
def deleted(name: str, namespace: str, **_: Any) -> None:
    with client(namespace) as api:
        api.delete(core_v1.ConfigMap, f"free-of-{name}")


@kopf.timer(GROUP, "v1", "gadgets", interval=0.5)
def ticked(patch: Body, status: Body, **_: Any) -> None:
    if not status.get("selector"):
        patch.status["selector"] = "ticked=yes"
