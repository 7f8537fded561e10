"""Finalizers: a mark on an object that it must not vanish before we have cleaned up.

The order is law: the mark first, then the side effect; the side effect undone first, then the mark removed. Both writes carry the
version that was read, because the list of finalizers is shared with others.
"""

from __future__ import annotations

from brickyard.api.kinds import resources
from brickyard.kube.client import contract
from brickyard.kube.objects import meta


def has(obj: resources.Object, finalizer: str) -> bool:
    """Whether ``obj`` carries the mark."""
    return finalizer in meta.finalizers(obj)


async def ensure(
    client: contract.Client, kind: resources.ResourceType, obj: resources.Object, finalizer: str
) -> resources.Object:
    """``obj`` with the mark, written if it had none. An object that is being deleted takes no new marks and is returned as it is.

    Raises:
        Conflict: ``obj`` is stale.
    """
    if has(obj, finalizer) or meta.is_deleting(obj):
        return obj
    return await _write(client, kind, obj, [*meta.finalizers(obj), finalizer])


async def remove(
    client: contract.Client, kind: resources.ResourceType, obj: resources.Object, finalizer: str
) -> resources.Object:
    """``obj`` without the mark; if it was the last one of a deleted object, that object is gone now.

    Raises:
        Conflict: ``obj`` is stale.
        NotFound: it is gone already.
    """
    if not has(obj, finalizer):
        return obj
    return await _write(client, kind, obj, [each for each in meta.finalizers(obj) if each != finalizer])


async def _write(
    client: contract.Client, kind: resources.ResourceType, obj: resources.Object, finalizers: list[str]
) -> resources.Object:
    patch = {
        "metadata": {"finalizers": finalizers, "resourceVersion": meta.resource_version(obj), "uid": meta.uid(obj)}
    }
    return await client.patch(kind, meta.key(obj), patch)
