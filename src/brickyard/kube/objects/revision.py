"""The hash that names a pod template: same template, same hash, on every machine and in every run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from brickyard.kube.objects import names

_LENGTH = 10


def pod_template_hash(template: Mapping[str, Any], collision_count: int | None = None) -> str:
    """Ten characters that are legal in a label value and in a name.

    The order of keys does not matter, nor do keys whose value is null; ``collision_count`` (a Deployment's status field) moves on
    to another hash when two templates met in one.
    """
    text = orjson.dumps(_pruned(template), option=orjson.OPT_SORT_KEYS)
    if collision_count is not None:
        text += b"#%d" % collision_count
    return names.encode_safe(hashlib.sha256(text).digest(), _LENGTH)


def _pruned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _pruned(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_pruned(each) for each in value]
    return value
