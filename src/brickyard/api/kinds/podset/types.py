"""PodSet: pods that together are one replica of a role, and its vocabulary."""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import core, kind, resources, scheduling, views

REPLACE_UNHEALTHY: Final = "ReplaceUnhealthy"
RECREATE: Final = "Recreate"
RECOVERY_POLICIES: Final = (REPLACE_UNHEALTHY, RECREATE)

# Phases.
PENDING: Final = "Pending"
"""No pod is ready."""
RUNNING: Final = "Running"
"""Some pods are ready."""
READY: Final = "Ready"
"""All pods are ready; also a condition type."""
FAILED: Final = "Failed"
PROGRESSING: Final = "Progressing"
"""A condition type."""

MIN_SIZE: Final = 2
MAX_SIZE: Final = 100

# Reasons of events.
EVENT_DELETING_UNHEALTHY: Final = "DeletingUnhealthyPods"
EVENT_REPLACING_UNHEALTHY: Final = "ReplacingUnhealthy"
EVENT_RECREATING_ALL: Final = "RecreatingAllPods"
EVENT_SCALING_DOWN: Final = "ScalingDown"
EVENT_POD_GROUP_SYNCED: Final = "PodGroupSynced"
EVENT_ERROR: Final = "ReconcileError"


class PodSetSpec(views.View):
    """How many pods, of what."""

    pod_group_size = views.integer("Pods of the group, 2 to 100.", minimum=MIN_SIZE, maximum=MAX_SIZE).required()
    template = core.pod_template("What the pods are made of.").required()
    stateful = views.boolean("Whether the group has a number that its successor takes over.").absent(False)
    recovery_policy = views.text(
        "What happens when pods are missing. ReplaceUnhealthy: only they, and those that restarted, are made anew. Recreate: all are. "
        "Absent means ReplaceUnhealthy.",
        enum=RECOVERY_POLICIES,
    ).default(REPLACE_UNHEALTHY)
    scheduling_strategy = views.part("Places the pods together.", scheduling.SchedulingStrategy)


class PodSetStatus(views.View):
    """What there is of the pods."""

    ready_pods = views.integer("Pods that are ready.").required()
    total_pods = views.integer("Pods that exist.").required()
    phase = views.text("Pending: no pod is ready. Running: some are. Ready: all are.").absent("")
    conditions = views.parts("Observations of the group.", core.LooseCondition)


class PodSet(kind.Kind):
    """PodSet is a group of pods that together are one replica of a role."""

    type = resources.POD_SET
    columns = (
        kind.Column("ReadyPods", ".status.readyPods", "integer"),
        kind.Column("TotalPods", ".status.totalPods", "integer"),
        kind.Column("Phase", ".status.phase"),
        kind.age(),
    )

    spec = views.part("How many pods, of what.", PodSetSpec).absent({}).nullable()
    status = views.part("What there is of the pods. Written by the controller.", PodSetStatus).absent({})
