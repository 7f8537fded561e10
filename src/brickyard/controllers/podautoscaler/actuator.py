"""Reads a target's size and writes it.

Reading is cheap and may be a moment old; what is written is decided on it, so the target is read anew at the last moment, and written
only if it is still the same object of the same size. The version that was read goes along: of two that write at once, one is refused.

    has a scale     the scale is replaced
    one role        the role's replicas in the StormService's template are patched, nothing else
    has none        spec.replicas is patched
"""

from __future__ import annotations

from typing import Any

from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import types
from brickyard.controllers import errors
from brickyard.controllers.podautoscaler import discovery, followers, targets
from brickyard.kube.client import contract
from brickyard.kube.client import errors as kube_errors

ATTEMPTS = 4
"""Tries of one write, against others who write other parts of the same object."""


class Actuator:
    """Sizes of targets, over one API."""

    def __init__(self, client: contract.Client, caches: followers.Followers) -> None:
        self._client = client
        self._caches = caches
        self._discovery = discovery.Discovery(client)

    async def read(self, wanted: targets.Reference) -> targets.Size:
        """The target's size, as a cache may hold it.

        Raises:
            TargetError: it is not there, cannot be read, or has no size.
        """
        kind = wanted.known
        if kind is not None:
            cache = self._caches.of(kind)
            found = cache.get(wanted.namespace, wanted.name) if cache.synced else None
            if found is not None:
                return targets.size(wanted, found)
        try:
            return await self._fresh(wanted)
        except kube_errors.NotFound as error:
            raise errors.TargetError(f"{wanted} is not there: {error}") from error
        except kube_errors.KubeError as error:
            raise errors.TargetError(f"{wanted} cannot be read: {error}") from error

    async def resize(self, wanted: targets.Reference, decided_on: targets.Size, replicas: int) -> None:
        """Ask the target for ``replicas``.

        Raises:
            TargetMovedError: it is no longer what was decided on.
            TargetError: the API refuses, or others write it faster than we can.
        """
        try:
            for _ in range(ATTEMPTS):
                current = await self._fresh(wanted)
                if (current.uid, current.replicas) != (decided_on.uid, decided_on.replicas):
                    raise _moved(wanted, decided_on, current)
                try:
                    await self._write(wanted, current, replicas)
                except kube_errors.Conflict:
                    continue
                return
        except kube_errors.KubeError as error:
            raise errors.TargetError(f"{wanted} cannot be scaled: {error}", types.EVENT_FAILED_RESCALE) from error
        text = f"{wanted} changes faster than it can be scaled; the next pass tries again"
        raise errors.TargetError(text, types.EVENT_FAILED_RESCALE)

    async def _fresh(self, wanted: targets.Reference) -> targets.Size:
        served = await self._served(wanted)
        if wanted.known is None and served.scales:
            path = served.type.path(wanted.namespace, wanted.name, "scale")
            return targets.scale_size(wanted, await discovery.read(self._client, path))
        return targets.size(wanted, await self._client.get(served.type, wanted.name, wanted.namespace))

    async def _write(self, wanted: targets.Reference, current: targets.Size, replicas: int) -> None:
        served = await self._served(wanted)
        place = (wanted.namespace, wanted.name)
        if wanted.role_alone:
            await self._client.patch(
                served.type, place, _role_patch(wanted, current, replicas), contract.PatchKind.JSON
            )
        elif served.scales:
            await self._client.update(served.type, _scale(wanted, current, replicas), subresource="scale")
        else:
            patch = {"metadata": {"resourceVersion": current.version}, "spec": {"replicas": replicas}}
            await self._client.patch(served.type, place, patch)

    async def _served(self, wanted: targets.Reference) -> discovery.Served:
        known = wanted.known
        return (
            discovery.Served(known, scales=True)
            if known
            else await self._discovery.find(wanted.api_version, wanted.kind)
        )


def _moved(wanted: targets.Reference, before: targets.Size, now: targets.Size) -> errors.TargetMovedError:
    if now.uid != before.uid:
        return errors.TargetMovedError(f"{wanted} was deleted and made anew")
    text = f"{wanted} was scaled from {before.replicas} to {now.replicas} by somebody else"
    return errors.TargetMovedError(text)


def _scale(wanted: targets.Reference, current: targets.Size, replicas: int) -> resources.Object:
    metadata = {"name": wanted.name, "namespace": wanted.namespace, "resourceVersion": current.version}
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": metadata,
        "spec": {"replicas": replicas},
    }


def _role_patch(wanted: targets.Reference, current: targets.Size, replicas: int) -> list[dict[str, Any]]:
    role = f"/spec/template/spec/roles/{current.place}"
    return [
        {"op": "test", "path": f"{role}/name", "value": wanted.role},
        {"op": "add", "path": "/metadata/resourceVersion", "value": current.version},
        {"op": "add", "path": f"{role}/replicas", "value": replicas},
    ]
