"""The OpenAPI document, made from the operations themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

import brickyard
from brickyard.services import contract

_PARAMETER: Final = re.compile(r"{(\w+)(?::\w+)?}")
_NO_WORD: Final = re.compile(r"\W+")
_REF: Final = "#/components/schemas/{name}"


class ErrorBody(msgspec.Struct):
    """What is wrong, in ``message``; the rest is for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class Error(msgspec.Struct):
    """An answer that refuses."""

    error: ErrorBody


def document(operations: Iterable[contract.Operation]) -> dict[str, Any]:
    """OpenAPI 3.1 of ``operations``."""
    listed = list(operations)
    kinds: set[type[msgspec.Struct]] = {Error}
    kinds.update(kind for each in listed for kind in (each.body, *each.answers.values()) if kind is not None)
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    refs = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in listed:
        paths.setdefault(_PARAMETER.sub(r"{\1}", each.path), {})[each.method.lower()] = _operation(each, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Brickyard services", "version": brickyard.__version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(each: contract.Operation, refs: dict[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": each.summary,
        "operationId": f"{each.method.lower()}_{_NO_WORD.sub('_', each.path).strip('_')}",
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in _PARAMETER.findall(each.path)
        ]
        + [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in each.query.items()
        ],
        "responses": {
            **{
                str(status): {
                    "description": "OK",
                    "content": {"application/json": {"schema": refs[kind] if kind else {}}},
                }
                for status, kind in each.answers.items()
            },
            "default": {"description": "Refused", "content": {"application/json": {"schema": refs[Error]}}},
        },
    }
    if each.body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": refs[each.body]}}}
    if each.guarded:
        # Also without: the token is asked for only where one was set.
        found["security"] = [{"token": []}, {}]
    return found
