"""Kinds of other projects that AIBrix manifests bring along, and that our controllers write.

On a cluster those projects install their own definitions. A machine has none of them, yet the manifests must apply unchanged: here
their kinds are declared, typed where our controllers read or write them and open everywhere else. That a kind is here says nothing
of anybody acting on it: its definition carries the label ``brickyard.dev/stored-only``, by which a controller that asks whether the
project is installed can tell that it is not, and a client that creates such an object is told so.
"""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver.companions import declare, envoy, gateway, groups, inference, monitoring, ray

ALL: Final[tuple[declare.Companion, ...]] = (
    *gateway.COMPANIONS,
    *envoy.COMPANIONS,
    *inference.COMPANIONS,
    *ray.COMPANIONS,
    *groups.COMPANIONS,
    *monitoring.COMPANIONS,
)


def definitions() -> list[resources.Object]:
    """Each companion as a fresh CustomResourceDefinition."""
    return [declare.definition(each) for each in ALL]
