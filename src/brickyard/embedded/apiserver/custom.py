"""Custom kinds: what a CustomResourceDefinition says, as served ``Resource`` values."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from brickyard.api import names as api_names
from brickyard.api.kinds import contract as kinds
from brickyard.api.kinds import faults, resources, rules
from brickyard.embedded.apiserver import contract, definitions, jsonpath, schema, structures
from brickyard.embedded.apiserver.admission import metadata
from brickyard.embedded.apiserver.columns import cells
from brickyard.embedded.apiserver.structural import correlation, judge, shape
from brickyard.embedded.apiserver.structural import definition as structural
from brickyard.embedded.apiserver.structural import rules as cel_rules

_OURS = ".aibrix.ai"
"""How the groups end whose kinds are ours to carry out."""
_ANY_OBJECT: shape.Schema = {"type": "object", shape.PRESERVE: True}


@dataclasses.dataclass(frozen=True, slots=True)
class CustomAdmission:
    """Fills ``contract.Admission`` from a structural schema (``openAPIV3Schema``)."""

    type: resources.ResourceType
    spec: shape.Schema
    cel: cel_rules.Rules | None = None

    @property
    def _rules(self) -> kinds.KindRules:
        return rules.of(self.type.group, self.type.kind)

    def convert(self, obj: resources.Object) -> kinds.Converted:
        return self._rules.convert(obj)

    def check_types(self, obj: resources.Object) -> None:
        """Only ``metadata`` has types that a decoder insists on; the rest is the schema's, in ``validate``."""
        envelope = schema.Node("struct", f"v1.{self.type.kind}", {"metadata": _metadata()})
        schema.check_types(envelope, obj, self.type)

    def unknown_fields(self, obj: resources.Object) -> Sequence[str]:
        return shape.unknown_fields(self.spec, obj, root=True)

    def prune(self, obj: resources.Object) -> resources.Object:
        pruned: resources.Object = shape.pruned(self.spec, obj, root=True)
        return {**pruned, "metadata": schema.pruned(_metadata(), pruned.get("metadata") or {})}

    def default(self, obj: resources.Object) -> resources.Object:
        filled: resources.Object = shape.defaulted(self.spec, obj)
        return self._rules.default(filled)

    def validate(self, obj: resources.Object, old: resources.Object | None) -> Sequence[faults.FieldError]:
        past = correlation.ABSENT if old is None else old
        found = [
            *metadata.validate(obj, self.type.namespaced, metadata.dns_subdomain),
            *judge.violations(self.spec, obj, past),
        ]
        if self.cel is not None:
            found += [judge.UNCHECKED] if judge.blocks(found) else cel_rules.violations(self.cel, obj, past)
        return [*found, *faults.beyond(found, self._rules.validate(obj, old))]


def _metadata() -> schema.Node:
    return schema.of_definition(definitions.OBJECT_META)


def resources_of(definition: resources.Object) -> Iterator[contract.Resource]:
    """One ``Resource`` for each served version of a definition that has passed its own admission.

    Raises:
        ValueError: it cannot be served; the text says why.
    """
    spec: Mapping[str, Any] = definition.get("spec") or {}
    names: Mapping[str, Any] = spec.get("names") or {}
    missing = [each for each in ("plural", "kind") if not names.get(each)] + ([] if spec.get("group") else ["group"])
    if missing:
        raise ValueError(f"the definition does not say its {' and '.join(missing)}")
    since = int((definition.get("metadata") or {}).get("resourceVersion") or 0)
    for version in spec.get("versions") or ():
        if version.get("served"):
            made = _resource(spec, names, version, since)
            yield dataclasses.replace(made, unattended=_unattended(made, definition))


def _unattended(resource: contract.Resource, definition: resources.Object) -> str:
    """What to say of objects whose kind comes with us while nobody acts on it; of kinds that others bring, they know best."""
    kind = resource.type
    labels = (definition.get("metadata") or {}).get("labels") or {}
    if labels.get(api_names.STORED_ONLY) != "true" and not kind.group.endswith(_OURS):
        return ""
    return f"nothing on this machine acts on {kind.kind} of {kind.group}: the object is stored, and that is all"


def _schema_of(version: Mapping[str, Any]) -> shape.Schema:
    found: shape.Schema | None = (version.get("schema") or {}).get("openAPIV3Schema")
    return found or _ANY_OBJECT


def _refreshed(stored: shape.Schema, shown: shape.Schema, obj: resources.Object) -> resources.Object:
    """A stored object as it is read: with the defaults of the version that is stored, and the fields of the one that is asked for."""
    found: resources.Object = shape.pruned(shown, shape.defaulted(stored, obj), root=True)
    return found


def _resource(
    spec: Mapping[str, Any], names: Mapping[str, Any], version: Mapping[str, Any], since: int
) -> contract.Resource:
    namespaced = spec.get("scope") == "Namespaced"
    kind = resources.ResourceType(spec["group"], version["name"], names["plural"], names["kind"], namespaced)
    structure = _schema_of(version)
    stored = next((each for each in spec["versions"] if each.get("storage")), version)
    fault = next(structural.violations(structure, "openAPIV3Schema", root=True), None)
    if fault is not None:
        raise ValueError(f"{kind.kind} {kind.version}: {fault.path}: {fault.message}")
    subresources: Mapping[str, Any] = version.get("subresources") or {}
    return contract.Resource(
        type=kind,
        singular=names.get("singular") or kind.kind.lower(),
        custom=True,
        deprecation=_deprecation(kind, version),
        admission=CustomAdmission(kind, structure, cel_rules.compiled(structure, kind.kind)),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=frozenset({"status", "scale"} & subresources.keys()),
        columns=tuple(_columns(version.get("additionalPrinterColumns") or ())),
        scale=_scale(subresources.get("scale")),
        structure=structures.of_schema(structure),
        since=since,
        refresh=functools.partial(_refreshed, _schema_of(stored), structure),
        selectable_fields=tuple(
            each["jsonPath"].removeprefix(".") for each in version.get("selectableFields") or () if each.get("jsonPath")
        ),
    )


def _deprecation(kind: resources.ResourceType, version: Mapping[str, Any]) -> str:
    if not version.get("deprecated"):
        return ""
    return version.get("deprecationWarning") or f"{kind.api_version} {kind.kind} is deprecated"


def _scale(found: Mapping[str, Any] | None) -> contract.ScalePaths | None:
    if found is None:
        return None
    return contract.ScalePaths(
        found["specReplicasPath"], found["statusReplicasPath"], found.get("labelSelectorPath") or ""
    )


def _columns(declared: Sequence[Mapping[str, Any]]) -> Iterator[contract.Column]:
    yield cells.NAME
    if not declared:
        yield cells.AGE
    for each in declared:
        yield contract.Column(
            name=each["name"],
            cell=_cell(jsonpath.parse(each["jsonPath"]), each["type"]),
            type=each["type"],
            format=each.get("format") or "",
            priority=each.get("priority") or 0,
            description=each.get("description")
            or f"Custom resource definition column (in JSONPath format): {each['jsonPath']}",
        )


def _cell(path: jsonpath.Path, form: str) -> contract.Cell:
    def cell(obj: resources.Object, now: float) -> object:
        found = path.find(obj)
        return None if not found else _shown(found[0], form, now)

    return cell


def _shown(value: Any, form: str, now: float) -> object:
    """``value`` as its column's type; None, an empty cell, where it is of another."""
    match form:
        case "string":
            return cells.text(value)
        case "date":
            return cells.age_of(value, now) if isinstance(value, str) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "integer":
            return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case _:
            return value if isinstance(value, int | float) and not isinstance(value, bool) else None
