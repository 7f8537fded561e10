"""A pod's status, as Kubernetes writes it, from the state of its machine; and what a status tells an agent that lost its records.

Phase, in this order:

    Succeeded, Failed   there is an outcome and nothing runs
    Pending             not every init container has done its part, or a main container has neither run nor failed to stay up
    Running             everything else

Reasons of conditions that are not True: ContainersNotInitialized, ContainersNotReady, PodCompleted (after Succeeded), PodFailed (after
Failed), ReadinessGatesNotReady.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet.plan import container as containers
from brickyard.embedded.kubelet.plan import machine as machines
from brickyard.embedded.kubelet.plan import messages, spec, times

OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where the pod runs."""

    host_address: str
    pod_address: str


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One condition's answer; "" reasons are left out."""

    type: str
    status: bool
    reason: str = ""
    message: str = ""


def render(
    machine: machines.PodMachine, place: Place, now: float, old: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The whole status. ``old`` is the one written before: times of transitions and foreign conditions are kept from it."""
    phase = phase_of(machine)
    status: dict[str, Any] = {
        "phase": phase,
        "conditions": _merge_conditions(_conditions(machine, phase), (old or {}).get("conditions") or (), now),
        "hostIP": place.host_address,
        "hostIPs": [{"ip": place.host_address}],
        "podIP": place.pod_address,
        "podIPs": [{"ip": place.pod_address}],
        "startTime": times.stamp(machine.started_at),
        "qosClass": machine.plan.qos,
        "containerStatuses": _statuses(machine, spec.Role.MAIN),
    }
    if first := _statuses(machine, spec.Role.INIT, spec.Role.SIDECAR):
        status["initContainerStatuses"] = first
    if machine.outcome is not None and machine.finished:
        named = {"reason": machine.outcome.reason, "message": machine.outcome.message}
        status.update({name: text for name, text in named.items() if text})
    return status


def phase_of(machine: machines.PodMachine) -> str:
    """``Pending``, ``Running``, ``Succeeded`` or ``Failed``."""
    if machine.outcome is not None and machine.finished:
        return machine.outcome.phase
    main = [each for each in machine.containers.values() if each.plan.role is spec.Role.MAIN]
    if not machine.initialized or any(not each.running and each.last is None for each in main):
        return "Pending"
    return "Running"


def _merge_conditions(new: Iterable[Condition], old: Iterable[Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    before = {each["type"]: each for each in old}
    merged = [dict(each) for kind, each in before.items() if kind not in OWN_CONDITIONS]
    for each in new:
        was, status = before.get(each.type, {}), "True" if each.status else "False"
        since = was.get("lastTransitionTime") if was.get("status") == status else None
        entry = {
            "type": each.type,
            "status": status,
            "lastTransitionTime": since or times.stamp(now),
            "lastProbeTime": None,
        }
        entry.update({key: text for key, text in (("reason", each.reason), ("message", each.message)) if text})
        merged.append(entry)
    return merged


def _conditions(machine: machines.PodMachine, phase: str) -> list[Condition]:
    ended = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "")
    ready = _containers_ready(machine, ended)
    return [
        Condition("PodReadyToStartContainers", not ended),
        _initialized(machine, phase),
        _pod_ready(machine, ready),
        ready,
        Condition("PodScheduled", status=True),
    ]


def _initialized(machine: machines.PodMachine, phase: str) -> Condition:
    if machine.initialized or phase == "Succeeded":
        return Condition("Initialized", True, "PodCompleted" if phase == "Succeeded" else "")
    missing = [each.name for each in machine.containers.values() if _uninitialized(each)]
    text = f"containers with incomplete status: [{' '.join(missing)}]"
    return Condition("Initialized", False, "ContainersNotInitialized", text)


def _uninitialized(each: containers.Container) -> bool:
    if each.plan.role is spec.Role.INIT:
        return not each.succeeded
    return each.plan.role is spec.Role.SIDECAR and not each.started


def _containers_ready(machine: machines.PodMachine, ended: str) -> Condition:
    if ended:
        return Condition("ContainersReady", False, ended)
    lasting = [each for each in machine.containers.values() if each.plan.role is not spec.Role.INIT]
    missing = [each.name for each in lasting if not each.ready]
    if not missing:
        return Condition("ContainersReady", status=True)
    text = f"containers with unready status: [{' '.join(missing)}]"
    return Condition("ContainersReady", False, "ContainersNotReady", text)


def _pod_ready(machine: machines.PodMachine, ready: Condition) -> Condition:
    closed = [gate for gate in machine.plan.readiness_gates if machine.plan.conditions.get(gate) != "True"]
    if not ready.status or not closed:
        return dataclasses.replace(ready, type="Ready")
    text = f"the status of pod readiness gates [{' '.join(closed)}] is not True"
    return Condition("Ready", False, "ReadinessGatesNotReady", text)


def _statuses(machine: machines.PodMachine, *roles: spec.Role) -> list[dict[str, Any]]:
    return [_container(machine, each) for each in machine.containers.values() if each.plan.role in roles]


def _container(machine: machines.PodMachine, each: containers.Container) -> dict[str, Any]:
    state, last = _states(machine, each)
    shown = (state.get("running") and each.container_id) or (each.last.container_id if each.last else "")
    status: dict[str, Any] = {
        "name": each.name,
        "image": each.image if each.running or each.last else each.plan.image,
        "imageID": "",
        "ready": each.ready,
        "started": each.running and each.started,
        "restartCount": max(0, each.runs - 1),
        "state": state,
        "lastState": {"terminated": _terminated(last)} if last else {},
    }
    if shown:
        status["containerID"] = shown
    return status


def _states(
    machine: machines.PodMachine, each: containers.Container
) -> tuple[dict[str, Any], messages.Terminated | None]:
    """The container's present state and the end that stands behind it."""
    if each.running:
        return {"running": {"startedAt": times.stamp(each.started_at)}}, each.last
    if each.last is not None and (not each.wants_run or each.ending or each.waiting is None):
        return {"terminated": _terminated(each.last)}, each.before
    waiting = each.waiting or containers.Waiting(_unstarted(machine, each))
    body = {"reason": waiting.reason, "message": waiting.message} if waiting.message else {"reason": waiting.reason}
    return {"waiting": body}, each.last


def _unstarted(machine: machines.PodMachine, each: containers.Container) -> str:
    has_init = any(other.plan.role is not spec.Role.MAIN for other in machine.containers.values())
    return "PodInitializing" if has_init and (not machine.initialized or each.last is None) else "ContainerCreating"


def _terminated(end: messages.Terminated) -> dict[str, Any]:
    state: dict[str, Any] = {
        "exitCode": end.exit_code,
        "reason": end.reason,
        "startedAt": times.stamp(end.started_at),
        "finishedAt": times.stamp(end.finished_at),
    }
    if end.message:
        state["message"] = end.message
    if end.container_id:
        state["containerID"] = end.container_id
    return state


# The way back.


def recollect(pod: resources.Object) -> dict[str, messages.Memory]:
    """What a pod's status says of each container's past. Nothing runs in it: a process is only known from its record."""
    status = pod.get("status") or {}
    entries = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return {each["name"]: _memory(each) for each in entries}


def _memory(entry: Mapping[str, Any]) -> messages.Memory:
    ends = [part.get("terminated") for part in (entry.get("state") or {}, entry.get("lastState") or {})]
    last, before = ([_end(each) for each in ends if each] + [None, None])[:2]
    running = (entry.get("state") or {}).get("running")
    if running:
        lost = _lost(entry.get("containerID", ""), running.get("startedAt"))
        last, before = lost, last
    restarts = int(entry.get("restartCount", 0))
    return messages.Memory(
        runs=restarts + 1 if last else restarts,
        image=entry.get("image", ""),
        last=last,
        before=before,
    )


def _end(state: Mapping[str, Any]) -> messages.Terminated:
    return messages.Terminated(
        exit_code=int(state.get("exitCode", 0)),
        reason=state.get("reason", ""),
        message=state.get("message", ""),
        started_at=times.seconds(state.get("startedAt")),
        finished_at=times.seconds(state.get("finishedAt")),
        container_id=state.get("containerID", ""),
    )


def _lost(container_id: str, started_at: str | None) -> messages.Terminated:
    """A run whose end nobody saw, worded as Kubernetes words it."""
    began = times.seconds(started_at)
    text = "The container could not be located when the pod was deleted or its agent was restarted"
    return messages.Terminated(137, "ContainerStatusUnknown", text, began, began, container_id)
