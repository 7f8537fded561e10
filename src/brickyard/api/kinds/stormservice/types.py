"""StormService: runs replicas of a set of roles, and its vocabulary."""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import core, kind, resources, views
from brickyard.api.kinds.roleset import types as roleset

ROLLING_UPDATE: Final = "RollingUpdate"
"""RoleSets are replaced."""
IN_PLACE_UPDATE: Final = "InPlaceUpdate"
"""RoleSets stay and take the new roles."""
UPDATE_STRATEGIES: Final = (ROLLING_UPDATE, IN_PLACE_UPDATE)

DEFAULT_REPLICAS: Final = 1
DEFAULT_REVISION_HISTORY_LIMIT: Final = 10
MAX_NAME_LENGTH: Final = 63

# Condition types, of which there is one at a time, each with its only reason.
READY: Final = "Ready"
PROGRESSING: Final = "Progressing"
REPLICA_FAILURE: Final = "ReplicaFailure"
REASON_READY: Final = "Ready"
REASON_PROGRESSING: Final = "Processing"
REASON_FAILURE: Final = "Failure"

# Reasons of events.
EVENT_SCALING: Final = "Scaling"
EVENT_ROLLOUT: Final = "Rollout"
EVENT_SERVICE_SYNCED: Final = "HeadlessServiceSynced"


class RoleSetTemplate(views.View):
    """What RoleSets are made of."""

    metadata = views.part("Labels and annotations of each RoleSet.", core.EmbeddedMetadata).absent({})
    spec = views.part("Spec of each RoleSet; without it nothing is made.", roleset.RoleSetSpec)


class UpdateStrategy(views.View):
    """How RoleSets change."""

    type = views.text(
        "RollingUpdate replaces RoleSets one after the other. InPlaceUpdate keeps them and changes their roles. Absent means "
        "RollingUpdate.",
        enum=UPDATE_STRATEGIES,
    ).default(ROLLING_UPDATE)
    max_unavailable = views.int_or_text(
        "Most RoleSets that may be missing meanwhile, a number or a share; absent means 0."
    ).absent(0)
    max_surge = views.int_or_text(
        "Most RoleSets that may be there in excess meanwhile, a number or a share; absent means 0. Where both are 0, one RoleSet at a "
        "time may be missing."
    ).absent(0)


class StormServiceSpec(views.View):
    """How many RoleSets, of what, and how they change."""

    replicas = views.integer("RoleSets wanted; absent means 1.").absent(DEFAULT_REPLICAS)
    selector = views.part("Finds the RoleSets; must match the labels of the template.", core.LabelSelector).required()
    stateful = views.boolean("Whether RoleSets have a number that their successors take over.").absent(False)
    template = views.part("What RoleSets are made of.", RoleSetTemplate).required()
    update_strategy = views.part("How RoleSets change.", UpdateStrategy).absent({})
    revision_history_limit = views.integer("Old revisions kept to go back to; absent means 10.").absent(
        DEFAULT_REVISION_HISTORY_LIMIT
    )
    paused = views.boolean("Holds the rollout; scaling goes on.").absent(False)
    disruption_tolerance = views.part("How much may be missing. Accepted, without effect.", roleset.DisruptionTolerance)


class StormServiceStatus(views.View):
    """How far the RoleSets have come."""

    observed_generation = views.integer("The generation of spec that was looked at.", bits=64).absent(0)
    replicas = views.integer("RoleSets that exist.").absent(0)
    ready_replicas = views.integer("RoleSets that are ready.").absent(0)
    not_ready_replicas = views.integer("RoleSets that are not.").absent(0)
    current_replicas = views.integer("RoleSets of currentRevision.").absent(0)
    updated_replicas = views.integer("RoleSets of updateRevision.").absent(0)
    updated_ready_replicas = views.integer("Those of them that are ready.").absent(0)
    current_revision = views.text("Name of the ControllerRevision that was last rolled out wholly.").absent("")
    update_revision = views.text("Name of the ControllerRevision that is rolled out.").absent("")
    collision_count = views.integer("How often a revision's name was taken by other content.")
    conditions = views.parts("One of Ready, Progressing and ReplicaFailure.", core.LooseCondition)
    scaling_target_selector = views.text("Finds the pods that an autoscaler looks at, as text.").absent("")
    role_statuses = views.parts("What there is of each role, over all RoleSets, by name.", roleset.RoleStatus)


class StormService(kind.Kind):
    """StormService runs replicas of a set of roles, such as prefill and decode."""

    type = resources.STORM_SERVICE
    scale = kind.Scale()
    columns = (
        kind.Column("Replicas", ".spec.replicas", "integer"),
        kind.READY,
        kind.Column("Paused", ".spec.paused", "boolean"),
        kind.age(),
    )

    spec = views.part("How many RoleSets, of what, and how they change.", StormServiceSpec).absent({}).nullable()
    status = views.part("How far the RoleSets have come. Written by the controller.", StormServiceStatus).absent({})
