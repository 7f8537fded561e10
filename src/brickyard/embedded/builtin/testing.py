"""Objects for tests of the built-in controllers, as the API server would hand them out."""

from __future__ import annotations

import itertools
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.objects import owners
from brickyard.lib import clock

NOW = 1_700_000_000.0

_uids = itertools.count(1)


def ago(seconds: float) -> str:
    """A timestamp that many seconds before ``NOW``."""
    return clock.rfc3339(NOW - seconds)


def metadata(name: str, age: float = 0.0, **more: Any) -> dict[str, Any]:
    """The metadata of a stored object in namespace ``default``."""
    return {
        "name": name,
        "namespace": "default",
        "uid": f"uid-{next(_uids)}",
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": ago(age),
        **more,
    }


def template(image: str = "web:1", **labels: str) -> dict[str, Any]:
    """A pod template with one container, ``web``, that listens on the port named ``http``."""
    container = {"name": "web", "image": image, "ports": [{"name": "http", "containerPort": 8000, "protocol": "TCP"}]}
    return {"metadata": {"labels": {"app": "web", **labels}}, "spec": {"containers": [container]}}


def pod(  # noqa: PLR0913 - each a plain knob of the fake
    name: str = "web-1",
    *,
    phase: str = "Running",
    ready: bool = True,
    ready_for: float = 60.0,
    ip: str = "127.64.0.1",
    node: str = "here",
    owner: resources.Object | None = None,
    **more: Any,
) -> resources.Object:
    """A pod labelled ``app=web``. ``more`` goes to its metadata."""
    conditions = [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": ago(ready_for)}]
    status: dict[str, Any] = {"phase": phase, "conditions": conditions}
    if ip:
        status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
    if owner is not None:
        more["ownerReferences"] = [owners.owner_reference(owner)]
    body = template()
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(name, **{"labels": body["metadata"]["labels"], **more}),
        "spec": {**body["spec"], **({"nodeName": node} if node else {})},
        "status": status,
    }


def replica_set(name: str = "web", replicas: int = 1, **spec: Any) -> resources.Object:
    """A ReplicaSet that selects ``app=web``."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": metadata(name),
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template(), **spec},
        "status": {"replicas": 0},
    }


def deployment(name: str = "web", replicas: int = 3, image: str = "web:1", **spec: Any) -> resources.Object:
    """A Deployment that selects ``app=web``, with Kubernetes' defaults filled in."""
    defaults = {
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(image),
            **defaults,
            **spec,
        },
        "status": {},
    }


def service(name: str = "web", **spec: Any) -> resources.Object:
    """A Service that selects ``app=web`` and sends port 80 to the port named ``http``."""
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name),
        "spec": {"type": "ClusterIP", "selector": {"app": "web"}, "ports": ports, **spec},
    }
