"""Whether a pod may be evicted: the answer of the disruption budget that covers it. Pure.

    the pod                                       the answer
    ended, waiting for a node, or going already   yes: nothing is disrupted
    not ready, and enough others are              yes (for ``AlwaysAllow`` even where not enough are)
    covered by no budget                          yes
    covered by more than one                      an error: Kubernetes does not know either
    covered by one                                yes while more of its pods are healthy than it needs

A budget is counted here and now, over the pods its selector covers, unless a controller keeps its status current: then what that
allows is used up by one, until the controller counts anew. A pod that is going already is no longer counted on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import errors
from brickyard.kube.objects import conditions, selectors

_RETRY_SECONDS = 10


def check(
    pod: resources.Object, pods: Sequence[resources.Object], budgets: Sequence[resources.Object]
) -> resources.Object | None:
    """Let ``pod`` go, one of the namespace's ``pods``, unless one of its ``budgets`` is against it.

    Gives the budget whose status allowed it, which is to be ``charge``d; None where nothing was used up.

    Raises:
        TooManyRequestsError: not now.
        InternalError: more than one budget covers it.
    """
    if _undisturbed(pod):
        return None
    covering = [each for each in budgets if _covers(each, pod)]
    if len(covering) > 1:
        raise errors.InternalError(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    charged = [each for each in covering if _check_budget(each, pod, [one for one in pods if _covers(each, one)])]
    return charged[0] if charged else None


def charge(budget: resources.Object, pod: str, moment: str) -> None:
    """Use up one disruption that the status of ``budget`` (changed) allows, for the pod of that name."""
    status = budget["status"]
    status["disruptionsAllowed"] -= 1
    status["disruptedPods"] = {**(status.get("disruptedPods") or {}), pod: moment}


def _undisturbed(pod: resources.Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Pending", "Succeeded", "Failed") or _going(pod)


def _going(pod: resources.Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _covers(budget: resources.Object, pod: resources.Object) -> bool:
    selector = (budget.get("spec") or {}).get("selector")
    if selector is None:
        return False
    return selectors.from_label_selector(selector).matches(pod["metadata"].get("labels") or {})


def _ready(pod: resources.Object) -> bool:
    return conditions.is_true((pod.get("status") or {}).get("conditions"), "Ready")


def _check_budget(budget: resources.Object, pod: resources.Object, pods: Sequence[resources.Object]) -> bool:
    """Refuse, or say whether the budget's status has one disruption less to give."""
    spec, status = budget.get("spec") or {}, budget.get("status") or {}
    if _ready(pod) is False and spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return False
    healthy, needed = sum(_ready(each) and not _going(each) for each in pods), _needed(spec, len(pods))
    allowed = healthy - needed
    kept: bool = (status.get("observedGeneration") or 0) >= budget["metadata"].get("generation", 1)
    if kept:
        healthy, needed = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
        allowed = status.get("disruptionsAllowed", 0)
    if not _ready(pod) and healthy >= needed > 0:
        return False
    if allowed > 0:
        return kept
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
