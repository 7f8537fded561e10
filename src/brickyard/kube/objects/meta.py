"""Readers of ``metadata`` that take absent and null fields as empty."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from brickyard.lib import timestamps


class Key(NamedTuple):
    """Where an object lives within its kind. ``namespace`` is "" for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def metadata(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """``metadata``, never None."""
    return obj.get("metadata") or {}


def key(obj: Mapping[str, Any]) -> Key:
    """The object's namespace and name."""
    meta = metadata(obj)
    return Key(meta.get("namespace") or "", meta.get("name") or "")


def name(obj: Mapping[str, Any]) -> str:
    """``metadata.name``."""
    return key(obj).name


def namespace(obj: Mapping[str, Any]) -> str:
    """``metadata.namespace``."""
    return key(obj).namespace


def uid(obj: Mapping[str, Any]) -> str:
    """``metadata.uid``, "" before the object is stored."""
    return metadata(obj).get("uid") or ""


def resource_version(obj: Mapping[str, Any]) -> str:
    """``metadata.resourceVersion``, "" before the object is stored. Opaque: compare for equality only."""
    return metadata(obj).get("resourceVersion") or ""


def labels(obj: Mapping[str, Any]) -> Mapping[str, str]:
    """``metadata.labels``, never None."""
    return metadata(obj).get("labels") or {}


def annotations(obj: Mapping[str, Any]) -> Mapping[str, str]:
    """``metadata.annotations``, never None."""
    return metadata(obj).get("annotations") or {}


def created(obj: Mapping[str, Any]) -> float:
    """When the object was made, in Unix seconds; 0.0 when it does not say."""
    try:
        return timestamps.parse_rfc3339(metadata(obj).get("creationTimestamp") or "")
    except ValueError:
        return 0.0


def finalizers(obj: Mapping[str, Any]) -> list[str]:
    """A copy of ``metadata.finalizers``."""
    return list(metadata(obj).get("finalizers") or ())


def is_deleting(obj: Mapping[str, Any]) -> bool:
    """Whether somebody asked for its deletion: it waits for finalizers or for its grace period."""
    return metadata(obj).get("deletionTimestamp") is not None


def generation(obj: Mapping[str, Any]) -> int:
    """``metadata.generation``, 0 where the kind has none."""
    return int(metadata(obj).get("generation") or 0)
