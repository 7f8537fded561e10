"""StatefulSets and DaemonSets, and the revisions in which they remember their templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import metadata, storage, workloads

_MANAGEMENT = ("OrderedReady", "Parallel")
_RETENTION = ("Delete", "Retain")
_CHANGEABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_FIXED = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_COUNTS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")


def fill_stateful_set(draft: resources.Object) -> None:
    """Fill in a StatefulSet."""
    spec = draft.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec["podManagementPolicy"] = spec.get("podManagementPolicy") or "OrderedReady"
    strategy = spec.setdefault("updateStrategy", {})
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    for when in ("whenDeleted", "whenScaled"):
        retention[when] = retention.get(when) or "Retain"
    spec.setdefault("revisionHistoryLimit", 10)
    workloads.fill_template(spec)
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.update({"apiVersion": "v1", "kind": "PersistentVolumeClaim"})
        storage.fill_claim(claim)
    status = draft.setdefault("status", {})
    for count in ("replicas", "availableReplicas"):
        status.setdefault(count, 0)


def judge_stateful_set(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a StatefulSet."""
    spec: Mapping[str, Any] = obj.get("spec") or {}
    yield from faults.not_negative("spec", spec, "replicas", "minReadySeconds", "revisionHistoryLimit")
    yield from faults.not_negative("spec.ordinals", spec.get("ordinals") or {}, "start")
    if spec.get("podManagementPolicy") not in _MANAGEMENT:
        text = "must be 'OrderedReady' or 'Parallel'"
        yield faults.invalid("spec.podManagementPolicy", spec.get("podManagementPolicy"), text)
    yield from _stateful_strategy("spec.updateStrategy", spec.get("updateStrategy") or {})
    for when, policy in (spec.get("persistentVolumeClaimRetentionPolicy") or {}).items():
        yield from faults.one_of(f"spec.persistentVolumeClaimRetentionPolicy.{when}", policy, _RETENTION)
    yield from workloads.judge_pods(_with_claims(spec), "statefulset", "StatefulSet")
    if old is not None:
        before: Mapping[str, Any] = old.get("spec") or {}
        kept = {key: spec.get(key) for key in spec.keys() | before.keys() if key not in _CHANGEABLE}
        if any(value != before.get(key) for key, value in kept.items()):
            yield faults.forbidden("spec", _FIXED)


def _with_claims(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """``spec`` with a volume in its template for each claim template: its pods will have them, and may mount them."""
    template = spec.get("template") or {}
    pod = template.get("spec") or {}
    held = {each.get("name") for each in pod.get("volumes") or ()}
    names = [(each.get("metadata") or {}).get("name") for each in spec.get("volumeClaimTemplates") or ()]
    claims = [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in names if each not in held]
    if not claims:
        return spec
    return {**spec, "template": {**template, "spec": {**pod, "volumes": [*(pod.get("volumes") or ()), *claims]}}}


def _stateful_strategy(path: str, strategy: Mapping[str, Any]) -> faults.Errors:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "OnDelete":
        if rolling is not None:
            text = "only allowed for updateStrategy 'RollingUpdate'"
            yield faults.invalid(f"{path}.rollingUpdate", rolling, text)
    elif kind != "RollingUpdate":
        yield faults.invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")
    else:
        yield from faults.not_negative(f"{path}.rollingUpdate", rolling or {}, "partition")
        unavailable = (rolling or {}).get("maxUnavailable")
        yield from workloads.count_or_percent(f"{path}.rollingUpdate.maxUnavailable", unavailable)
        yield from workloads.at_most_all(f"{path}.rollingUpdate.maxUnavailable", unavailable)
        if unavailable in (0, "0%"):
            yield faults.invalid(f"{path}.rollingUpdate.maxUnavailable", unavailable, "cannot be 0")


def fill_daemon_set(draft: resources.Object) -> None:
    """Fill in a DaemonSet."""
    spec = draft.setdefault("spec", {})
    strategy = spec.setdefault("updateStrategy", {})
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    workloads.fill_template(spec)
    status = draft.setdefault("status", {})
    for count in _COUNTS:
        status.setdefault(count, 0)


def judge_daemon_set(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a DaemonSet."""
    spec: Mapping[str, Any] = obj.get("spec") or {}
    yield from faults.not_negative("spec", spec, "minReadySeconds", "revisionHistoryLimit")
    yield from workloads.judge_pods(spec, "daemonset", "DaemonSet")
    yield from _daemon_strategy("spec.updateStrategy", spec.get("updateStrategy") or {})
    if old is not None:
        yield from metadata.immutable("spec.selector", spec.get("selector"), (old.get("spec") or {}).get("selector"))


def _daemon_strategy(path: str, strategy: Mapping[str, Any]) -> faults.Errors:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate") or {}
    if kind not in ("OnDelete", "RollingUpdate"):
        yield faults.not_supported(f"{path}.type", kind, ("OnDelete", "RollingUpdate"))
    if kind != "RollingUpdate":
        return
    for name in ("maxUnavailable", "maxSurge"):
        yield from workloads.count_or_percent(f"{path}.rollingUpdate.{name}", rolling.get(name))
        yield from workloads.at_most_all(f"{path}.rollingUpdate.{name}", rolling.get(name))
    unavailable, surge = (rolling.get(name) not in (0, "0%", None) for name in ("maxUnavailable", "maxSurge"))
    if not unavailable and not surge:
        yield faults.required(f"{path}.rollingUpdate.maxUnavailable", "cannot be 0 when maxSurge is 0")
    if unavailable and surge:
        text = "may not be set when maxUnavailable is non-zero"
        yield faults.invalid(f"{path}.rollingUpdate.maxSurge", rolling.get("maxSurge"), text)


def judge_controller_revision(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """A ControllerRevision holds something, and always the same."""
    revision = obj.get("revision") or 0
    if revision < 0:
        yield faults.invalid("revision", revision, "must be greater than or equal to 0")
    if obj.get("data") is None:
        yield faults.required("data", "data is mandatory")
    elif not isinstance(obj["data"], dict):
        yield faults.invalid("data", obj["data"], "error parsing data as JSON: must be an object")
    if old is not None:
        yield from metadata.immutable("data", obj.get("data"), old.get("data"))
