"""Columns of Pods. READY, STATUS and RESTARTS are told from container states as kubectl tells them, not read from one field."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.columns import cells
from brickyard.kube.objects import paths

Part = Mapping[str, Any]
"""A container's status, or another part of a pod."""


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """A pod in one line. ``restarted_at`` is the RFC 3339 time of the latest restart, "" without one."""

    ready: int
    total: int
    reason: str
    restarts: int
    restarted_at: str


@dataclasses.dataclass(slots=True)
class _Tally:
    """What is counted on the way through the containers."""

    ready: int = 0
    restarts: int = 0
    restarted_at: str = ""

    def count(self, status: Part) -> None:
        self.restarts += int(status.get("restartCount") or 0)
        # RFC 3339 in UTC with whole seconds: text order is time order.
        self.restarted_at = max(self.restarted_at, paths.get(status, "lastState.terminated.finishedAt", ""))


def summary(pod: resources.Object) -> Summary:
    """What the columns READY, STATUS and RESTARTS say.

    STATUS is, in order: Unknown on an unreachable node or Terminating when deletion was asked for; else what the containers say,
    the init containers first while they are not done; else the pod's own reason or phase.
    """
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    sidecars = {each.get("name") for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"}
    first, tally = _Tally(), _Tally()
    reason = _init_reason(pod, sidecars, first, tally)
    if not reason or _condition(status, "Initialized"):
        reason = _container_reason(status, tally) or reason
    else:
        # Until init containers are done their restarts are the pod's.
        tally.restarts, tally.restarted_at = first.restarts, first.restarted_at
    return Summary(
        ready=tally.ready,
        total=len(spec.get("containers") or ()) + len(sidecars),
        reason=_deleted(pod) or reason or _own_reason(status),
        restarts=tally.restarts,
        restarted_at=tally.restarted_at,
    )


def _own_reason(status: Part) -> str:
    gated = any(
        each.get("type") == "PodScheduled" and each.get("reason") == "SchedulingGated"
        for each in status.get("conditions") or ()
    )
    return "SchedulingGated" if gated else status.get("reason") or status.get("phase") or ""


def _deleted(pod: resources.Object) -> str:
    if not paths.get(pod, "metadata.deletionTimestamp"):
        return ""
    if paths.get(pod, "status.reason") == "NodeLost":
        return "Unknown"
    return "" if paths.get(pod, "status.phase") in ("Succeeded", "Failed") else "Terminating"


def _condition(status: Part, kind: str) -> bool:
    return any(each.get("type") == kind and each.get("status") == "True" for each in status.get("conditions") or ())


def _init_reason(pod: resources.Object, sidecars: set[Any], everything: _Tally, lasting: _Tally) -> str:
    """Why the pod is still initializing, "" when it is not. ``lasting`` counts sidecars only: they stay when init is over."""
    statuses: Sequence[Part] = paths.get(pod, "status.initContainerStatuses", ())
    total = len(paths.get(pod, "spec.initContainers", ()))
    reason = ""
    for index, status in enumerate(statuses):
        everything.count(status)
        sidecar = status.get("name") in sidecars
        if sidecar:
            lasting.count(status)
        if paths.get(status, "state.terminated") is not None and not paths.get(status, "state.terminated.exitCode", 0):
            continue
        if sidecar and status.get("started"):
            lasting.ready += bool(status.get("ready"))
            continue
        reason = _not_done(status, index, total)
        break
    return reason


def _not_done(status: Part, index: int, total: int) -> str:
    terminated = paths.get(status, "state.terminated")
    if terminated is not None:
        return f"Init:{_ended(terminated)}"
    waiting = paths.get(status, "state.waiting.reason", "")
    return f"Init:{waiting}" if waiting not in ("", "PodInitializing") else f"Init:{index}/{total}"


def _ended(terminated: Part) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode') or 0}"


def _container_reason(status: Part, tally: _Tally) -> str:
    """What the containers say, the first one having the last word; "" when they say nothing."""
    reason, running = "", False
    for each in reversed(status.get("containerStatuses") or ()):
        tally.count(each)
        state = each.get("state") or {}
        if waiting := paths.get(state, "waiting.reason", ""):
            reason = waiting
        elif state.get("terminated") is not None:
            reason = _ended(state["terminated"])
        elif each.get("ready") and state.get("running") is not None:
            running = True
            tally.ready += 1
    if reason == "Completed" and running:
        return "Running" if _condition(status, "Ready") else "NotReady"
    return reason


class _Latest:
    """The summary of the pod that was asked for last: the columns of a row ask for the same one, one after the other."""

    def __init__(self) -> None:
        self._pod: resources.Object | None = None
        self._summary = Summary(0, 0, "", 0, "")

    def of(self, pod: resources.Object) -> Summary:
        """The summary of ``pod``, which is not changed between the columns of a row."""
        if pod is not self._pod:
            self._pod, self._summary = pod, summary(pod)
        return self._summary


_latest = _Latest()


def _ready(obj: resources.Object, now: float) -> str:
    del now
    found = _latest.of(obj)
    return f"{found.ready}/{found.total}"


def _status(obj: resources.Object, now: float) -> str:
    del now
    return _latest.of(obj).reason


def _restarts(obj: resources.Object, now: float) -> str:
    found = _latest.of(obj)
    if not found.restarts or not found.restarted_at:
        return str(found.restarts)
    return f"{found.restarts} ({cells.age_of(found.restarted_at, now)} ago)"


def _address(obj: resources.Object, now: float) -> str:
    del now
    addresses = paths.get(obj, "status.podIPs", ())
    return (addresses[0].get("ip") if addresses else paths.get(obj, "status.podIP")) or cells.NONE


def _gates(obj: resources.Object, now: float) -> str:
    del now
    gates = [each.get("conditionType") for each in paths.get(obj, "spec.readinessGates", ())]
    passed = sum(_condition(obj.get("status") or {}, gate) for gate in gates)
    return f"{passed}/{len(gates)}" if gates else cells.NONE


COLUMNS = (
    cells.NAME,
    contract.Column("Ready", _ready, description="The aggregate readiness state of this pod for accepting traffic."),
    contract.Column("Status", _status, description="The aggregate status of the containers in this pod."),
    contract.Column("Restarts", _restarts, description="Restarts of this pod's containers, and when the last one was."),
    cells.AGE,
    contract.Column("IP", _address, priority=1, description="Address of the pod."),
    contract.Column("Node", cells.at("spec.nodeName"), priority=1, description="Node the pod runs on."),
    contract.Column(
        "Nominated Node", cells.at("status.nominatedNodeName"), priority=1, description="Node kept free for the pod."
    ),
    contract.Column("Readiness Gates", _gates, priority=1, description="Extra conditions passed, of those asked for."),
)
