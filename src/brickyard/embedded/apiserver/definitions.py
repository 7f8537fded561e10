"""The OpenAPI definitions of the built-in kinds: shipped packed beside the code, unpacked once per process.

Made by ``tools/make_openapi.py``. Both sides of the API server stand on them: what clients are taught (``openapi``) and what their
objects are checked against (``schema``).
"""

from __future__ import annotations

import functools
import gzip
import importlib.resources
from collections.abc import Mapping
from typing import Any

import orjson

from brickyard.api.kinds import resources

Schema = dict[str, Any]
"""An OpenAPI v2 schema object."""

OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
SCALE = "io.k8s.api.autoscaling.v1.Scale"
DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
REFERENCE_PREFIX = "#/definitions/"


@functools.cache
def load() -> Mapping[str, Schema]:
    """Every definition by full name, such as ``io.k8s.api.core.v1.Pod``. Shared: read, never change."""
    definitions: Mapping[str, Schema] = _document()["definitions"]
    return definitions


def kubernetes_version() -> str:
    """The Kubernetes version whose definitions these are, such as ``v1.37.0``."""
    return str(_document()["version"])


@functools.cache
def _document() -> Mapping[str, Any]:
    packed = importlib.resources.files(__package__).joinpath("data/openapi.json.gz").read_bytes()
    document: Mapping[str, Any] = orjson.loads(gzip.decompress(packed))
    return document


@functools.cache
def _names() -> Mapping[tuple[str, str, str], str]:
    return {
        (each["group"], each["version"], each["kind"]): name
        for name, schema in load().items()
        for each in schema.get("x-kubernetes-group-version-kind", ())
    }


def name_of(kind: resources.ResourceType) -> str | None:
    """Full name of the definition of ``kind``; None when it is not a built-in kind."""
    return _names().get((kind.group, kind.version, kind.kind))


def referred(schema: Schema) -> str | None:
    """Full name of the definition that ``schema`` refers to, if it is a reference."""
    reference = schema.get("$ref")
    return reference.removeprefix(REFERENCE_PREFIX) if isinstance(reference, str) else None
