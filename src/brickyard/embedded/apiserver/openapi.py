"""OpenAPI, versions 2 and 3: what ``kubectl explain`` teaches and what kubectl reads before it patches.

Served as JSON, version 2 in its binary form too, since kubectl takes no other there. A client that takes neither is told so with 406.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from brickyard.embedded.apiserver import (
    contract,
    definitions,
    documents,
    openapi_binary,
    openapi_paths,
    openapi_schemas,
)

_JSON = "application/json"
_ALSO = (definitions.SCALE, definitions.DELETE_OPTIONS, "io.k8s.apimachinery.pkg.apis.meta.v1.Status")
_PATCH = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"

_shelves: weakref.WeakKeyDictionary[contract.Catalog, documents.Shelf] = weakref.WeakKeyDictionary()
"""Rendered documents, as long as their catalog lives."""

_SECURITY = {"BearerToken": {"description": "Bearer token", "type": "apiKey", "name": "authorization", "in": "header"}}


def respond(path: str, accept: str, catalog: contract.Catalog) -> documents.Response | None:
    """The document at ``path`` (no query): ``/openapi/v2``, ``/openapi/v3``, ``/openapi/v3/apis/apps/v1``; else None."""
    parts = path.strip("/").split("/")
    if parts[:1] != ["openapi"] or len(parts) < 2:
        return None
    shelf = _shelves.setdefault(catalog, documents.Shelf())
    found: documents.Response | None = None
    if parts == ["openapi", "v2"]:
        if not _takes_json(accept) and any(each in accept for each in openapi_binary.ASKED_FOR):
            return shelf.get("v2/binary", catalog.version, lambda: _v2_binary(catalog))
        found = shelf.get("v2", catalog.version, lambda: documents.of_json(_v2(catalog)))
    elif parts == ["openapi", "v3"]:
        found = shelf.get("v3", catalog.version, lambda: _index(catalog, shelf))
    elif parts[1] == "v3":
        found = _group_document("/".join(parts[2:]), catalog, shelf)
    return found if found is None or _takes_json(accept) else _not_acceptable(accept)


def _takes_json(accept: str) -> bool:
    ranges = [each.split(";")[0].strip() for each in accept.split(",") if each.strip()]
    return not ranges or any(each in (_JSON, "application/*", "*/*") for each in ranges)


def _not_acceptable(accept: str) -> documents.Response:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"only the following media types are accepted: {_JSON} (asked for: {accept[:200]})",
        "reason": "NotAcceptable",
        "code": 406,
    }
    return documents.Response(_JSON, orjson.dumps(status), status=406)


def _groups(catalog: contract.Catalog) -> dict[str, tuple[contract.Resource, ...]]:
    """Kinds by the path of their group and version: ``api/v1``, ``apis/apps/v1``."""
    found: dict[str, list[contract.Resource]] = {}
    for each in catalog.served():
        found.setdefault(each.type.base_path.strip("/"), []).append(each)
    return {path: tuple(kinds) for path, kinds in found.items()}


def _info() -> Mapping[str, str]:
    return {"title": "Kubernetes", "version": definitions.kubernetes_version()}


def _v2_binary(catalog: contract.Catalog) -> documents.Response:
    return documents.of_bytes(openapi_binary.encode(_v2(catalog)), openapi_binary.MEDIA_TYPE)


def _v2(catalog: contract.Catalog) -> Mapping[str, Any]:
    served = catalog.served()
    schemas = openapi_schemas.components(served, (*_ALSO, _PATCH))
    return {
        "swagger": "2.0",
        "info": _info(),
        "paths": openapi_paths.as_v2(openapi_paths.of(served)),
        "definitions": openapi_schemas.as_v2(schemas),
        "securityDefinitions": _SECURITY,
        "security": [{"BearerToken": []}],
    }


def _index(catalog: contract.Catalog, shelf: documents.Shelf) -> documents.Response:
    """Each group's document with its hash, which a client may keep for ever."""
    paths: dict[str, Any] = {}
    for path in _groups(catalog):
        document = _group_document(path, catalog, shelf)
        etag = document.etag.strip('"') if document else ""
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={etag}"}
    return documents.of_json({"paths": paths})


def _group_document(path: str, catalog: contract.Catalog, shelf: documents.Shelf) -> documents.Response | None:
    served = _groups(catalog).get(path)
    if served is None:
        return None
    # Made from these kinds alone: a custom kind that comes or goes leaves the other groups' documents standing.
    return shelf.get(f"v3/{path}", served, lambda: _v3(served))


def _v3(served: Sequence[contract.Resource]) -> documents.Response:
    schemas = openapi_schemas.components(served, (*_ALSO, _PATCH))
    return documents.of_json(
        {
            "openapi": "3.0.0",
            "info": _info(),
            "paths": openapi_paths.of(served),
            "components": {"schemas": openapi_schemas.as_v3(schemas), "securitySchemes": _SECURITY},
        }
    )
