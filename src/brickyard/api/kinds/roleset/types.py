"""RoleSet: one replica of a set of roles, such as prefill and decode, and its vocabulary."""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import core, kind, resources, scheduling, views

# Order in which roles change.
PARALLEL: Final = "Parallel"
SEQUENTIAL: Final = "Sequential"
INTERLEAVE: Final = "Interleave"
UPDATE_STRATEGIES: Final = (PARALLEL, SEQUENTIAL, INTERLEAVE)

# How a role changes.
RECREATE: Final = "Recreate"
IN_PLACE_IF_POSSIBLE: Final = "InPlaceIfPossible"
ROLE_UPDATE_STRATEGIES: Final = (RECREATE, IN_PLACE_IF_POSSIBLE)

# What is kept together by a topology policy, and how strictly.
SCOPE_STORM_SERVICE: Final = "StormService"
SCOPE_ROLE_SET: Final = "RoleSet"
SCOPE_ROLE: Final = "Role"
TOPOLOGY_SCOPES: Final = (SCOPE_STORM_SERVICE, SCOPE_ROLE_SET, SCOPE_ROLE)
MODE_PREFERRED: Final = "Preferred"
MODE_REQUIRED: Final = "Required"
TOPOLOGY_MODES: Final = (MODE_PREFERRED, MODE_REQUIRED)
PREFERRED_WEIGHT: Final = 100

MAX_POD_GROUP_SIZE: Final = 100

# Condition types.
READY: Final = "Ready"
REPLICA_FAILURE: Final = "ReplicaFailure"
PROGRESSING: Final = "Progressing"

# Reasons; the conditions of this kind allow sentences.
REASON_READY: Final = "roleset is ready"
REASON_NOT_READY: Final = "roleset is not ready"
REASON_ERROR: Final = "reconcile roleset error"

# Reasons of events.
EVENT_POD_GROUP_SYNCED: Final = "PodGroupSynced"
EVENT_IN_PLACE_FALLBACK: Final = "InPlaceFallback"
EVENT_IN_PLACE_STARTED: Final = "InPlaceUpdateStarted"
EVENT_IN_PLACE_COMPLETED: Final = "InPlaceUpdateCompleted"
EVENT_TOPOLOGY_PENDING: Final = "TopologyPolicyPendingPodReplacement"

_LABEL_KEY: Final = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)


class DisruptionTolerance(views.View):
    """How much may be missing."""

    max_unavailable = views.int_or_text(
        "Most replicas that may be missing, a number or a share. Accepted, without effect."
    )


class RoleUpdateStrategy(views.View):
    """How pods of a role change."""

    type = views.text(
        "Recreate replaces pods. InPlaceIfPossible changes images in running pods where nothing else changed, and replaces otherwise. "
        "Absent means Recreate.",
        enum=ROLE_UPDATE_STRATEGIES,
    ).default(RECREATE)
    max_unavailable = views.int_or_text(
        "Most replicas that may be missing meanwhile, a number or a share; absent means 0."
    ).absent(0)
    max_surge = views.int_or_text(
        "Most replicas that may be there in excess meanwhile, a number or a share; absent means 0. Where both are 0, one replica at a "
        "time may be missing."
    ).absent(0)


class Role(views.View):
    """Pods that do the same work."""

    name = views.text("Name of the role, such as prefill.").absent("")
    replicas = views.integer("Replicas of the role; absent means 0.").absent(0)
    upgrade_order = views.integer(
        "Place of the role in a rollout, from 1: lower numbers first, absent last.", minimum=1
    )
    pod_group_size = views.integer(
        "Pods that together are one replica, 1 to 100. Above 1, each replica is a PodSet; absent means 1.",
        minimum=1,
        maximum=MAX_POD_GROUP_SIZE,
    ).absent(1)
    update_strategy = views.part("How pods of the role change.", RoleUpdateStrategy).absent({})
    stateful = views.boolean("Whether replicas have a number that their successors take over.").absent(False)
    template = core.pod_template("What pods of the role are made of.")
    disruption_tolerance = views.part("How much may be missing. Accepted, without effect.", DisruptionTolerance)
    scheduling_strategy = views.part(
        "Places the pods of each PodSet together; not beside a schedulingStrategy of the whole RoleSet.",
        scheduling.SchedulingStrategy,
    )


class TopologyPolicy(views.View):
    """Which pods go into one domain of the cluster."""

    scope = views.text(
        "Whose pods are kept together: those of the StormService, the RoleSet or the Role.", enum=TOPOLOGY_SCOPES
    ).required()
    mode = views.text(
        "Preferred: where it can be. Required: or not at all. Absent means Preferred.", enum=TOPOLOGY_MODES
    ).default(MODE_PREFERRED)
    key = views.text(
        "Label of nodes whose value tells the domain, such as topology.kubernetes.io/zone.",
        pattern=_LABEL_KEY,
        min_length=1,
        max_length=317,
    ).required()


class RoleSetSpec(views.View):
    """The roles, and how they are placed and changed."""

    roles = views.parts("The roles.", Role)
    update_strategy = views.text(
        "Order in which roles change: Sequential by upgradeOrder, Parallel all at once, Interleave step by step. Absent means "
        "Sequential.",
        enum=UPDATE_STRATEGIES,
    ).default(SEQUENTIAL)
    scheduling_strategy = views.part("Places all pods of the RoleSet together.", scheduling.RoleSetSchedulingStrategy)
    topology_policy = views.part("Keeps pods in one domain of the cluster, such as a zone.", TopologyPolicy)


class RoleStatus(views.View):
    """What there is of one role. Replicas are pods, or PodSets where podGroupSize is above 1."""

    name = views.text("Name of the role.").absent("")
    replicas = views.integer("Replicas that exist.").required()
    ready_replicas = views.integer("Replicas that are ready.").absent(0)
    not_ready_replicas = views.integer("Replicas that are not.").absent(0)
    updated_replicas = views.integer("Replicas made of the latest template.").absent(0)
    updated_ready_replicas = views.integer("Those of them that are ready.").absent(0)


class RoleSetStatus(views.View):
    """What there is of the roles."""

    roles = views.parts("What there is of each role.", RoleStatus)
    conditions = views.parts("Ready, ReplicaFailure.", core.LooseCondition)


class RoleSet(kind.Kind):
    """RoleSet is one replica of a set of roles, such as prefill and decode."""

    type = resources.ROLE_SET
    columns = (kind.READY, kind.age())

    spec = views.part("The roles, and how they are placed and changed.", RoleSetSpec).absent({}).nullable()
    status = views.part("What there is of the roles. Written by the controller.", RoleSetStatus).absent({})
