"""What the rest of Brickyard may ask of a Kubernetes API.

Every call names a ``ResourceType`` and speaks plain dicts. Errors are those of ``errors``: ``NotFound``, ``Conflict``,
``AlreadyExists``, ``Invalid``, ``Gone``, … each a value of the HTTP status and reason that came. Every call has a deadline (the
client's); a watch has none but ends and resumes by itself.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from brickyard.api.kinds import resources

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
"""Annotation of the bookmark that ends a streaming list."""


class PatchKind(enum.Enum):
    """Media types of a patch."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """Which objects of a collection: empty fields ask for all. ``namespace`` "" means every namespace.

    ``initial_events`` is for watches: begin with every object there is, each as ADDED, then a bookmark for which ``ends_initial`` holds
    (a streaming list). Servers that cannot refuse it as ``Invalid``, or ignore it.
    """

    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    initial_events: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ObjectList:
    """A page of a collection and the version it was read at."""

    items: Sequence[resources.Object]
    resource_version: str
    continue_token: str = ""


class EventType(enum.Enum):
    """What a watch can tell."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclasses.dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change. A bookmark's object carries only a resourceVersion."""

    type: EventType
    object: resources.Object

    @property
    def ends_initial(self) -> bool:
        """Whether everything that was there has been told: what follows are changes."""
        if self.type is not EventType.BOOKMARK:
            return False
        annotations = (self.object.get("metadata") or {}).get("annotations") or {}
        return annotations.get(INITIAL_EVENTS_END) == "true"


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How to delete. ``grace_period_seconds`` None means the object's own; ``uid`` "" means whichever lives."""

    grace_period_seconds: int | None = None
    propagation_policy: str = "Background"
    uid: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How to apply. ``manager`` "" means this process; ``force`` takes over fields that others manage."""

    manager: str = ""
    force: bool = False
    subresource: str = ""


class Client(Protocol):
    """A connection to one Kubernetes API."""

    async def get(self, kind: resources.ResourceType, name: str, namespace: str = "") -> resources.Object: ...

    async def list(self, kind: resources.ResourceType, query: Query = ...) -> ObjectList: ...

    async def create(self, kind: resources.ResourceType, obj: resources.Object) -> resources.Object:
        """Create in the object's own ``metadata.namespace``."""
        ...

    async def update(
        self, kind: resources.ResourceType, obj: resources.Object, subresource: str = ""
    ) -> resources.Object:
        """Replace; ``subresource`` is ``status`` or ``scale``.

        Raises:
            Conflict: ``metadata.resourceVersion`` is set and somebody was faster.
        """
        ...

    async def patch(
        self,
        kind: resources.ResourceType,
        target: tuple[str, str],
        patch: Any,
        patch_kind: PatchKind = ...,
        subresource: str = "",
    ) -> resources.Object:
        """Patch ``target`` = (namespace, name); merge patch unless told."""
        ...

    async def apply(
        self, kind: resources.ResourceType, obj: resources.Object, how: ApplyOptions = ...
    ) -> resources.Object:
        """Server-side apply: make the fields that ``obj`` names what it says, own them, and give up those no longer named.

        Raises:
            Conflict: others manage some of the fields and ``how`` does not force; ``causes`` name them.
        """
        ...

    async def delete(
        self, kind: resources.ResourceType, target: tuple[str, str], options: DeleteOptions = ...
    ) -> resources.Object:
        """Delete ``target`` = (namespace, name)."""
        ...

    def watch(self, kind: resources.ResourceType, query: Query) -> AsyncIterator[WatchEvent]:
        """Changes from ``query.resource_version`` on, over as many connections as it takes.

        Raises:
            Gone: that version is no longer held; list again.
            KubeError: with ``query.initial_events``, also whatever breaks the stream before it has told everything.
        """
        ...

    async def stream(self, path: str, params: dict[str, str]) -> AsyncIterator[bytes]:
        """Bytes of a long answer, such as a pod's log, as they come."""
        ...
