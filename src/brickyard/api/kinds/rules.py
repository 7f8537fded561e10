"""The rules of every kind that has some, in one list. A PodSet has none: it is made by a RoleSet, and its schema says everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from brickyard.api.kinds import contract, resources
from brickyard.api.kinds.deployment import admission as deployment
from brickyard.api.kinds.kvcache import admission as kvcache
from brickyard.api.kinds.modeladapter import admission as modeladapter
from brickyard.api.kinds.modelclaim import admission as modelclaim
from brickyard.api.kinds.podautoscaler import admission as podautoscaler
from brickyard.api.kinds.rayclusterfleet import admission as rayclusterfleet
from brickyard.api.kinds.rayclusterreplicaset import admission as rayclusterreplicaset
from brickyard.api.kinds.roleset import admission as roleset
from brickyard.api.kinds.stormservice import admission as stormservice

_NONE: Final = contract.NoRules()

RULES: Final[Mapping[resources.ResourceType, contract.KindRules]] = {
    resources.DEPLOYMENT: deployment.Rules(),
    resources.POD_AUTOSCALER: podautoscaler.Rules(),
    resources.MODEL_ADAPTER: modeladapter.Rules(),
    resources.MODEL_CLAIM: modelclaim.Rules(),
    resources.STORM_SERVICE: stormservice.Rules(),
    resources.ROLE_SET: roleset.Rules(),
    resources.KV_CACHE: kvcache.Rules(),
    resources.RAY_CLUSTER_FLEET: rayclusterfleet.Rules(),
    resources.RAY_CLUSTER_REPLICA_SET: rayclusterreplicaset.Rules(),
}

_BY_NAME: Final = {(kind.group, kind.kind): rules for kind, rules in RULES.items()}


def of(group: str, kind: str) -> contract.KindRules:
    """The rules of a kind, which hold for all its versions; ``NoRules`` where its schema says everything."""
    return _BY_NAME.get((group, kind), _NONE)
