"""A RayClusterFleet without a kind of rollout is rolled out: RollingUpdate by a quarter, as Deployments are."""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import contract, resources, shapes
from brickyard.api.kinds.rayclusterfleet import types

_STRATEGY: Final = ("spec", "strategy")


class Rules(contract.NoRules):
    """Fills ``contract.KindRules``."""

    def default(self, obj: resources.Object) -> resources.Object:
        strategy = shapes.at(obj, *_STRATEGY)
        if not isinstance(obj.get("spec"), dict) or shapes.text(strategy, "type") != "":
            return obj
        if not shapes.is_open(obj, (*_STRATEGY, "rollingUpdate", "maxSurge")):
            return obj
        budget = {key: each for key, each in shapes.mapping(strategy, "rollingUpdate").items() if each is not None}
        rolling = {"maxSurge": types.DEFAULT_SURGE, "maxUnavailable": types.DEFAULT_SURGE} | budget
        return shapes.placed(
            obj, _STRATEGY, {**(strategy or {}), "type": types.ROLLING_UPDATE, "rollingUpdate": rolling}
        )
