"""Revisions: the templates that a StatefulSet or DaemonSet has had, as ControllerRevision objects. Pure.

Their ``data`` is a strategic merge patch on the owner, which is what ``kubectl rollout undo`` applies.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from brickyard.api import names as keys
from brickyard.api.kinds import resources
from brickyard.kube.objects import meta, names, owners, revision

_HASH = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Revisions:
    """Which revisions a pass works with.

    ``update`` holds the template as it is now and ``current`` the one that pods below the partition keep. ``create`` is ``update``
    where it is not stored yet; ``renumber`` is a stored one that has become the newest again, whole.
    """

    current: resources.Object
    update: resources.Object
    create: resources.Object | None = None
    renumber: resources.Object | None = None


def number(found: resources.Object) -> int:
    """The place of a revision in history, from 1."""
    return int(found.get("revision") or 0)


def template(found: resources.Object) -> dict[str, Any]:
    """The pod template that a revision holds."""
    return {key: value for key, value in found["data"]["spec"]["template"].items() if key != "$patch"}


def ordered(found: Iterable[resources.Object]) -> list[resources.Object]:
    """Oldest first."""
    return sorted(found, key=lambda each: (number(each), meta.name(each)))


def choose(owner: resources.Object, stored: Sequence[resources.Object]) -> Revisions:
    """The revisions of an owner that has those ``stored``."""
    history = ordered(stored)
    wanted = _build(owner, number(history[-1]) + 1 if history else 1)
    same = [each for each in history if each["data"] == wanted["data"]]
    create = renumber = None
    if not same:
        update = create = wanted
    elif same[-1] is history[-1]:
        update = history[-1]
    else:
        # An undo: the template of an old revision is the newest once more.
        update = renumber = {**same[-1], "revision": number(wanted)}
    name = (owner.get("status") or {}).get("currentRevision")
    current = next((each for each in history if meta.name(each) == name), update)
    if current is not update and meta.name(current) == meta.name(update):
        current = update
    return Revisions(current, update, create, renumber)


def outdated(
    owner: resources.Object, stored: Sequence[resources.Object], live: Iterable[str]
) -> tuple[resources.Object, ...]:
    """Revisions that nobody is made of (``live`` are the names of the others), beyond those to be kept; oldest first."""
    limit = owner["spec"].get("revisionHistoryLimit")
    used = set(live)
    idle = [each for each in ordered(stored) if meta.name(each) not in used]
    return tuple(idle[: max(0, len(idle) - (10 if limit is None else int(limit)))])


def _build(owner: resources.Object, place: int) -> resources.Object:
    held = copy.deepcopy(owner["spec"]["template"])
    digest = revision.pod_template_hash(held)
    prefix = names.truncated(meta.name(owner), names.LABEL_LIMIT - _HASH - 1)
    selected = (owner["spec"]["selector"] or {}).get("matchLabels") or {}
    notes = {key: text for key, text in meta.annotations(owner).items() if "last-applied" not in key}
    metadata = {
        "name": f"{prefix}-{digest}",
        "namespace": meta.namespace(owner),
        "labels": {**((held.get("metadata") or {}).get("labels") or {}), **selected, keys.CONTROLLER_HASH: digest},
        "annotations": notes,
        "ownerReferences": [owners.owner_reference(owner)],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {key: value for key, value in metadata.items() if value},
        "data": {"spec": {"template": {**held, "$patch": "replace"}}},
        "revision": place,
    }
