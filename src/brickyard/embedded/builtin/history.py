"""Keeps the ControllerRevisions of a set as ``revisions`` decided."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import revisions
from brickyard.kube.client import contract, errors
from brickyard.kube.objects import meta


async def keep(client: contract.Client, chosen: revisions.Revisions, stale: Iterable[resources.Object]) -> None:
    """Write what is new or moved to the end, and delete what is ``stale``; what is gone already is fine."""
    if chosen.create is not None:
        await client.create(resources.CONTROLLER_REVISION, chosen.create)
    if chosen.renumber is not None:
        await client.update(resources.CONTROLLER_REVISION, chosen.renumber)
    for each in stale:
        with contextlib.suppress(errors.NotFound):
            options = contract.DeleteOptions(uid=meta.uid(each))
            await client.delete(resources.CONTROLLER_REVISION, meta.key(each), options)
