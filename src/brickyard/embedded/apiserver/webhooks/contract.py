"""What a writer tells the webhooks, and what it hears from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract

Operation = Literal["CREATE", "UPDATE", "DELETE"]


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A write that is about to happen.

    ``object`` is None for a delete, ``old`` for a create. ``namespace`` of a Namespace is its own name, as Kubernetes tells it.
    ``options`` are those of the verb (CreateOptions and its like).
    """

    resource: contract.Resource
    namespace: str
    name: str
    operation: Operation
    object: resources.Object | None = None
    old: resources.Object | None = None
    part: str = ""
    """The subresource, such as ``status``; "" for the object."""
    dry_run: bool = False
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """What mutating webhooks made of an object, and what the client should be warned of."""

    object: resources.Object | None
    warnings: Sequence[str] = ()


class Gate(Protocol):
    """Asks whoever registered."""

    def idle(self) -> bool:
        """Whether nobody registered: nothing has to be asked, and a decision needs no second look."""
        ...

    async def mutate(self, asked: Asked) -> Heard:
        """Let mutating webhooks change the object.

        Raises:
            ApiError: one of them denies the write, or cannot be asked and is not to be passed over.
        """
        ...

    async def validate(self, asked: Asked) -> Sequence[str]:
        """Let validating webhooks look at the object; their warnings. Raises as ``mutate``."""
        ...


class OpenGate:
    """Nobody ever registers."""

    def idle(self) -> bool:
        return True

    async def mutate(self, asked: Asked) -> Heard:
        return Heard(asked.object)

    async def validate(self, asked: Asked) -> Sequence[str]:
        del asked
        return ()
