"""What the API server's parts are to each other.

``catalog`` (which kinds exist and their rules) is pure and answers through ``Catalog``; ``rest`` (the verbs) knows no kind by name and
asks the catalog. A custom resource is a ``Resource`` like a built-in one: made from its CustomResourceDefinition and installed at run
time.

The order of a write: decode → ``convert`` → ``check_types`` → ``unknown_fields`` (strict, warn or ignore, as the client asked) →
``prune`` → ``default`` → ``validate`` → store. Everything after ``check_types`` may rely on the types it checked,
those of ``metadata`` included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

from brickyard.api.kinds import contract as kinds
from brickyard.api.kinds import faults, resources
from brickyard.kube.objects import structure as objects


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A column of Table output.

    ``cell`` computes it; ``priority`` 0 is shown always, 1 with ``-o wide``. ``type`` and ``format`` as in OpenAPI (``string``,
    ``integer``, ``date``).
    """

    name: str
    cell: Cell
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


class Cell(Protocol):
    """Computes a cell from an object."""

    def __call__(self, obj: resources.Object, now: float) -> object:
        """A string, integer or None. ``now`` (Unix seconds) is for ages."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where ``/scale`` reads and writes, as dotted paths; ``selector`` "" when there is none."""

    spec: str = ".spec.replicas"
    status: str = ".status.replicas"
    selector: str = ""


class Reviewer(Protocol):
    """Answers an object instead of storing it: a question that is posted, such as a SelfSubjectAccessReview."""

    def __call__(self, obj: resources.Object, knows: Callable[[str], bool]) -> resources.Object:
        """``obj`` with its ``status``. ``knows`` tells whether a token is this server's."""
        ...


class UndecodableError(ValueError):
    """JSON that does not fit the kind's types: a 400 BadRequest whose message is this text, worded as Kubernetes words it."""


class Admission(Protocol):
    """A kind's own rules. Pure: objects in, objects or complaints out; arguments are not changed."""

    def convert(self, obj: resources.Object) -> kinds.Converted:
        """What ``obj`` says in today's form. It is what the client sent: nothing is known of its types yet."""
        ...

    def check_types(self, obj: resources.Object) -> None:
        """Refuse what a typed decoder would refuse, such as a string where a number belongs. Unknown fields are no matter here.

        Raises:
            UndecodableError: at the first value of a wrong type.
        """
        ...

    def default(self, obj: resources.Object) -> resources.Object:
        """A copy with absent fields filled in as Kubernetes fills them."""
        ...

    def validate(self, obj: resources.Object, old: resources.Object | None) -> Sequence[faults.FieldError]:
        """Everything wrong with ``obj``, all at once; ``old`` is None on create (immutable fields are checked against it)."""
        ...

    def unknown_fields(self, obj: resources.Object) -> Sequence[str]:
        """Paths of fields that the kind does not have, such as ``spec.replcas``."""
        ...

    def prune(self, obj: resources.Object) -> resources.Object:
        """A copy without unknown fields, where the kind prunes; else ``obj`` itself."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """A served kind. ``subresources`` is a subset of {"status", "scale", "log", "binding", "eviction", "exec", "attach",
    "portforward"}."""

    type: resources.ResourceType
    singular: str
    admission: Admission
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    columns: tuple[Column, ...] = ()
    scale: ScalePaths | None = None
    selectable_fields: tuple[str, ...] = ()
    """Dotted paths usable in field selectors beside ``metadata.name`` and ``metadata.namespace``."""
    custom: bool = False
    """Whether a CustomResourceDefinition brought it: updates say which revision they are of; status counts as wanted unless it is
    a subresource."""
    deprecation: str = ""
    """What a client of a deprecated version is warned with."""
    structure: objects.Node | None = None
    """What objects are made of, for owning their fields; None for built-in kinds, whose definitions tell (see ``structures``)."""
    review: Reviewer | None = None
    """Set for kinds that are answered and never stored: they know ``create`` alone."""
    measured: bool = False
    """Whether its objects are measured when they are asked for (see ``measures``): they know ``get`` and ``list`` alone."""
    unattended: str = ""
    """What a client that creates one is warned of where nobody acts on the kind; "" where storing it is all there is to it."""
    since: int = 0
    """Revision of the definition that brought it: what was stored before that may have been shaped by another schema."""
    refresh: Callable[[resources.Object], resources.Object] | None = None
    """What a stored object of another version or an older schema is in this one; None where there is no difference to be made up."""

    @property
    def list_kind(self) -> str:
        return f"{self.type.kind}List"


class Catalog(Protocol):
    """Which kinds are served now."""

    @property
    def version(self) -> int:
        """Grows when a kind comes or goes; what was rendered for an older version is stale."""
        ...

    def find(self, group: str, version: str, plural: str) -> Resource | None: ...

    def of_kind(self, api_version: str, kind: str) -> Resource | None: ...

    def served(self) -> Sequence[Resource]: ...

    def install(self, definition: resources.Object) -> Sequence[Resource]:
        """Serve every served version of a CustomResourceDefinition, replacing what it served before.

        Raises:
            ValueError: the definition cannot be served; the text says why.
        """
        ...

    def uninstall(self, definition_name: str) -> None: ...
