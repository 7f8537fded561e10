"""Columns of the kinds that make pods: Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.columns import cells
from brickyard.kube.objects import errors, paths, selectors
from brickyard.lib import timestamps


def _ready(obj: resources.Object, now: float) -> str:
    del now
    return f"{paths.get(obj, 'status.readyReplicas', 0)}/{paths.get(obj, 'spec.replicas', 0)}"


def _containers(field: str, template: str = "spec.template") -> contract.Cell:
    def cell(obj: resources.Object, now: float) -> str:
        del now
        return ",".join(each.get(field) or "" for each in paths.get(obj, f"{template}.spec.containers", ()))

    return cell


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """A label selector in one line; ``<none>`` where it selects nothing or everything."""
    try:
        return str(selectors.from_label_selector(selector)) or cells.NONE
    except errors.SelectorError:
        return "<error>"


def _selector(obj: resources.Object, now: float) -> str:
    del now
    return selector_text(paths.get(obj, "spec.selector"))


_WIDE = (
    contract.Column("Containers", _containers("name"), priority=1, description="Names of the template's containers."),
    contract.Column("Images", _containers("image"), priority=1, description="Images of the template's containers."),
    contract.Column("Selector", _selector, priority=1, description="Labels of the pods that belong to it."),
)

DEPLOYMENT = (
    cells.NAME,
    contract.Column("Ready", _ready, description="Number of the pod with ready state, of those wanted."),
    contract.Column("Up-to-date", cells.at("status.updatedReplicas", 0), description="Pods of the current template."),
    contract.Column(
        "Available", cells.at("status.availableReplicas", 0), description="Pods ready for minReadySeconds."
    ),
    cells.AGE,
    *_WIDE,
)
REPLICA_SET = (
    cells.NAME,
    contract.Column("Desired", cells.at("spec.replicas", 0), "integer", description="Number of pods wanted."),
    contract.Column("Current", cells.at("status.replicas", 0), "integer", description="Number of pods there are."),
    contract.Column("Ready", cells.at("status.readyReplicas", 0), "integer", description="Number of pods ready."),
    cells.AGE,
    *_WIDE,
)


def _controller(obj: resources.Object, now: float) -> str:
    """``statefulset.apps/web``."""
    del now
    owner = next((each for each in paths.get(obj, "metadata.ownerReferences", ()) if each.get("controller")), None)
    if owner is None:
        return cells.NONE
    group = (owner.get("apiVersion") or "").rpartition("/")[0]
    kind = (owner.get("kind") or "").lower()
    return f"{kind}.{group}/{owner.get('name')}" if group else f"{kind}/{owner.get('name')}"


STATEFUL_SET = (
    cells.NAME,
    contract.Column("Ready", _ready, description="Number of pods ready, of those wanted."),
    cells.AGE,
    *_WIDE[:2],
)
CONTROLLER_REVISION = (
    cells.NAME,
    contract.Column("Controller", _controller, description="Whose template it is."),
    contract.Column("Revision", cells.at("revision", 0), description="Its number."),
    cells.AGE,
)


def _node_selector(obj: resources.Object, now: float) -> str:
    del now
    return cells.label_map(paths.get(obj, "spec.template.spec.nodeSelector"))


def _scheduled(name: str, field: str, text: str) -> contract.Column:
    return contract.Column(name, cells.at(f"status.{field}", 0), "integer", description=text)


DAEMON_SET = (
    cells.NAME,
    _scheduled("Desired", "desiredNumberScheduled", "Number of nodes that should run a pod of it."),
    _scheduled("Current", "currentNumberScheduled", "Number of those nodes that run one."),
    _scheduled("Ready", "numberReady", "Number of those nodes on which it is ready."),
    _scheduled("Up-to-date", "updatedNumberScheduled", "Number of nodes with the current template."),
    _scheduled("Available", "numberAvailable", "Number of nodes on which it is ready for minReadySeconds."),
    contract.Column("Node Selector", _node_selector, description="Labels of the nodes it is for."),
    cells.AGE,
    *_WIDE,
)

_JOB_ENDS = ("Complete", "Failed")
_JOB_STATES = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


def _job_status(obj: resources.Object, now: float) -> str:
    del now
    true = {each.get("type") for each in paths.get(obj, "status.conditions", ()) if each.get("status") == "True"}
    going = ("Terminating",) if paths.get(obj, "metadata.deletionTimestamp") else ()
    # The first word that is true of it.
    return next((word for word in (*_JOB_ENDS, *going, *_JOB_STATES) if word in {*true, *going}), "Running")


def _completions(obj: resources.Object, now: float) -> str:
    del now
    done, wanted = paths.get(obj, "status.succeeded", 0), paths.get(obj, "spec.completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    parallel = paths.get(obj, "spec.parallelism", 0)
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _job_duration(obj: resources.Object, now: float) -> str:
    start, end = paths.get(obj, "status.startTime"), paths.get(obj, "status.completionTime")
    try:
        if not start:
            return ""
        return cells.duration((timestamps.parse_rfc3339(end) if end else now) - timestamps.parse_rfc3339(start))
    except ValueError:
        return "<invalid>"


JOB = (
    cells.NAME,
    contract.Column("Status", _job_status, description="Running, or how it ended."),
    contract.Column("Completions", _completions, description="Pods that ended well, of those wanted."),
    contract.Column("Duration", _job_duration, description="How long it ran."),
    cells.AGE,
    *_WIDE,
)


def _last_schedule(obj: resources.Object, now: float) -> str:
    found = paths.get(obj, "status.lastScheduleTime")
    return cells.age_of(found, now) if found else cells.NONE


def _suspended(obj: resources.Object, now: float) -> str:
    del now
    return str(bool(paths.get(obj, "spec.suspend", False)))


def _active(obj: resources.Object, now: float) -> int:
    del now
    return len(paths.get(obj, "status.active", ()))


def _cron_selector(obj: resources.Object, now: float) -> str:
    del now
    return selector_text(paths.get(obj, "spec.jobTemplate.spec.selector"))


_CRON_TEMPLATE = "spec.jobTemplate.spec.template"
CRON_JOB = (
    cells.NAME,
    contract.Column("Schedule", cells.at("spec.schedule", ""), description="When a Job is made, as cron writes it."),
    contract.Column("Timezone", cells.at("spec.timeZone"), description="Time zone of the schedule."),
    contract.Column("Suspend", _suspended, "boolean", description="Whether no Jobs are made for now."),
    contract.Column("Active", _active, "integer", description="Number of Jobs that run."),
    contract.Column("Last Schedule", _last_schedule, description="Time since a Job was last made."),
    cells.AGE,
    contract.Column("Containers", _containers("name", _CRON_TEMPLATE), priority=1, description=_WIDE[0].description),
    contract.Column("Images", _containers("image", _CRON_TEMPLATE), priority=1, description=_WIDE[1].description),
    contract.Column("Selector", _cron_selector, priority=1, description="Selector of its Jobs' pods."),
)
