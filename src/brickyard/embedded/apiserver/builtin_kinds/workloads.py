"""Kinds that make pods, or say how many."""

from __future__ import annotations

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.admission import autoscaling, jobs, kind, metadata, replicated, workloads
from brickyard.embedded.apiserver.columns import policy as policy_columns
from brickyard.embedded.apiserver.columns import workloads as columns

_STATUS = frozenset({"status"})
_NOBODY = "no controller on this machine runs {}: the object is stored, but no pods will come of it"

DEPLOYMENT = contract.Resource(
    resources.DEPLOYMENT,
    "deployment",
    kind.KindAdmission(resources.DEPLOYMENT, workloads.fill_deployment, workloads.judge_deployment),
    short_names=("deploy",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    scale=contract.ScalePaths(selector=".spec.selector"),
    columns=columns.DEPLOYMENT,
)
REPLICA_SET = contract.Resource(
    resources.REPLICA_SET,
    "replicaset",
    kind.KindAdmission(resources.REPLICA_SET, workloads.fill_replica_set, workloads.judge_replica_set),
    short_names=("rs",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    scale=contract.ScalePaths(selector=".spec.selector"),
    selectable_fields=("status.replicas",),
    columns=columns.REPLICA_SET,
)
STATEFUL_SET = contract.Resource(
    resources.STATEFUL_SET,
    "statefulset",
    kind.KindAdmission(resources.STATEFUL_SET, replicated.fill_stateful_set, replicated.judge_stateful_set),
    short_names=("sts",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    scale=contract.ScalePaths(selector=".spec.selector"),
    columns=columns.STATEFUL_SET,
    unattended=_NOBODY.format("StatefulSets"),
)
DAEMON_SET = contract.Resource(
    resources.DAEMON_SET,
    "daemonset",
    kind.KindAdmission(resources.DAEMON_SET, replicated.fill_daemon_set, replicated.judge_daemon_set),
    short_names=("ds",),
    categories=("all",),
    subresources=_STATUS,
    columns=columns.DAEMON_SET,
    unattended=_NOBODY.format("DaemonSets"),
)
CONTROLLER_REVISION = contract.Resource(
    resources.CONTROLLER_REVISION,
    "controllerrevision",
    kind.KindAdmission(resources.CONTROLLER_REVISION, judge=replicated.judge_controller_revision),
    columns=columns.CONTROLLER_REVISION,
)
JOB = contract.Resource(
    resources.JOB,
    "job",
    kind.KindAdmission(resources.JOB, jobs.fill_job, jobs.judge_job),
    categories=("all",),
    subresources=_STATUS,
    columns=columns.JOB,
    unattended=_NOBODY.format("Jobs"),
)
CRON_JOB = contract.Resource(
    resources.CRON_JOB,
    "cronjob",
    kind.KindAdmission(resources.CRON_JOB, jobs.fill_cron_job, jobs.judge_cron_job),
    short_names=("cj",),
    categories=("all",),
    subresources=_STATUS,
    columns=columns.CRON_JOB,
    unattended="no controller on this machine runs CronJobs: the object is stored, but no Jobs will come of it",
)
HORIZONTAL_POD_AUTOSCALER = contract.Resource(
    resources.HORIZONTAL_POD_AUTOSCALER,
    "horizontalpodautoscaler",
    kind.KindAdmission(resources.HORIZONTAL_POD_AUTOSCALER, autoscaling.fill, autoscaling.judge, metadata.path_segment),
    short_names=("hpa",),
    categories=("all",),
    subresources=_STATUS,
    columns=policy_columns.HORIZONTAL_POD_AUTOSCALER,
    unattended="no controller on this machine runs HorizontalPodAutoscalers: the object is stored, but nothing will be scaled",
)

ALL: tuple[contract.Resource, ...] = (
    CONTROLLER_REVISION,
    DAEMON_SET,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    HORIZONTAL_POD_AUTOSCALER,
    CRON_JOB,
    JOB,
)
