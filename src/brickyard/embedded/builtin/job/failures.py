"""What a failed pod means for its Job: the pod failure policy, and how long to wait before the next try. Pure.

A rule of the policy matches by exit code (of one container or any, never 0) or by a condition of the pod; the first that matches says:

    | action    | the failure                                                     |
    |-----------|-----------------------------------------------------------------|
    | FailJob   | fails the Job at once                                           |
    | FailIndex | fails its index at once                                         |
    | Ignore    | is not counted                                                  |
    | Count     | is counted, as is one that no rule matches                      |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import podstate
from brickyard.kube.objects import meta

FAIL_JOB, FAIL_INDEX, IGNORE, COUNT = "FailJob", "FailIndex", "Ignore", "Count"

FIRST_DELAY, LONGEST_DELAY = 10.0, 600.0
"""Seconds before a failed pod is replaced: the first time, and at most; it doubles with every failure in a row."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ruling:
    """What the policy makes of a pod. ``why`` is the message where a rule matched."""

    action: str = COUNT
    why: str = ""


def rule_on(job: resources.Object, pod: resources.Object) -> Ruling:
    """The first rule that matches the failed ``pod``."""
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    for place, rule in enumerate(rules):
        what = _matches(rule, pod)
        if what:
            return Ruling(rule["action"], f"{what} matching {rule['action']} rule at index {place}")
    return Ruling()


def _matches(rule: Mapping[str, Any], pod: resources.Object) -> str:
    name = f"{meta.namespace(pod)}/{meta.name(pod)}"
    if codes := rule.get("onExitCodes"):
        for container, code in _exit_codes(pod):
            chosen = codes.get("containerName") in (None, "", container)
            if chosen and code != 0 and (code in codes["values"]) == (codes["operator"] == "In"):
                return f"Container {container} for pod {name} failed with exit code {code}"
    for wanted in rule.get("onPodConditions") or ():
        for found in (pod.get("status") or {}).get("conditions") or ():
            if (found.get("type"), found.get("status")) == (wanted["type"], wanted.get("status", "True")):
                return f"Pod {name} has condition {wanted['type']}"
    return ""


def _terminated(pod: resources.Object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    status = pod.get("status") or {}
    for each in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        if ended := (each.get("state") or {}).get("terminated"):
            yield each.get("name", ""), ended


def _exit_codes(pod: resources.Object) -> Iterator[tuple[str, int]]:
    return ((name, int(ended.get("exitCode") or 0)) for name, ended in _terminated(pod))


def ended_at(pod: resources.Object) -> float:
    """When the last of its containers ended, in Unix seconds; else when the pod was told to, else when it was made."""
    times = [podstate.timestamp(ended.get("finishedAt")) for _, ended in _terminated(pod)]
    known = [each for each in times if each is not None]
    if known:
        return max(known)
    metadata = meta.metadata(pod)
    fallback = metadata.get("deletionTimestamp") or metadata.get("creationTimestamp")
    return podstate.timestamp(fallback) or 0.0


def wait(failed: Iterable[resources.Object], succeeded: Iterable[resources.Object], now: float) -> float:
    """Seconds until a failed pod may be replaced, by the failures since the last success; 0 when it may be now."""
    since = max(map(ended_at, succeeded), default=float("-inf"))
    moments: Sequence[float] = [at for at in map(ended_at, failed) if at > since]
    if not moments:
        return 0.0
    delay = min(FIRST_DELAY * 2.0 ** min(len(moments) - 1, 30), LONGEST_DELAY)
    return max(0.0, max(moments) + delay - now)


def restarts(pods: Iterable[resources.Object]) -> int:
    """How often containers of ``pods`` were started again in place."""
    total = 0
    for pod in pods:
        status = pod.get("status") or {}
        found = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
        total += sum(int(each.get("restartCount") or 0) for each in found)
    return total
