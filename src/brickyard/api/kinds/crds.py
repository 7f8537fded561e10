"""The custom kinds of AIBrix as CustomResourceDefinitions: names, scope, subresources, printer columns, schemas.

Schemas are permissive: ``spec`` and ``status`` take any field, so that every generation of manifests applies unchanged; what a
controller cannot use it reports in the object's status. Companions are kinds of other projects that AIBrix manifests bring along:
a machine without those projects stores them, a cluster has their own definitions.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from brickyard.api.kinds import resources

AUTOSCALING_GROUP = "autoscaling.aibrix.ai"
MODEL_GROUP = "model.aibrix.ai"
ORCHESTRATION_GROUP = "orchestration.aibrix.ai"
VERSION = "v1alpha1"

POD_AUTOSCALER = resources.ResourceType(AUTOSCALING_GROUP, VERSION, "podautoscalers", "PodAutoscaler")
MODEL_ADAPTER = resources.ResourceType(MODEL_GROUP, VERSION, "modeladapters", "ModelAdapter")
MODEL_CLAIM = resources.ResourceType(MODEL_GROUP, VERSION, "modelclaims", "ModelClaim")
STORM_SERVICE = resources.ResourceType(ORCHESTRATION_GROUP, VERSION, "stormservices", "StormService")
ROLE_SET = resources.ResourceType(ORCHESTRATION_GROUP, VERSION, "rolesets", "RoleSet")
POD_SET = resources.ResourceType(ORCHESTRATION_GROUP, VERSION, "podsets", "PodSet")
KV_CACHE = resources.ResourceType(ORCHESTRATION_GROUP, VERSION, "kvcaches", "KVCache")
RAY_CLUSTER_FLEET = resources.ResourceType(ORCHESTRATION_GROUP, VERSION, "rayclusterfleets", "RayClusterFleet")
RAY_CLUSTER_REPLICA_SET = resources.ResourceType(
    ORCHESTRATION_GROUP, VERSION, "rayclusterreplicasets", "RayClusterReplicaSet"
)
HTTP_ROUTE = resources.ResourceType("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")


@dataclasses.dataclass(frozen=True, slots=True)
class _Column:
    name: str
    path: str
    type: str = "string"


@dataclasses.dataclass(frozen=True, slots=True)
class _Kind:
    type: resources.ResourceType
    description: str
    columns: tuple[_Column, ...] = ()
    short_names: tuple[str, ...] = ()
    scalable: bool = False
    annotations: tuple[tuple[str, str], ...] = ()


_READY = '.status.conditions[?(@.type=="Ready")].status'
_CREATED = ".metadata.creationTimestamp"
_AGE = _Column("Age", _CREATED, "date")

_KINDS = (
    _Kind(
        POD_AUTOSCALER,
        "PodAutoscaler scales a workload by metrics of its pods.",
        (
            _Column("MINPODS", ".spec.minReplicas", "integer"),
            _Column("MAXPODS", ".spec.maxReplicas", "integer"),
            _Column("REPLICAS", ".status.actualScale", "integer"),
            _Column("STRATEGY", ".spec.scalingStrategy"),
            _Column("AGE", _CREATED, "date"),
        ),
    ),
    _Kind(
        MODEL_ADAPTER,
        "ModelAdapter loads a LoRA adapter into the pods of its base model.",
        (
            _Column("Phase", ".status.phase"),
            _Column("Desired", ".status.desiredReplicas", "integer"),
            _Column("Ready", ".status.readyReplicas", "integer"),
            _Column("Candidates", ".status.candidates", "integer"),
            _Column("Model Path", ".spec.artifactURL"),
            _AGE,
        ),
    ),
    _Kind(
        MODEL_CLAIM,
        "ModelClaim activates a model in a pool of warm pods.",
        (
            _Column("Phase", ".status.phase"),
            _Column("Desired", ".status.desiredReplicas", "integer"),
            _Column("Ready", ".status.readyReplicas", "integer"),
            _Column("Engine", ".spec.engine"),
            _Column("Artifact", ".spec.artifactURL"),
            _AGE,
        ),
        short_names=("mc",),
    ),
    _Kind(
        STORM_SERVICE,
        "StormService runs replicas of a set of roles, such as prefill and decode.",
        (
            _Column("Replicas", ".spec.replicas", "integer"),
            _Column("Ready", _READY),
            _Column("Paused", ".spec.paused", "boolean"),
            _AGE,
        ),
        scalable=True,
    ),
    _Kind(ROLE_SET, "RoleSet is one replica of a set of roles.", (_Column("Ready", _READY), _AGE)),
    _Kind(
        POD_SET,
        "PodSet is a group of pods that together are one replica of a role.",
        (
            _Column("ReadyPods", ".status.readyPods", "integer"),
            _Column("TotalPods", ".status.totalPods", "integer"),
            _Column("Phase", ".status.phase"),
            _AGE,
        ),
    ),
    _Kind(KV_CACHE, "KVCache runs a distributed cache of attention keys and values."),
    _Kind(RAY_CLUSTER_FLEET, "RayClusterFleet rolls out Ray clusters as a Deployment rolls out pods.", scalable=True),
    _Kind(RAY_CLUSTER_REPLICA_SET, "RayClusterReplicaSet keeps a number of equal Ray clusters."),
)

_COMPANIONS = (
    _Kind(
        HTTP_ROUTE,
        "HTTPRoute is the Gateway API's route. It is stored here; our gateway finds its models by their pods.",
        (_Column("Hostnames", ".spec.hostnames"), _AGE),
        annotations=(("api-approved.kubernetes.io", "unapproved, stands in where the Gateway API is not installed"),),
    ),
)


def definitions() -> list[resources.Object]:
    """What a machine of its own registers: the AIBrix kinds and their companions, each as a fresh CustomResourceDefinition."""
    return [_definition(kind) for kind in (*_KINDS, *_COMPANIONS)]


def cluster_definitions() -> list[resources.Object]:
    """What a cluster is given: the nine AIBrix kinds. Companions belong to their own projects there."""
    return [_definition(kind) for kind in _KINDS]


def _definition(kind: _Kind) -> resources.Object:
    found = kind.type
    names: dict[str, Any] = {
        "plural": found.plural,
        "singular": found.kind.lower(),
        "kind": found.kind,
        "listKind": f"{found.kind}List",
    }
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    metadata: dict[str, Any] = {"name": f"{found.plural}.{found.group}"}
    if kind.annotations:
        metadata["annotations"] = dict(kind.annotations)
    return {
        "apiVersion": resources.CUSTOM_RESOURCE_DEFINITION.api_version,
        "kind": resources.CUSTOM_RESOURCE_DEFINITION.kind,
        "metadata": metadata,
        "spec": {
            "group": found.group,
            "names": names,
            "scope": "Namespaced" if found.namespaced else "Cluster",
            "versions": [_version(kind)],
        },
    }


def _version(kind: _Kind) -> dict[str, Any]:
    subresources: dict[str, Any] = {"status": {}}
    if kind.scalable:
        subresources["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.scalingTargetSelector",
        }
    version: dict[str, Any] = {"name": kind.type.version, "served": True, "storage": True}
    if kind.columns:
        version["additionalPrinterColumns"] = [
            {"name": each.name, "type": each.type, "jsonPath": each.path} for each in kind.columns
        ]
    return {**version, "subresources": subresources, "schema": {"openAPIV3Schema": _schema(kind)}}


def _schema(kind: _Kind) -> dict[str, Any]:
    name = kind.type.kind
    return {
        "type": "object",
        "description": kind.description,
        "properties": {
            "apiVersion": {"type": "string", "description": "Group and version of this object's form."},
            "kind": {"type": "string", "description": "What this object is."},
            "metadata": {"type": "object"},
            "spec": _open(f"What is wanted of this {name}."),
            "status": _open(f"What was last observed of this {name}. Written by its controller."),
        },
    }


def _open(description: str) -> dict[str, Any]:
    return {"type": "object", "description": description, "x-kubernetes-preserve-unknown-fields": True}
