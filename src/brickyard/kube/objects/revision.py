"""Hashes that name a template: same template, same hash, on every machine and in every run.

``pod_template_hash`` is Kubernetes' kind of name (ten characters, some 10^14 values), ``short_hash`` is AIBrix's (six, at most 10^6).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import Any

import orjson

from brickyard.kube.objects import names

_LENGTH = 10
_SHORT = 6
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193


def pod_template_hash(template: Mapping[str, Any], collision_count: int | None = None) -> str:
    """Ten characters that are legal in a label value and in a name.

    The order of keys does not matter, nor do keys whose value is null; ``collision_count`` (a Deployment's status field) moves on
    to another hash when two templates met in one.
    """
    text = orjson.dumps(_pruned(template), option=orjson.OPT_SORT_KEYS)
    if collision_count is not None:
        text += b"#%d" % collision_count
    return names.encode_safe(hashlib.sha256(text).digest(), _LENGTH)


def short_hash(value: Any, collision_count: int | None = None, *, fnv1: bool = False) -> str:
    """Six characters that depend on ``value`` (anything that is JSON), as AIBrix encodes them.

    The 32-bit FNV-1a hash in decimal digits, each mapped into ``SAFE_ALPHABET``, the first six; ``fnv1`` takes FNV-1, as the data of
    ControllerRevisions does. Keys in any order and null values make no difference.
    """
    data = orjson.dumps(_pruned(value), option=orjson.OPT_SORT_KEYS)
    if collision_count is not None:
        data += struct.pack("<Ixxxx", collision_count)
    digits = str(fnv1_32(data) if fnv1 else fnv1a_32(data))
    text = "".join(names.SAFE_ALPHABET[ord(digit) % len(names.SAFE_ALPHABET)] for digit in digits)
    return text[:_SHORT].rjust(_SHORT, "0")


def fnv1a_32(data: bytes) -> int:
    """FNV-1a, 32 bits."""
    found = _FNV_OFFSET
    for byte in data:
        found = ((found ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return found


def fnv1_32(data: bytes) -> int:
    """FNV-1, 32 bits."""
    found = _FNV_OFFSET
    for byte in data:
        found = ((found * _FNV_PRIME) & 0xFFFFFFFF) ^ byte
    return found


def _pruned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _pruned(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_pruned(each) for each in value]
    return value
