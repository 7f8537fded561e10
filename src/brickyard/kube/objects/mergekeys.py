"""Which lists of the built-in kinds are merged, and by which key: data for ``strategic``.

Kubernetes keeps this in tags on its types and publishes it as ``x-kubernetes-patch-strategy`` and
``x-kubernetes-patch-merge-key``; a list that is not named here is replaced as a whole, so nothing inside it needs a name. Only
structures on the way to a merged list appear.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """How one field of a structure is patched.

    Attributes:
        struct: name of the structure inside (of its elements, for a list), "" when nothing inside needs care.
        merge: the list is merged instead of replaced.
        key: what identifies its elements; "" for a list of scalars, which is merged as a set.
    """

    struct: str = ""
    merge: bool = False
    key: str = ""


Struct = dict[str, Field]


def _by(key: str, struct: str = "") -> Field:
    return Field(struct, merge=True, key=key)


_CONDITIONS = {"conditions": _by("type")}
_CONTAINER = {
    "env": _by("name"),
    "ports": _by("containerPort"),
    "volumeDevices": _by("devicePath"),
    "volumeMounts": _by("mountPath"),
}

STRUCTS: dict[str, Struct] = {
    "ObjectMeta": {"ownerReferences": _by("uid"), "finalizers": Field(merge=True)},
    "Container": _CONTAINER,
    "PodSpec": {
        "containers": _by("name", "Container"),
        "initContainers": _by("name", "Container"),
        "ephemeralContainers": _by("name", "Container"),
        "hostAliases": _by("ip"),
        "imagePullSecrets": _by("name"),
        "resourceClaims": _by("name"),
        "schedulingGates": _by("name"),
        "topologySpreadConstraints": _by("topologyKey"),
        "volumes": _by("name", "Volume"),
    },
    "PodStatus": {
        **_CONDITIONS,
        "hostIPs": _by("ip"),
        "podIPs": _by("ip"),
        "resourceClaimStatuses": _by("name"),
    },
    "Volume": {"ephemeral": Field("EphemeralVolume")},
    "EphemeralVolume": {"volumeClaimTemplate": Field("Annotated")},
    "Annotated": {"metadata": Field("ObjectMeta")},
    "PodTemplateSpec": {"metadata": Field("ObjectMeta"), "spec": Field("PodSpec")},
    "Templated": {"template": Field("PodTemplateSpec")},
    "Scheduled": {"jobTemplate": Field("JobTemplateSpec")},
    "JobTemplateSpec": {"metadata": Field("ObjectMeta"), "spec": Field("Templated")},
    "Webhook": {"matchConditions": _by("name")},
    "Conditioned": _CONDITIONS,
    "ServiceSpec": {"ports": _by("port")},
    "NodeSpec": {"podCIDRs": Field(merge=True)},
    "NodeStatus": {**_CONDITIONS, "addresses": _by("type")},
}

_METADATA = {"metadata": Field("ObjectMeta")}


def _kind(spec: str = "", status: str = "") -> Struct:
    return {**_METADATA, "spec": Field(spec), "status": Field(status)}


KINDS: dict[tuple[str, str], Struct] = {
    ("v1", "Pod"): _kind("PodSpec", "PodStatus"),
    ("v1", "Service"): _kind("ServiceSpec", "Conditioned"),
    ("v1", "Namespace"): _kind(status="Conditioned"),
    ("v1", "Node"): _kind("NodeSpec", "NodeStatus"),
    ("v1", "PersistentVolumeClaim"): _kind(status="Conditioned"),
    ("v1", "ServiceAccount"): {**_METADATA, "secrets": _by("name")},
    ("v1", "ConfigMap"): _METADATA,
    ("v1", "Secret"): _METADATA,
    ("v1", "Event"): _METADATA,
    ("v1", "Endpoints"): _METADATA,
    ("apps/v1", "Deployment"): _kind("Templated", "Conditioned"),
    ("apps/v1", "ReplicaSet"): _kind("Templated", "Conditioned"),
    ("apps/v1", "StatefulSet"): _kind("Templated", "Conditioned"),
    ("apps/v1", "DaemonSet"): _kind("Templated", "Conditioned"),
    ("apps/v1", "ControllerRevision"): _METADATA,
    ("batch/v1", "Job"): _kind("Templated", "Conditioned"),
    ("batch/v1", "CronJob"): _kind("Scheduled"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"): _kind(status="Conditioned"),
    ("policy/v1", "PodDisruptionBudget"): _kind(status="Conditioned"),
    ("v1", "PersistentVolume"): _METADATA,
    ("v1", "ResourceQuota"): _METADATA,
    ("v1", "LimitRange"): _METADATA,
    ("networking.k8s.io/v1", "Ingress"): _METADATA,
    ("networking.k8s.io/v1", "NetworkPolicy"): _METADATA,
    ("rbac.authorization.k8s.io/v1", "Role"): _METADATA,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): _METADATA,
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): _METADATA,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): _METADATA,
    ("resource.k8s.io/v1", "ResourceClaimTemplate"): {**_METADATA, "spec": Field("Annotated")},
    ("scheduling.k8s.io/v1", "PriorityClass"): _METADATA,
    ("storage.k8s.io/v1", "StorageClass"): _METADATA,
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"): {
        **_METADATA,
        "webhooks": _by("name", "Webhook"),
    },
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"): {
        **_METADATA,
        "webhooks": _by("name", "Webhook"),
    },
    ("discovery.k8s.io/v1", "EndpointSlice"): _METADATA,
    ("coordination.k8s.io/v1", "Lease"): _METADATA,
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): _METADATA,
}
"""Built-in kinds by (apiVersion, kind). Custom resources are absent: Kubernetes knows no merge keys for them either."""
