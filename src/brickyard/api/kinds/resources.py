"""Identity of the kinds we speak of: group, version, plural, kind, scope.

Objects themselves are plain dicts, so that unknown fields survive a read-modify-write.
"""

from __future__ import annotations

import dataclasses
from typing import Any

Object = dict[str, Any]
"""A Kubernetes object as decoded JSON."""


@dataclasses.dataclass(frozen=True, slots=True)
class ResourceType:
    """A kind and where it is served."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def base_path(self) -> str:
        """``/apis/apps/v1`` or ``/api/v1``."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """URL path of the collection, of one object, or of a part of it. ``namespace`` "" means all namespaces."""
        parts = [self.base_path]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


NAMESPACE = ResourceType("", "v1", "namespaces", "Namespace", namespaced=False)
NODE = ResourceType("", "v1", "nodes", "Node", namespaced=False)
POD = ResourceType("", "v1", "pods", "Pod")
SERVICE = ResourceType("", "v1", "services", "Service")
CONFIG_MAP = ResourceType("", "v1", "configmaps", "ConfigMap")
SECRET = ResourceType("", "v1", "secrets", "Secret")
EVENT = ResourceType("", "v1", "events", "Event")
DEPLOYMENT = ResourceType("apps", "v1", "deployments", "Deployment")
REPLICA_SET = ResourceType("apps", "v1", "replicasets", "ReplicaSet")
ENDPOINT_SLICE = ResourceType("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
LEASE = ResourceType("coordination.k8s.io", "v1", "leases", "Lease")
CUSTOM_RESOURCE_DEFINITION = ResourceType(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
SERVICE_ACCOUNT = ResourceType("", "v1", "serviceaccounts", "ServiceAccount")
ENDPOINTS = ResourceType("", "v1", "endpoints", "Endpoints")
PERSISTENT_VOLUME_CLAIM = ResourceType("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
