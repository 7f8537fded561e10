"""A RayClusterFleet without a kind of rollout is rolled out: RollingUpdate by a quarter, as Deployments are."""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import contract, resources, shapes

DEFAULT_STRATEGY: Final = "RollingUpdate"
DEFAULT_BUDGET: Final = "25%"
"""Of replicas: how many may be added, and how many missing."""

_STRATEGY: Final = ("spec", "strategy")


class Rules(contract.NoRules):
    """Fills ``contract.KindRules``."""

    def default(self, obj: resources.Object) -> resources.Object:
        strategy = shapes.at(obj, *_STRATEGY)
        if not isinstance(obj.get("spec"), dict) or not isinstance(strategy, dict | None):
            return obj
        if shapes.text(strategy, "type") != "":
            return obj
        budget = {key: each for key, each in shapes.mapping(strategy, "rollingUpdate").items() if each is not None}
        rolling = {"maxSurge": DEFAULT_BUDGET, "maxUnavailable": DEFAULT_BUDGET} | budget
        return shapes.placed(obj, _STRATEGY, {**(strategy or {}), "type": DEFAULT_STRATEGY, "rollingUpdate": rolling})
