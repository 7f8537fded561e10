"""RayClusterFleet: rolls out Ray clusters as a Deployment rolls out pods, and its vocabulary."""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import core, kind, resources, views
from brickyard.api.kinds.raycluster import types as raycluster

ROLLING_UPDATE: Final = "RollingUpdate"
RECREATE: Final = "Recreate"
DEFAULT_SURGE: Final = "25%"
"""What an absent strategy means, for maxSurge and maxUnavailable alike."""

# Condition types.
AVAILABLE: Final = "Available"
PROGRESSING: Final = "Progressing"
REPLICA_FAILURE: Final = "ReplicaFailure"

REASON_AVAILABLE: Final = "MinimumReplicasAvailable"
REASON_UNAVAILABLE: Final = "MinimumReplicasUnavailable"
REASON_CREATED: Final = "NewReplicaSetCreated"
REASON_FOUND: Final = "FoundNewReplicaSet"
REASON_UPDATED: Final = "ReplicaSetUpdated"
REASON_COMPLETE: Final = "NewReplicaSetAvailable"
REASON_DEADLINE_EXCEEDED: Final = "ProgressDeadlineExceeded"
REASON_CREATE_ERROR: Final = "ReplicaSetCreateError"
"""Also an event."""
REASON_PAUSED: Final = "DeploymentPaused"
REASON_RESUMED: Final = "DeploymentResumed"

# Reasons of events.
EVENT_SCALING: Final = "ScalingReplicaSet"
EVENT_SELECTING_ALL: Final = "SelectingAll"
EVENT_ROLLBACK: Final = "DeploymentRollback"
EVENT_ROLLBACK_NOT_FOUND: Final = "DeploymentRollbackRevisionNotFound"
EVENT_ROLLBACK_UNCHANGED: Final = "DeploymentRollbackTemplateUnchanged"


class RollingUpdate(views.View):
    """How far a rollout may go at a time."""

    max_unavailable = views.int_or_text("Most clusters that may be missing meanwhile, a number or a share.")
    max_surge = views.int_or_text("Most clusters that may be there in excess meanwhile, a number or a share.")


class Strategy(views.View):
    """How clusters are replaced."""

    type = views.text("RollingUpdate or Recreate; absent means RollingUpdate, a quarter at a time.").absent("")
    rolling_update = views.part("How far a rollout may go at a time.", RollingUpdate).absent({})


class RayClusterFleetSpec(views.View):
    """How many Ray clusters, of what, and how they are replaced."""

    replicas = views.integer("Ray clusters wanted; absent means 1.").default(1)
    selector = views.part(
        "Finds the Ray clusters; must match the labels of the template.", core.LabelSelector
    ).required()
    template = views.part("What Ray clusters are made of.", raycluster.RayClusterTemplate).absent({})
    strategy = views.part("How clusters are replaced.", Strategy).absent({})
    min_ready_seconds = views.integer(
        "Seconds that a cluster must have been ready to count as available; absent means 0."
    ).absent(0)
    revision_history_limit = views.integer("Old RayClusterReplicaSets kept to go back to; absent means 10.").default(10)
    paused = views.boolean("Holds the rollout.").absent(False)
    progress_deadline_seconds = views.integer(
        "Seconds without progress after which a rollout counts as failed; absent means 600."
    ).default(600)


class FleetCondition(views.View):
    """One observation of a fleet, in the form of a Deployment's conditions."""

    type = views.text("Available, Progressing or ReplicaFailure.").required()
    status = views.text("Whether it holds: True, False or Unknown.").required()
    last_update_time = views.moment("When the condition was last written.")
    last_transition_time = views.moment("When status last changed.")
    reason = views.text("Why, in one CamelCase word for programs.").absent("")
    message = views.text("Why, in a sentence for people.").absent("")


class RayClusterFleetStatus(views.View):
    """How far the rollout has come."""

    observed_generation = views.integer("The generation of spec that was looked at.", bits=64).absent(0)
    replicas = views.integer("Ray clusters that exist.").absent(0)
    updated_replicas = views.integer("Those of the latest template.").absent(0)
    ready_replicas = views.integer("Those that are ready.").absent(0)
    available_replicas = views.integer("Those that have been ready for minReadySeconds.").absent(0)
    unavailable_replicas = views.integer("Those still missing to be available.").absent(0)
    conditions = views.parts("Available, Progressing, ReplicaFailure.", FleetCondition, keys=("type",))
    collision_count = views.integer("How often the name of a RayClusterReplicaSet was taken by other content.")
    scaling_target_selector = views.text("Finds the pods that an autoscaler looks at, as text.").absent("")


class RayClusterFleet(kind.Kind):
    """RayClusterFleet rolls out Ray clusters as a Deployment rolls out pods."""

    type = resources.RAY_CLUSTER_FLEET
    scale = kind.Scale()

    spec = (
        views.part("How many Ray clusters, of what, and how they are replaced.", RayClusterFleetSpec)
        .absent({})
        .nullable()
    )
    status = views.part("How far the rollout has come. Written by the controller.", RayClusterFleetStatus).absent({})
