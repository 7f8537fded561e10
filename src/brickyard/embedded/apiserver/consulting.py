"""A writer's way to the registered webhooks: what it has in hand, put as they are asked, and their changes read like a client's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import drafts
from brickyard.embedded.apiserver.context import Context
from brickyard.embedded.apiserver.webhooks import contract as webhooks

_OPTIONS_VERSION = "meta.k8s.io/v1"
_OPTIONS: Mapping[webhooks.Operation, str] = {
    "CREATE": "CreateOptions",
    "UPDATE": "UpdateOptions",
    "DELETE": "DeleteOptions",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Write:
    """A write under way: where, what kind of, and in whose name (``manager``)."""

    place: drafts.Place
    operation: webhooks.Operation
    part: str = ""
    dry_run: bool = False
    manager: str = ""

    def asked(self, obj: resources.Object | None, old: resources.Object | None) -> webhooks.Asked:
        """This write as webhooks hear of it."""
        kind, place = self.place.kind, self.place
        options: dict[str, Any] = {"kind": _OPTIONS[self.operation], "apiVersion": _OPTIONS_VERSION}
        if self.manager:
            options["fieldManager"] = self.manager
        if self.dry_run:
            options["dryRun"] = ["All"]
        name = place.name or ((obj or {}).get("metadata") or {}).get("name") or ""
        return webhooks.Asked(
            resource=place.resource,
            namespace=name if kind == resources.NAMESPACE else place.namespace,
            name=name,
            operation=self.operation,
            object=obj,
            old=old,
            part=self.part,
            dry_run=self.dry_run,
            options=options,
        )


async def changed(
    context: Context, write: Write, obj: resources.Object, old: resources.Object | None
) -> tuple[resources.Object, Sequence[str]]:
    """``obj`` (decoded) as mutating webhooks leave it, and their warnings. They see it with its defaults.

    Raises:
        ApiError: a webhook denies the write or cannot be asked, or what it made is no such object.
    """
    if context.gate.idle():
        return obj, ()
    shown = write.place.resource.admission.default(obj)
    heard = await context.gate.mutate(write.asked(shown, old))
    if heard.object is shown:
        # Nobody meant it or nobody changed it: a registered hook costs no other kind a second look.
        return obj, heard.warnings
    decoded, _ = drafts.decoded(write.place, heard.object, "Ignore", write.part)
    return decoded, heard.warnings


async def agreed(
    context: Context, write: Write, obj: resources.Object | None, old: resources.Object | None
) -> Sequence[str]:
    """Ask validating webhooks about what is going to be stored; their warnings. Raises as ``changed``."""
    if context.gate.idle():
        return ()
    return await context.gate.validate(write.asked(obj, old))
