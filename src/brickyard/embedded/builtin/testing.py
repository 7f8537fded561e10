"""For tests of the built-in controllers: objects as the API server would hand them out, and a node agent that starts nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import itertools
from typing import Any

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors
from brickyard.kube.client import testing as clients
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta, owners
from brickyard.lib import clock, tasks, timestamps

NOW = 1_700_000_000.0

_uids = itertools.count(1)


class LoopClock:
    """The running loop's time, which tests make virtual; the wall shows ``NOW`` when the loop begins at 0."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return NOW + self.monotonic()


def ago(seconds: float) -> str:
    """A timestamp that many seconds before ``NOW``."""
    return timestamps.rfc3339(NOW - seconds)


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


async def quiet(client: clients.MemoryClient, period: float = 0.5) -> None:
    """Wait until nothing was asked of ``client`` for ``period`` seconds; call it in virtual time."""
    seen = -1
    while seen != len(client.calls):
        seen = len(client.calls)
        await asyncio.sleep(period)


def unstored(obj: resources.Object) -> resources.Object:
    """``obj`` as a client would send it to be created."""
    kept = ("name", "namespace", "labels", "annotations", "ownerReferences")
    slim = {key: value for key, value in obj.items() if key != "status"}
    return {**slim, "metadata": {key: value for key, value in obj["metadata"].items() if key in kept}}


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


def stateful_set(name: str = "web", replicas: int = 3, image: str = "web:1", **spec: Any) -> resources.Object:
    """A StatefulSet that selects ``app=web``, with Kubernetes' defaults filled in."""
    defaults = {
        "serviceName": "web",
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "revisionHistoryLimit": 10,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
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


def job(name: str = "work", image: str = "work:1", **spec: Any) -> resources.Object:
    """A stored Job: it has the selector and labels that the API server gives it."""
    meta_ = metadata(name)
    own = {"batch.kubernetes.io/controller-uid": meta_["uid"], "batch.kubernetes.io/job-name": name}
    body = template(image, **own)
    body["spec"]["restartPolicy"] = "Never"
    defaults = {"parallelism": 1, "completions": 1, "backoffLimit": 6, "completionMode": "NonIndexed"}
    selector = {"matchLabels": {"batch.kubernetes.io/controller-uid": meta_["uid"]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta_,
        "spec": {**defaults, "selector": selector, "template": body, **spec},
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


@dataclasses.dataclass
class Behaviour:
    """How the fake node treats pods; may be changed at any time.

    ``broken`` holds images whose pods run but never get ready; ``ends`` those whose pods end: after how long, and with which exit
    code. Times are seconds.
    """

    start: float = 0.1
    stop: float = 0.1
    broken: set[str] = dataclasses.field(default_factory=set)
    ends: dict[str, tuple[float, int]] = dataclasses.field(default_factory=dict)


class FakeKubelet:
    """A node that says pods run and are ready without running anything, and lets go of those being deleted."""

    def __init__(self, client: contract.Client, clock_: clock.Clock, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self._client = client
        self._clock = clock_
        self._pods = informers.Informer(client, resources.POD)
        self._addresses = ipaddress.IPv4Network("127.64.0.0/10").hosts()
        self._begun: set[tuple[str, str]] = set()
        self._changes: asyncio.Queue[resources.Object] = asyncio.Queue()

    async def run(self) -> None:
        """Work until cancelled."""
        self._pods.subscribe(self._changed)
        async with tasks.Scope("fake-kubelet") as scope:
            scope.start(self._pods.run(), name="pods")
            while True:
                pod = await self._changes.get()
                step = self._end(pod) if meta.is_deleting(pod) else self._begin(pod)
                scope.start(self._tolerant(step), name=meta.name(pod))

    def _changed(self, old: resources.Object | None, new: resources.Object | None) -> None:
        del old
        if new is None:
            return
        life = (meta.uid(new), str(new["metadata"].get("deletionTimestamp") is not None))
        if life not in self._begun:
            self._begun.add(life)
            self._changes.put_nowait(new)

    async def _tolerant(self, step: Any) -> None:
        try:
            await step
        except (errors.NotFound, errors.Conflict):
            return  # the pod went away in the meantime

    async def _begin(self, pod: resources.Object) -> None:
        key = meta.key(pod)
        await self._client.patch(resources.POD, key, {"spec": {"nodeName": "here"}})
        await asyncio.sleep(self.behaviour.start)
        image = pod["spec"]["containers"][0]["image"]
        await self.set_ready(key, image not in self.behaviour.broken, str(next(self._addresses)))
        if image in self.behaviour.ends:
            after, code = self.behaviour.ends[image]
            await asyncio.sleep(after)
            await self._client.patch(resources.POD, key, {"status": self._ended(pod, code)}, subresource="status")

    def _ended(self, pod: resources.Object, code: int) -> dict[str, Any]:
        reason = "Error" if code else "Completed"
        state = {
            "terminated": {"exitCode": code, "reason": reason, "finishedAt": timestamps.rfc3339(self._clock.wall())}
        }
        told = [{"name": each["name"], "state": state, "restartCount": 0} for each in pod["spec"]["containers"]]
        said = {"type": "Ready", "status": "False", "reason": "PodCompleted"}
        return {"phase": "Failed" if code else "Succeeded", "containerStatuses": told, "conditions": [said]}

    async def set_ready(self, key: tuple[str, str], ready: bool, ip: str = "") -> None:
        """Write a running pod's status."""
        stamp = timestamps.rfc3339(self._clock.wall())
        said = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": stamp}
        status: dict[str, Any] = {"phase": "Running", "conditions": [said]}
        if ip:
            status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
        await self._client.patch(resources.POD, key, {"status": status}, subresource="status")

    async def _end(self, pod: resources.Object) -> None:
        await asyncio.sleep(self.behaviour.stop)
        options = contract.DeleteOptions(grace_period_seconds=0, uid=meta.uid(pod))
        await self._client.delete(resources.POD, meta.key(pod), options)


def claim(name: str = "data", size: str = "1Gi", **spec: Any) -> resources.Object:
    """A claim that nobody has acted on."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(name),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            "volumeMode": "Filesystem",
            **spec,
        },
        "status": {"phase": "Pending"},
    }


def volume(name: str = "disk", size: str = "1Gi", **spec: Any) -> resources.Object:
    """A volume of no class, made by hand."""
    made = metadata(name)
    del made["namespace"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": made,
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": size},
            "hostPath": {"path": f"/srv/{name}", "type": ""},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "volumeMode": "Filesystem",
            **spec,
        },
        "status": {"phase": "Available"},
    }


def storage_class(name: str = "brickyard", provisioner: str = "brickyard.io/folder", **fields: Any) -> resources.Object:
    """A StorageClass; of one by the default name, the default."""
    made = metadata(name)
    del made["namespace"]
    if name == "brickyard":
        made["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": made,
        "provisioner": provisioner,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": True,
        **fields,
    }


def daemon_set(name: str = "web", image: str = "web:1", **spec: Any) -> resources.Object:
    """A DaemonSet that selects ``app=web``, with Kubernetes' defaults filled in."""
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": metadata(name),
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(image),
            "updateStrategy": rolling,
            "revisionHistoryLimit": 10,
            **spec,
        },
        "status": {},
    }


def node(name: str = "here", **labels: str) -> resources.Object:
    """A node."""
    made = metadata(name, labels={names.HOSTNAME_TOPOLOGY: name, **labels})
    del made["namespace"]
    return {"apiVersion": "v1", "kind": "Node", "metadata": made, "spec": {}, "status": {}}
