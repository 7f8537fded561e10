"""Pods that belong together: the PodGroups of three gang schedulers, and LeaderWorkerSets."""

from __future__ import annotations

from brickyard.api.kinds import resources, scheduling
from brickyard.embedded.apiserver.companions.declare import (
    AGE,
    Column,
    Companion,
    anything,
    conditions,
    number,
    record,
    text,
)

_LEADER_WORKER_SET = resources.ResourceType("leaderworkerset.x-k8s.io", "v1", "leaderworkersets", "LeaderWorkerSet")
_OPEN = {"x-kubernetes-preserve-unknown-fields": True}
_STATUS = record(
    "What its scheduler last saw of it.",
    {
        "phase": text("Its state in one word."),
        "running": number("Pods that run."),
        "succeeded": number("Pods that ended well."),
        "failed": number("Pods that did not."),
    },
)
_PHASE = Column("Phase", ".status.phase")
_MEMBERS = Column("MinMember", ".spec.minMember", "integer")

COMPANIONS = (
    Companion(
        resources.GODEL_POD_GROUP,
        "PodGroup is a gang of pods for the Gödel scheduler.",
        {**scheduling.Godel.schema(), **_OPEN},
        _STATUS,
        short_names=("pg",),
        columns=(_PHASE, _MEMBERS, AGE),
    ),
    Companion(
        resources.COSCHEDULING_POD_GROUP,
        "PodGroup is a gang of pods for the coscheduling plug-in.",
        {**scheduling.Coscheduling.schema(), **_OPEN},
        _STATUS,
        short_names=("pg", "pgs"),
        columns=(
            _PHASE,
            _MEMBERS,
            Column("Running", ".status.running", "integer"),
            Column("Succeeded", ".status.succeeded", "integer"),
            Column("Failed", ".status.failed", "integer"),
            AGE,
        ),
    ),
    Companion(
        resources.VOLCANO_POD_GROUP,
        "PodGroup is a gang of pods for Volcano.",
        {**scheduling.Volcano.schema(), **_OPEN},
        _STATUS,
        short_names=("pg", "podgroup-v1beta1"),
        columns=(
            Column("STATUS", ".status.phase"),
            Column("minMember", ".spec.minMember", "integer"),
            Column("RUNNINGS", ".status.running", "integer"),
            Column("AGE", AGE.path, "date"),
            Column("QUEUE", ".spec.queue", priority=1),
        ),
    ),
    Companion(
        _LEADER_WORKER_SET,
        "LeaderWorkerSet runs replicas of a leader with its workers.",
        record(
            "Replicas and what each consists of.",
            {
                "replicas": number("Groups wanted.", default=1),
                "leaderWorkerTemplate": record(
                    "One group.",
                    {
                        "size": number("Pods of a group, the leader included.", default=1),
                        "leaderTemplate": anything("The leader's pod; absent means a worker's."),
                        "workerTemplate": anything("The workers' pods."),
                    },
                    ["workerTemplate"],
                ),
                "startupPolicy": text("When workers start.", default="LeaderCreated"),
                "rolloutStrategy": anything("How groups are replaced."),
                "networkConfig": anything("How groups find each other."),
            },
            ["leaderWorkerTemplate"],
        ),
        record(
            "What its controller last saw of it.",
            {
                "replicas": number("Groups there are."),
                "readyReplicas": number("Groups that are ready."),
                "updatedReplicas": number("Groups of the current template."),
                "hpaPodSelector": text("Labels of the leaders."),
                "conditions": conditions(),
            },
        ),
        short_names=("lws",),
        columns=(
            Column("Ready", ".status.readyReplicas", "integer"),
            Column("Desired", ".spec.replicas", "integer"),
            Column("Up-to-date", ".status.updatedReplicas", "integer"),
            AGE,
        ),
        scale={
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.hpaPodSelector",
        },
    ),
)
