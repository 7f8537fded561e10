"""What a webhook is asked, and what it can say.

A handler is a pure function from ``Request`` to one of three answers. A mutating webhook says ``Patched`` with the whole new object,
from which the JSON patch is made; a validating one says ``Allowed`` or ``Denied``. Anything a handler raises is its bug and becomes a
500, which the cluster's ``failurePolicy`` judges.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources


class Operation(enum.Enum):
    """What is done to the object."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One question.

    Attributes:
        uid: of the question; its answer carries it.
        operation: what is done.
        group, kind: of the object.
        namespace, name: of the object; ``name`` is "" where it will be generated.
        obj: the object as it would be stored; empty on DELETE.
        old: the object as it is stored; None on CREATE.
        dry_run: nothing will be stored.
    """

    uid: str
    operation: Operation
    group: str
    kind: str
    namespace: str
    name: str
    obj: resources.Object
    old: resources.Object | None
    dry_run: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Allowed:
    """Store it as it is. ``warnings`` are shown by kubectl, one line each."""

    warnings: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Patched:
    """Store ``obj`` instead of what came."""

    obj: resources.Object
    warnings: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Denied:
    """Do not store it. ``details`` are those of a Status: ``name``, ``group``, ``kind``, ``causes``."""

    message: str
    code: int = 403
    reason: str = "Forbidden"
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    warnings: Sequence[str] = ()


Answer = Allowed | Patched | Denied
Handler = Callable[[Request], Answer]


class Phase(enum.Enum):
    """Which of the two kinds of configuration lists a webhook."""

    MUTATING = "mutating"
    VALIDATING = "validating"


@dataclasses.dataclass(frozen=True, slots=True)
class Webhook:
    """One row of what is served.

    Attributes:
        name: in the configuration; a domain name of at least three parts.
        path: under which it is asked.
        phase: before or after other mutations.
        kind: what it is asked about.
        handler: what answers.
    """

    name: str
    path: str
    phase: Phase
    kind: resources.ResourceType
    handler: Handler
