"""Writing status: only when it differs, and again when somebody was faster.

A status belongs to the controller that writes it, so a conflict comes from a change elsewhere in the object and the same status can be
written over the newer version. What is computed from the object itself goes through ``rewrite``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors
from brickyard.kube.objects import meta

ATTEMPTS = 4

Compute = Callable[[resources.Object], Mapping[str, Any]]


async def write(
    client: contract.Client, kind: resources.ResourceType, obj: resources.Object, status: Mapping[str, Any]
) -> resources.Object:
    """``obj`` with ``status``; no request is made when it has it already. Raises as ``rewrite``."""
    return await rewrite(client, kind, obj, lambda _: status)


async def rewrite(
    client: contract.Client, kind: resources.ResourceType, obj: resources.Object, compute: Compute
) -> resources.Object:
    """``obj`` with the status that ``compute`` makes of it, computed anew from each newer version met on the way.

    Raises:
        NotFound: the object is gone, or another one has its name now.
        Conflict: somebody was faster ``ATTEMPTS`` times in a row.
    """
    current = obj
    for attempt in range(ATTEMPTS):
        status = dict(compute(current))
        if status == (current.get("status") or {}):
            return current
        try:
            return await client.update(kind, {**current, "status": status}, subresource="status")
        except errors.Conflict:
            if attempt == ATTEMPTS - 1:
                raise
        key = meta.key(obj)
        current = await client.get(kind, key.name, key.namespace)
        if meta.uid(current) != meta.uid(obj):
            raise errors.NotFound(f"{kind.kind} {key} was deleted and made anew", reason="NotFound")
    raise AssertionError("unreachable: the last attempt returns or raises")
