"""Secrets and ConfigMaps: named entries."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import metadata

_LIMIT = 1024 * 1024
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
}


def fill_secret(draft: resources.Object) -> None:
    """Fill in a Secret: what was written as text becomes base64, and wins over what was there."""
    texts = draft.pop("stringData", None) or {}
    if texts:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in texts.items()}
        draft["data"] = {**(draft.get("data") or {}), **encoded}
    draft["type"] = draft.get("type") or "Opaque"


def judge_secret(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a Secret. Values are never repeated."""
    data: Mapping[str, str] = obj.get("data") or {}
    yield from _keys("data", data)
    if sum(len(value) * 3 // 4 for value in data.values()) > _LIMIT:
        yield faults.too_long("data", _LIMIT)
    for key in _NEEDED.get(obj.get("type") or "", ()):
        if key not in data:
            yield faults.required(f"data[{key}]")
    if old is not None:
        yield from metadata.immutable("type", obj.get("type"), old.get("type"))
        yield from _frozen(obj, old, ("data",), "field is immutable when `immutable` is set")


def judge_config_map(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a ConfigMap."""
    text: Mapping[str, str] = obj.get("data") or {}
    binary: Mapping[str, str] = obj.get("binaryData") or {}
    yield from _keys("data", text)
    yield from _keys("binaryData", binary)
    for key in text.keys() & binary.keys():
        yield faults.invalid("data", key, "duplicate of key present in binaryData")
    if (
        sum(len(value.encode()) for value in text.values()) + sum(len(each) * 3 // 4 for each in binary.values())
        > _LIMIT
    ):
        yield faults.too_long("", _LIMIT)
    if old is not None:
        yield from _frozen(obj, old, ("data", "binaryData"), "field is immutable when `immutable` is set")


def _keys(path: str, found: Mapping[str, Any]) -> faults.Errors:
    for key in found:
        if len(key) > 253:
            yield faults.invalid(f"{path}[{key}]", key, "must be no more than 253 characters")
        elif key in (".", "..") or not _KEY.fullmatch(key):
            yield faults.invalid(f"{path}[{key}]", key, _KEY_TEXT)


def _frozen(obj: resources.Object, old: resources.Object, names: tuple[str, ...], text: str) -> faults.Errors:
    if not old.get("immutable"):
        return
    if not obj.get("immutable"):
        yield faults.forbidden("immutable", text)
    for name in names:
        if (obj.get(name) or {}) != (old.get(name) or {}):
            yield faults.forbidden(name, text)
