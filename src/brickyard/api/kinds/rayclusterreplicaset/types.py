"""RayClusterReplicaSet: keeps a number of equal Ray clusters, and its vocabulary."""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import core, kind, resources, views
from brickyard.api.kinds.raycluster import types as raycluster

REPLICA_FAILURE: Final = "ReplicaFailure"
"""The only condition type."""
REASON_FAILED_CREATE: Final = "FailedCreate"
REASON_FAILED_DELETE: Final = "FailedDelete"


class RayClusterReplicaSetSpec(views.View):
    """How many Ray clusters, of what."""

    replicas = views.integer("Ray clusters wanted; absent means 1.").default(1)
    min_ready_seconds = views.integer(
        "Seconds that a cluster must have been ready to count as available; absent means 0."
    ).absent(0)
    selector = views.part(
        "Finds the Ray clusters by matchLabels; absent means the labels of the template.", core.LabelSelector
    )
    template = views.part("What Ray clusters are made of.", raycluster.RayClusterTemplate).absent({})


class RayClusterReplicaSetStatus(views.View):
    """What there is of the clusters."""

    replicas = views.integer("Ray clusters that exist.").required()
    fully_labeled_replicas = views.integer("Those that have all labels of the template.").absent(0)
    ready_replicas = views.integer("Those that are ready.").absent(0)
    available_replicas = views.integer("Those that have been ready for minReadySeconds.").absent(0)
    observed_generation = views.integer("The generation of spec that was looked at.", bits=64).absent(0)
    conditions = views.parts("ReplicaFailure.", core.Condition, keys=("type",))


class RayClusterReplicaSet(kind.Kind):
    """RayClusterReplicaSet keeps a number of equal Ray clusters."""

    type = resources.RAY_CLUSTER_REPLICA_SET

    spec = views.part("How many Ray clusters, of what.", RayClusterReplicaSetSpec).absent({}).nullable()
    status = views.part("What there is of the clusters. Written by the controller.", RayClusterReplicaSetStatus).absent(
        {}
    )
