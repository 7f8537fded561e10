"""The admission webhooks, in one visible place: which path answers for which kind.

Names and paths are those of AIBrix, so that its manifests' configurations reach ours unchanged.

    mutating    /mutate-<group with dashes>-<version>-<kind>      legacy forms converted, defaults filled
    validating  /validate-…                                       every field error at once
"""

from __future__ import annotations

from collections.abc import Sequence

from brickyard.api.kinds import resources, rules
from brickyard.kube.webhooks import adapting, contract

_MUTATING, _VALIDATING = contract.Phase.MUTATING, contract.Phase.VALIDATING

_ROWS = (
    ("medeployment.aibrix.ai", _MUTATING, resources.DEPLOYMENT),
    ("mkvcache-v1alpha1.kb.io", _MUTATING, resources.KV_CACHE),
    ("mmodeladapter.kb.io", _MUTATING, resources.MODEL_ADAPTER),
    ("mpodautoscaler-v1alpha1.kb.io", _MUTATING, resources.POD_AUTOSCALER),
    ("mstormservice.kb.io", _MUTATING, resources.STORM_SERVICE),
    ("vedeployment.aibrix.ai", _VALIDATING, resources.DEPLOYMENT),
    ("vkvcache-v1alpha1.kb.io", _VALIDATING, resources.KV_CACHE),
    ("vmodeladapter.kb.io", _VALIDATING, resources.MODEL_ADAPTER),
    ("vpodautoscaler-v1alpha1.kb.io", _VALIDATING, resources.POD_AUTOSCALER),
    ("vstormservice.kb.io", _VALIDATING, resources.STORM_SERVICE),
)


def webhooks() -> Sequence[contract.Webhook]:
    """Every webhook that is served."""
    return [_row(name, phase, kind) for name, phase, kind in _ROWS]


def _row(name: str, phase: contract.Phase, kind: resources.ResourceType) -> contract.Webhook:
    found = rules.of(kind.group, kind.kind)
    verb = "mutate" if phase is _MUTATING else "validate"
    path = f"/{verb}-{kind.group.replace('.', '-')}-{kind.version}-{kind.kind.lower()}"
    handler = adapting.mutating(found) if phase is _MUTATING else adapting.validating(found)
    return contract.Webhook(name, path, phase, kind, handler)
