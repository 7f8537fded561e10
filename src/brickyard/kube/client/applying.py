"""``apply``: make what a manifest says be so, leaving alone what others wrote."""

from __future__ import annotations

import copy
import enum

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors, mapping
from brickyard.kube.objects import meta, threeway


class Applied(enum.Enum):
    """What applying a manifest did, in kubectl's words."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"


async def apply(
    client: contract.Client, mapper: mapping.Mapper, manifest: resources.Object, namespace: str = "default"
) -> tuple[resources.ResourceType, Applied]:
    """Create the manifest's object, or patch it so that it says what the manifest says.

    ``namespace`` is for manifests that name none.

    Raises:
        UnknownKind: its kind is not served.
        KubeError: the API refused; the text says why.
    """
    kind = await mapper.of_kind(manifest["apiVersion"], manifest["kind"])
    wanted = copy.deepcopy(manifest)
    if kind.namespaced:
        wanted["metadata"].setdefault("namespace", namespace)
    target = (meta.namespace(wanted), meta.name(wanted))
    try:
        live = await client.get(kind, target[1], target[0])
    except errors.NotFound:
        await client.create(kind, threeway.with_last_applied(wanted))
        return kind, Applied.CREATED
    changes = threeway.patch(live, wanted)
    if not changes:
        return kind, Applied.UNCHANGED
    await client.patch(kind, target, changes)
    return kind, Applied.CONFIGURED
