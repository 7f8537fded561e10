"""Paths and operations of the served kinds. Clients look here for two things: which kind a path serves, and which query parameters
a write takes (kubectl asks for ``fieldValidation`` and ``dryRun`` on PATCH before it relies on them).

Made in the form of version 3; ``as_v2`` turns an operation into version 2.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from brickyard.embedded.apiserver import contract, definitions, openapi_schemas, patching

Operation = dict[str, Any]
Paths = dict[str, dict[str, Any]]

_JSON = "application/json"
_CUSTOM_PATCHES = (patching.JSON, patching.MERGE, patching.APPLY)
_PATCHES = (patching.JSON, patching.MERGE, patching.STRATEGIC, patching.APPLY)

_STRING, _INTEGER, _BOOLEAN = "string", "integer", "boolean"
_PRETTY = ("pretty", _STRING, "If true, the answer is indented.")
_SELECT = (
    ("labelSelector", _STRING, "Only objects whose labels match."),
    ("fieldSelector", _STRING, "Only objects whose fields match."),
)
_LIST = (
    *_SELECT,
    ("limit", _INTEGER, "At most this many objects; continue tells where to go on."),
    ("continue", _STRING, "The token of a list that was cut by limit."),
    ("resourceVersion", _STRING, "The revision to list or watch from."),
    ("resourceVersionMatch", _STRING, "How resourceVersion is meant: Exact or NotOlderThan."),
    ("watch", _BOOLEAN, "Follow changes instead of listing."),
    ("allowWatchBookmarks", _BOOLEAN, "Watch events may include bookmarks."),
    ("sendInitialEvents", _BOOLEAN, "Begin a watch with what there is."),
    ("timeoutSeconds", _INTEGER, "End a watch after this time."),
)
_WRITE = (
    ("dryRun", _STRING, "All: do everything but store."),
    ("fieldManager", _STRING, "Who makes this change."),
    ("fieldValidation", _STRING, "What unknown fields are: Ignore, Warn or Strict."),
)
_PATCH = (*_WRITE, ("force", _BOOLEAN, "Take fields over from other managers."))
_DELETE = (
    ("dryRun", _STRING, "All: do everything but delete."),
    ("gracePeriodSeconds", _INTEGER, "Seconds until the object is gone by force."),
    ("propagationPolicy", _STRING, "What becomes of dependents: Orphan, Background or Foreground."),
)
_LOG = (
    ("container", _STRING, "The container whose log is read."),
    ("follow", _BOOLEAN, "Go on until the container ends."),
    ("previous", _BOOLEAN, "The log of the container's last life."),
    ("sinceSeconds", _INTEGER, "Only lines younger than this."),
    ("sinceTime", _STRING, "Only lines from this time on (RFC 3339)."),
    ("stream", _STRING, "All, Stdout or Stderr."),
    ("tailLines", _INTEGER, "Only this many last lines."),
    ("limitBytes", _INTEGER, "At most this many bytes."),
    ("timestamps", _BOOLEAN, "Each line begins with its time."),
)
_ACTIONS = frozenset({"binding", "eviction", "exec", "attach", "portforward"})
"""Subresources that take a kind without a definition of its own, or become another protocol: clients know them from discovery."""
_IN_PATH = {"namespace": "Namespace of the object.", "name": "Name of the object."}

Parameters = Sequence[tuple[str, str, str]]


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    """One operation before it is written out. ``takes`` and ``gives`` are component names, "" for none."""

    method: str
    action: str
    parameters: Parameters
    takes: str = ""
    gives: str = ""
    media: tuple[str, ...] = (_JSON,)


def of(served: Sequence[contract.Resource]) -> Paths:
    """Every path of ``served`` kinds, in order."""
    paths: Paths = {}
    for resource in served:
        for path, plans in _of(resource):
            subject = _scale_subject() if path.endswith("/scale") else _subject(resource)
            written = {plan.method: _operation(plan, resource, path, subject) for plan in plans}
            paths[path] = {**written, "parameters": _path_parameters(path)}
    return dict(sorted(paths.items()))


def _subject(resource: contract.Resource) -> Mapping[str, str]:
    kind = resource.type
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _scale_subject() -> Mapping[str, str]:
    return {"group": "autoscaling", "version": "v1", "kind": "Scale"}


def _of(resource: contract.Resource) -> Iterator[tuple[str, list[_Plan]]]:
    kind = resource.type
    namespace = "/namespaces/{namespace}" if kind.namespaced else ""
    one, many = openapi_schemas.name_of(resource), openapi_schemas.list_name_of(resource)
    collection = f"{kind.base_path}{namespace}/{kind.plural}"
    if resource.review is not None:
        yield collection, [_Plan("post", "post", _WRITE, one, one)]
        return
    listing = _Plan("get", "list", _SELECT if resource.measured else _LIST, gives=many)
    if kind.namespaced:
        yield f"{kind.base_path}/{kind.plural}", [listing]
    if resource.measured:
        yield collection, [listing]
        yield f"{collection}/{{name}}", [_Plan("get", "get", (), gives=one)]
        return
    yield (
        collection,
        [listing, _Plan("post", "post", _WRITE, one, one), _deletion("deletecollection", (*_SELECT, *_DELETE))],
    )
    yield f"{collection}/{{name}}", [*_object(resource, one), _deletion("delete", _DELETE)]
    for part in sorted(resource.subresources):
        if part in _ACTIONS:
            continue
        if part == "log":
            yield f"{collection}/{{name}}/log", [_Plan("get", "get", _LOG, media=("text/plain",))]
        else:
            yield f"{collection}/{{name}}/{part}", _object(resource, definitions.SCALE if part == "scale" else one)


def _deletion(action: str, parameters: Parameters) -> _Plan:
    return _Plan(
        "delete", action, parameters, definitions.DELETE_OPTIONS, "io.k8s.apimachinery.pkg.apis.meta.v1.Status"
    )


def _object(resource: contract.Resource, name: str) -> list[_Plan]:
    media = _PATCHES if definitions.name_of(resource.type) else _CUSTOM_PATCHES
    return [
        _Plan("get", "get", (), gives=name),
        _Plan("put", "put", _WRITE, name, name),
        _Plan("patch", "patch", _PATCH, "io.k8s.apimachinery.pkg.apis.meta.v1.Patch", name, media),
    ]


def _operation(plan: _Plan, resource: contract.Resource, path: str, subject: Mapping[str, str]) -> Operation:
    kind = resource.type
    operation: Operation = {
        "description": f"{plan.action} {kind.kind}",
        "operationId": _identifier(plan, resource, path),
        "tags": [f"{kind.group or 'core'}_{kind.version}"],
        "x-kubernetes-action": plan.action,
        "x-kubernetes-group-version-kind": subject,
        "parameters": [
            {"name": name, "in": "query", "description": text, "schema": {"type": form, "uniqueItems": True}}
            for name, form, text in (*plan.parameters, _PRETTY)
        ],
    }
    if plan.takes:
        needed = plan.method != "delete"
        operation["requestBody"] = {"content": _content(plan.media, plan.takes), "required": needed}
    answer = _content((_JSON,), plan.gives) if plan.gives else {"text/plain": {"schema": {"type": "string"}}}
    operation["responses"] = {"200": {"description": "OK", "content": answer}}
    return operation


def _content(media: Sequence[str], name: str) -> dict[str, Any]:
    return {each: {"schema": {"$ref": openapi_schemas.V3_PREFIX + name}} for each in media}


def _identifier(plan: _Plan, resource: contract.Resource, path: str) -> str:
    """Unique among all operations: ``patchAppsV1NamespacedDeploymentStatus``, ``listCoreV1PodForAllNamespaces``."""
    kind = resource.type
    group = "".join(word.capitalize() for word in (kind.group or "core").replace("-", ".").split("."))
    scope = "Namespaced" if "{namespace}" in path else ""
    part = path.rpartition("/")[2].capitalize() if "{name}/" in path else ""
    everywhere = "ForAllNamespaces" if kind.namespaced and not scope else ""
    verb = {"get": "read", "post": "create", "put": "replace"}.get(plan.action, plan.action)
    return f"{verb}{group}{kind.version.capitalize()}{scope}{kind.kind}{part}{everywhere}"


def _path_parameters(path: str) -> list[Operation]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": text,
            "schema": {"type": "string", "uniqueItems": True},
        }
        for name, text in _IN_PATH.items()
        if f"{{{name}}}" in path
    ]


def as_v2(paths: Paths) -> Paths:
    """The same paths in the form of OpenAPI version 2."""
    return {path: {key: _item_v2(key, value) for key, value in item.items()} for path, item in paths.items()}


def _item_v2(key: str, value: Any) -> Any:
    return [_parameter_v2(each) for each in value] if key == "parameters" else _operation_v2(value)


def _parameter_v2(parameter: Operation) -> Operation:
    plain = {key: value for key, value in parameter.items() if key != "schema"}
    return {**plain, **parameter["schema"]}


def _operation_v2(operation: Operation) -> Operation:
    result = {key: value for key, value in operation.items() if key not in ("requestBody", "responses", "parameters")}
    parameters = [_parameter_v2(each) for each in operation["parameters"]]
    body = operation.get("requestBody")
    if body:
        media = next(iter(body["content"].values()))
        parameters.append(
            {"name": "body", "in": "body", "required": body["required"], "schema": _reference_v2(media["schema"])}
        )
        result["consumes"] = list(body["content"])
    content = operation["responses"]["200"]["content"]
    ((produced, answer),) = content.items()
    schema = _reference_v2(answer["schema"])
    return {
        **result,
        "parameters": parameters,
        "produces": [produced],
        "responses": {"200": {"description": "OK", "schema": schema}, "401": {"description": "Unauthorized"}},
    }


def _reference_v2(schema: Operation) -> Operation:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    return {"$ref": reference.replace(openapi_schemas.V3_PREFIX, definitions.REFERENCE_PREFIX)}
