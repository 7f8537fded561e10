"""CustomResourceDefinitions: names that agree, one stored version, schemas that are structural, columns that can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver import jsonpath
from brickyard.embedded.apiserver.admission import metadata
from brickyard.embedded.apiserver.structural import definition, rulepaths

Part = Mapping[str, Any]

_SCOPES = ("Cluster", "Namespaced")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_SELECTABLE = ("boolean", "integer", "string")
_MOST_SELECTABLE = 8
_APPROVAL = "api-approved.kubernetes.io"


def names_of(spec: Part) -> dict[str, Any]:
    """The names of a kind, with those that follow from others."""
    names = dict(spec.get("names") or {})
    if kind := names.get("kind"):
        names["singular"] = names.get("singular") or kind.lower()
        names["listKind"] = names.get("listKind") or f"{kind}List"
    return names


def fill(draft: resources.Object) -> None:
    """Fill in a definition."""
    spec = draft.setdefault("spec", {})
    spec["names"] = names_of(spec)
    spec.setdefault("conversion", {"strategy": "None"})


def judge(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a definition."""
    spec: Part = obj.get("spec") or {}
    names: Part = spec.get("names") or {}
    yield from _group(obj, spec.get("group") or "")
    yield from _names(obj, spec.get("group") or "", names)
    yield from faults.one_of("spec.scope", spec.get("scope"), _SCOPES)
    if (strategy := (spec.get("conversion") or {}).get("strategy")) != "None":
        # A webhook would have to be asked for every object of another version.
        yield faults.not_supported("spec.conversion.strategy", strategy, ("None",))
    yield from _versions(spec.get("versions") or ())
    yield from _stored_versions(obj)
    if old is not None:
        before: Part = old.get("spec") or {}
        for name in ("group", "scope"):
            yield from metadata.immutable(f"spec.{name}", spec.get(name), before.get(name))
        for name in ("plural", "kind"):
            previous = (before.get("names") or {}).get(name)
            yield from metadata.immutable(f"spec.names.{name}", names.get(name), previous)


def _stored_versions(obj: resources.Object) -> faults.Errors:
    """A version that objects may still be stored in has to stay."""
    known = [each.get("name") for each in (obj.get("spec") or {}).get("versions") or ()]
    for index, name in enumerate((obj.get("status") or {}).get("storedVersions") or ()):
        if name not in known:
            text = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions "
                f"until a storage migration ensures no data remains persisted in {name} and removes {name} from "
                "status.storedVersions"
            )
            yield faults.invalid(f"status.storedVersions[{index}]", name, text)


def _group(obj: resources.Object, group: str) -> faults.Errors:
    annotations: Part = (obj.get("metadata") or {}).get("annotations") or {}
    if not group:
        yield faults.required("spec.group")
    elif problem := metadata.dns_subdomain(group):
        yield faults.invalid("spec.group", group, problem)
    elif "." not in group:
        yield faults.invalid("spec.group", group, "should be a domain with at least one dot")
    if group.endswith((".k8s.io", ".kubernetes.io")) and not annotations.get(_APPROVAL):
        text = (
            "protected groups must have approval annotation: see https://github.com/kubernetes/enhancements/pull/1111"
        )
        yield faults.required(f"metadata.annotations[{_APPROVAL}]", text)


def _names(obj: resources.Object, group: str, names: Part) -> faults.Errors:
    for name in ("plural", "singular", "kind", "listKind"):
        value = names.get(name) or ""
        if not value:
            yield faults.required(f"spec.names.{name}")
        elif problem := metadata.dns1035_label(value.lower()):
            yield faults.invalid(f"spec.names.{name}", value, problem)
    for name in ("shortNames", "categories"):
        for index, value in enumerate(names.get(name) or ()):
            if problem := metadata.dns1035_label(value):
                yield faults.invalid(f"spec.names.{name}[{index}]", value, problem)
    own, plural = (obj.get("metadata") or {}).get("name") or "", names.get("plural") or ""
    if group and plural and own != f"{plural}.{group}":
        yield faults.invalid("metadata.name", own, 'must be spec.names.plural+"."+spec.group')


def _versions(versions: Sequence[Part]) -> faults.Errors:
    stored = [each for each in versions if each.get("storage")]
    if len(stored) != 1:
        yield faults.invalid(
            "spec.versions",
            [each.get("name") for each in versions],
            "must have exactly one version marked as storage version",
        )
    if versions and not any(each.get("served") for each in versions):
        yield faults.invalid(
            "spec.versions", [each.get("name") for each in versions], "must have at least one served version"
        )
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        if problem := metadata.dns1035_label(version.get("name") or ""):
            yield faults.invalid(f"{path}.name", version.get("name") or "", problem)
        structure = (version.get("schema") or {}).get("openAPIV3Schema")
        if structure is None:
            yield faults.required(f"{path}.schema.openAPIV3Schema", "schemas are required")
        else:
            yield from definition.complete_violations(structure, f"{path}.schema.openAPIV3Schema")
        yield from _selectable(f"{path}.selectableFields", version.get("selectableFields") or (), structure)
        yield from _columns(f"{path}.additionalPrinterColumns", version.get("additionalPrinterColumns") or ())
        yield from _scale(f"{path}.subresources.scale", (version.get("subresources") or {}).get("scale"))
    names = [(f"[{index}].name", each.get("name")) for index, each in enumerate(versions)]
    yield from faults.unique("spec.versions", names)


def _selectable(path: str, declared: Sequence[Part], structure: Any) -> faults.Errors:
    """Fields by which objects can be selected: few, plain, each once, and not the ones that every object has."""
    if len(declared) > _MOST_SELECTABLE:
        yield faults.too_many(path, len(declared), _MOST_SELECTABLE)
    for index, each in enumerate(declared):
        inner, found = f"{path}[{index}].jsonPath", each.get("jsonPath") or ""
        if not found:
            yield faults.required(inner)
        elif found.startswith(".metadata"):
            yield faults.invalid(inner, found, "must not point to fields in metadata")
        elif problem := _unselectable(found, structure):
            yield faults.invalid(inner, found, problem)
    yield from faults.unique(
        path, [(f"[{index}].jsonPath", each.get("jsonPath")) for index, each in enumerate(declared)]
    )


def _unselectable(path: str, structure: Any) -> str:
    try:
        spec = rulepaths.reached(path, structure if isinstance(structure, Mapping) else {})
    except ValueError as error:
        return f"must be a valid path: {error}"
    return "" if spec.get("type") in _SELECTABLE else f"must be a field of type {', '.join(_SELECTABLE)}"


def _columns(path: str, columns: Sequence[Part]) -> faults.Errors:
    for index, column in enumerate(columns):
        inner = f"{path}[{index}]"
        if not column.get("name"):
            yield faults.required(f"{inner}.name")
        yield from faults.one_of(f"{inner}.type", column.get("type"), _COLUMN_TYPES)
        if column.get("format"):
            yield from faults.one_of(f"{inner}.format", column["format"], _COLUMN_FORMATS)
        try:
            jsonpath.parse(column.get("jsonPath") or "")
        except ValueError as error:
            yield faults.invalid(f"{inner}.jsonPath", column.get("jsonPath") or "", str(error))


def _scale(path: str, scale: Part | None) -> faults.Errors:
    """The three paths of a scale subresource: plain keys below spec and status."""
    if scale is None:
        return
    for name, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        value = scale.get(name) or ""
        if not value:
            yield faults.required(f"{path}.{name}")
        elif not value.startswith(root) or "[" in value:
            yield faults.invalid(f"{path}.{name}", value, f"should be a json path under {root[:-1]}")
    selector = scale.get("labelSelectorPath")
    if selector and (not selector.startswith((".spec.", ".status.")) or "[" in selector):
        yield faults.invalid(
            f"{path}.labelSelectorPath", selector, "should be a json path under either .spec or .status"
        )
