"""Client-side apply: the merge patch that carries a manifest's changes to an object that others write to as well.

Three objects speak: the manifest as last applied (kept in an annotation), the manifest now, and the object as it lives. A field that the
manifest names is set; one that it named before and no longer does is removed; all others belong to somebody else and stay.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import orjson

from brickyard.api.kinds import resources
from brickyard.kube.objects import equality

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation kubectl keeps for the same purpose: both tools can take turns on one object."""


def with_last_applied(manifest: resources.Object) -> resources.Object:
    """A copy of ``manifest`` that carries itself in its annotation, as ``kubectl apply`` writes it."""
    bare = copy.deepcopy(manifest)
    metadata = bare.setdefault("metadata", {})
    annotations = metadata.get("annotations") or {}
    annotations.pop(LAST_APPLIED, None)
    metadata["annotations"] = annotations
    text = orjson.dumps(bare, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    metadata["annotations"] = {**annotations, LAST_APPLIED: text}
    return bare


def last_applied(live: resources.Object) -> resources.Object:
    """The manifest that was last applied to ``live``; empty when it was made some other way."""
    text = (live.get("metadata", {}).get("annotations") or {}).get(LAST_APPLIED)
    try:
        found = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def patch(live: resources.Object, manifest: resources.Object) -> dict[str, Any]:
    """The RFC 7386 merge patch that applies ``manifest`` to ``live``; empty when there is nothing to change."""
    wanted = with_last_applied(manifest)
    return _merge(last_applied(live), wanted, live)


def _merge(before: Mapping[str, Any], wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {key: None for key in before if key not in wanted and key in live}
    for key, value in wanted.items():
        here, was = live.get(key), before.get(key)
        if isinstance(value, dict) and isinstance(here, dict):
            inner = _merge(was if isinstance(was, dict) else {}, value, here)
            if inner:
                changes[key] = inner
        elif not _says_the_same(value, here):
            changes[key] = value
    return changes


def _says_the_same(wanted: Any, live: Any) -> bool:
    """Whether ``live`` holds all that ``wanted`` names: what a server fills in by default is no difference."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(key in live and _says_the_same(wanted[key], live[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(live, list) and len(wanted) == len(live) and all(map(_says_the_same, wanted, live))
    return equality.scalars_equal(wanted, live)
