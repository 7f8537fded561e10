"""KubeRay: clusters, and jobs and services that bring one along."""

from __future__ import annotations

from brickyard.api.kinds import resources
from brickyard.api.kinds.raycluster import types as raycluster
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

_GROUP, _VERSION = resources.RAY_CLUSTER.group, resources.RAY_CLUSTER.version
_JOB = resources.ResourceType(_GROUP, _VERSION, "rayjobs", "RayJob")
_SERVICE = resources.ResourceType(_GROUP, _VERSION, "rayservices", "RayService")
_ALL = ("all",)

_CLUSTER_STATUS = record(
    "What its operator last saw of it.",
    {
        "state": text("Its state in one word."),
        "reason": text("Why it is in it."),
        "conditions": conditions("States it is in; RayClusterProvisioned and HeadPodReady together make it ready."),
        "desiredWorkerReplicas": number("Workers wanted."),
        "availableWorkerReplicas": number("Workers there are."),
        "readyWorkerReplicas": number("Workers that are ready."),
        "minWorkerReplicas": number("Fewest workers."),
        "maxWorkerReplicas": number("Most workers."),
        "observedGeneration": {"type": "integer", "description": "Generation this is about.", "format": "int64"},
        "endpoints": {
            "type": "object",
            "description": "Ports of the head.",
            "additionalProperties": {"type": "string"},
        },
        "head": anything("Where the head is."),
    },
)

COMPANIONS = (
    Companion(
        resources.RAY_CLUSTER,
        "RayCluster is a Ray cluster: a head and groups of workers.",
        {**raycluster.RayClusterSpec.schema(), "x-kubernetes-preserve-unknown-fields": True},
        _CLUSTER_STATUS,
        categories=_ALL,
        columns=(
            Column("desired workers", ".status.desiredWorkerReplicas", "integer"),
            Column("available workers", ".status.availableWorkerReplicas", "integer"),
            Column("cpus", ".status.desiredCPU"),
            Column("memory", ".status.desiredMemory"),
            Column("gpus", ".status.desiredGPU"),
            Column("status", ".status.state"),
            Column("age", AGE.path, "date"),
            Column("head pod IP", ".status.head.podIP", priority=1),
            Column("head service IP", ".status.head.serviceIP", priority=1),
        ),
    ),
    Companion(
        _JOB,
        "RayJob is a job with a Ray cluster of its own.",
        anything("What runs where."),
        categories=_ALL,
        columns=(
            Column("job status", ".status.jobStatus"),
            Column("deployment status", ".status.jobDeploymentStatus"),
            Column("ray cluster name", ".status.rayClusterName"),
            Column("start time", ".status.startTime"),
            Column("end time", ".status.endTime"),
            Column("age", AGE.path, "date"),
        ),
    ),
    Companion(
        _SERVICE,
        "RayService is an application of Ray Serve with a Ray cluster of its own.",
        anything("What is served where."),
        categories=_ALL,
        columns=(
            Column("service status", ".status.serviceStatus"),
            Column("num serve endpoints", ".status.numServeEndpoints"),
        ),
    ),
)
