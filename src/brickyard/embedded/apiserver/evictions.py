"""Whether a pod may be evicted: the answer of the disruption budget that covers it. Pure.

    the pod                                       the answer
    ended, waiting for a node, or going already   yes: nothing is disrupted
    not ready, and enough others are              yes (for ``AlwaysAllow`` even where not enough are)
    covered by no budget                          yes
    covered by more than one                      an error: Kubernetes does not know either
    covered by one                                yes while more of its pods are healthy than it needs

A budget is counted here and now, over the pods its selector covers, unless a controller keeps its status current.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import errors
from brickyard.kube.objects import conditions, selectors

_RETRY_SECONDS = 10


def check(pod: resources.Object, pods: Sequence[resources.Object], budgets: Sequence[resources.Object]) -> None:
    """Let ``pod`` go, one of the namespace's ``pods``, unless one of its ``budgets`` is against it.

    Raises:
        TooManyRequestsError: not now.
        InternalError: more than one budget covers it.
    """
    if _undisturbed(pod):
        return
    covering = [each for each in budgets if _covers(each, pod)]
    if len(covering) > 1:
        raise errors.InternalError(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    for budget in covering:
        _check_budget(budget, pod, [each for each in pods if _covers(budget, each)])


def _undisturbed(pod: resources.Object) -> bool:
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Pending", "Succeeded", "Failed") or bool(pod["metadata"].get("deletionTimestamp"))


def _covers(budget: resources.Object, pod: resources.Object) -> bool:
    selector = (budget.get("spec") or {}).get("selector")
    if selector is None:
        return False
    return selectors.from_label_selector(selector).matches(pod["metadata"].get("labels") or {})


def _ready(pod: resources.Object) -> bool:
    return conditions.is_true((pod.get("status") or {}).get("conditions"), "Ready")


def _check_budget(budget: resources.Object, pod: resources.Object, pods: Sequence[resources.Object]) -> None:
    spec, status = budget.get("spec") or {}, budget.get("status") or {}
    if _ready(pod) is False and spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return
    healthy, needed = sum(_ready(each) for each in pods), _needed(spec, len(pods))
    allowed = healthy - needed
    if (status.get("observedGeneration") or 0) >= budget["metadata"].get("generation", 1):
        healthy, needed = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
        allowed = status.get("disruptionsAllowed", 0)
    if allowed > 0 or (not _ready(pod) and healthy >= needed > 0):
        return
    name = budget["metadata"]["name"]
    cause = {
        "reason": "DisruptionBudget",
        "message": f"The disruption budget {name} needs {needed} healthy pods and has {healthy} currently",
    }
    raise errors.TooManyRequestsError(
        "Cannot evict pod as it would violate the pod's disruption budget.",
        {"causes": [cause], "retryAfterSeconds": _RETRY_SECONDS},
    )


def _needed(spec: dict[str, Any], expected: int) -> int:
    """How many of ``expected`` pods must be healthy. Percentages are rounded up, as Kubernetes does on both sides."""
    if spec.get("maxUnavailable") is not None:
        return max(0, expected - _share(spec["maxUnavailable"], expected))
    return _share(spec.get("minAvailable") or 0, expected)


def _share(amount: int | str, expected: int) -> int:
    if isinstance(amount, int):
        return amount
    percent = amount.removesuffix("%")
    return math.ceil(int(percent) * expected / 100) if percent.isdigit() else 0
