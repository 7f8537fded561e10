"""Custom kinds as served resources, and the JSON paths of their columns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import crds, resources
from brickyard.embedded.apiserver import catalog, contract, custom, jsonpath, tables
from brickyard.embedded.apiserver.admission import testing
from brickyard.embedded.apiserver.admission.testing import bent

NOW = 1_800_000_000.0
OBJ = {
    "metadata": {"name": "a", "labels": {"model.aibrix.ai/name": "m"}},
    "spec": {"replicas": 3, "ratio": 0.5, "paused": True, "hosts": ["x", "y"], "since": "2027-01-15T07:59:00Z"},
    "status": {
        "conditions": [
            {"type": "Synced", "status": "False", "n": 1},
            {"type": "Ready", "status": "True", "flag": True},
        ]
    },
}

PATHS: list[tuple[str, list[Any]]] = [
    (".spec.replicas", [3]),
    ("$.spec.replicas", [3]),
    (".spec['replicas']", [3]),
    ('.spec["replicas"]', [3]),
    (".spec.absent.deep", []),
    (".spec.hosts[0]", ["x"]),
    (".spec.hosts[-1]", ["y"]),
    (".spec.hosts[7]", []),
    (".spec.hosts[*]", ["x", "y"]),
    (".spec.hosts[1, 0]", ["y", "x"]),
    (".spec.hosts[-1:]", ["y"]),
    (".spec.hosts[0:1]", ["x"]),
    (".spec.hosts[:]", ["x", "y"]),
    (".spec.hosts[::2]", ["x"]),
    (".spec.replicas[1:]", []),
    (".status.conditions[-1:].type", ["Ready"]),
    (".status.conditions[?(@.n>=1)].type", ["Synced"]),
    (".status.conditions[?(@.n<1)].type", []),
    (".status.conditions[?(@.n>'0')].type", []),
    (".status.conditions[?(@.type<'S')].type", ["Ready"]),
    (".status.conditions[?(@.flag>0)].type", []),
    (".spec.hosts", [["x", "y"]]),
    (r".metadata.labels.model\.aibrix\.ai/name", ["m"]),
    (".metadata.labels['model.aibrix.ai/name']", ["m"]),
    ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
    (".status.conditions[?(@.type == 'Ready')].status", ["True"]),
    ('.status.conditions[?(@.type!="Ready")].status', ["False"]),
    (".status.conditions[?(@.flag)].type", ["Ready"]),
    (".status.conditions[?(@.flag==true)].type", ["Ready"]),
    (".status.conditions[?(@.n==1)].type", ["Synced"]),
    (".status.conditions[*].type", ["Synced", "Ready"]),
    (".spec.replicas.deeper", []),
    (".metadata.*", ["a", {"model.aibrix.ai/name": "m"}]),
    (".", [OBJ]),
]


@pytest.mark.parametrize(("path", "expected"), PATHS)
def test_paths(path: str, expected: list[Any]) -> None:
    assert jsonpath.parse(path).find(OBJ) == expected


@pytest.mark.parametrize(
    "path", ["", "spec", ".a[", ".a[?(@.b && @.c)]", ".a[1:2:-1]", ".a[,1]", "{.a}", "." + "a" * 2000, ".a b"]
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="is no JSON path"):
        jsonpath.parse(path)


@given(st.text(max_size=40))
def test_any_text_is_a_path_or_is_refused(text: str) -> None:
    try:
        path = jsonpath.parse(text)
    except ValueError:
        return
    path.find(OBJ)


def column(form: str, path: str) -> object:
    """The cell of a column of type ``form``."""
    declared = [{"name": "C", "type": form, "jsonPath": path}]
    definition = bent(testing.definition(), "spec.versions[0].additionalPrinterColumns", declared)
    (resource,) = custom.resources_of(definition)
    (row,) = tables.render(resource, [OBJ], NOW)["rows"]
    return row["cells"][1]


CELLS: list[tuple[str, str, object]] = [
    ("string", ".spec.replicas", "3"),
    ("string", ".spec.paused", "true"),
    ("string", ".spec.hosts", '["x","y"]'),
    ("string", ".spec.absent", None),
    ("integer", ".spec.replicas", 3),
    ("integer", ".spec.ratio", 0),
    ("integer", ".metadata.name", None),
    ("integer", ".spec.paused", None),
    ("number", ".spec.ratio", 0.5),
    ("boolean", ".spec.paused", True),
    ("boolean", ".spec.replicas", None),
    ("date", ".spec.since", "60s"),
    ("date", ".metadata.name", "<invalid>"),
    ("date", ".spec.replicas", None),
]


@pytest.mark.parametrize(("form", "path", "expected"), CELLS)
def test_cells_hold_what_their_column_is_for(form: str, path: str, expected: object) -> None:
    assert column(form, path) == expected


def test_without_columns_of_its_own_a_kind_shows_name_and_age() -> None:
    (resource,) = custom.resources_of(testing.definition())
    assert [each.name for each in resource.columns] == ["Name", "Age"]


def test_the_aibrix_kinds_show_what_aibrix_shows() -> None:
    found = {each.type.kind: each for definition in crds.definitions() for each in custom.resources_of(definition)}
    names = [each.name for each in found["ModelAdapter"].columns]
    assert names == ["Name", "Phase", "Desired", "Ready", "Candidates", "Model Path", "Age"]
    (row,) = tables.render(found["StormService"], [OBJ], NOW)["rows"]
    assert row["cells"] == ["a", 3, "True", True, None]
    assert found["StormService"].scale == contract.ScalePaths(selector=".status.scalingTargetSelector")
    assert found["RoleSet"].scale is None


def served(definition: resources.Object) -> contract.Resource:
    (resource,) = catalog.BuiltinCatalog().install(definition)
    return resource


WIDGET = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "default"}}
SIZED = testing.definition(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "minimum": 1},
                    "colour": {"type": "string", "default": "red"},
                },
            }
        },
    }
)


def test_a_custom_object_is_pruned_filled_in_and_judged() -> None:
    widget = {**WIDGET, "spec": {"size": 2, "sise": 3}}
    resource = served(SIZED)
    assert resource.admission.unknown_fields(widget) == ["spec.sise"]
    assert testing.admitted(resource, widget)["spec"] == {"size": 2, "colour": "red"}
    assert testing.complaints(resource, widget) == []
    assert testing.complaints(resource, {**WIDGET, "spec": {"size": 0}}) == [
        "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"
    ]
    assert testing.complaints(resource, {**WIDGET, "spec": {}}) == ["spec.size: Required value"]
    assert testing.complaints(resource, WIDGET) == []


def test_only_the_metadata_of_a_custom_object_has_types() -> None:
    resource = served(SIZED)
    resource.admission.check_types({**WIDGET, "spec": "anything"})
    with pytest.raises(contract.UndecodableError, match=r"ObjectMeta\.metadata\.labels of type string"):
        resource.admission.check_types({**WIDGET, "metadata": {"labels": {"a": 1}}})


def test_a_custom_objects_metadata_has_rules() -> None:
    (found,) = testing.complaints(served(SIZED), bent({**WIDGET, "spec": {"size": 1}}, "metadata.name", "W"))
    assert found.startswith('metadata.name: Invalid value: "W"')


def test_names_subresources_and_selectable_fields_are_taken_over() -> None:
    definition = bent(
        SIZED, "spec.names", {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"], "categories": ["all"]}
    )
    definition = bent(definition, "spec.versions[0].subresources", {"status": {}})
    definition = bent(definition, "spec.versions[0].selectableFields", [{"jsonPath": ".spec.colour"}])
    resource = served(definition)
    assert (resource.singular, resource.list_kind) == ("widget", "WidgetList")
    assert (resource.short_names, resource.categories) == (("wd",), ("all",))
    assert resource.subresources == {"status"}
    assert resource.selectable_fields == ("spec.colour",)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("spec.names.kind", "", "does not say its kind"),
        ("spec.group", "", "does not say its group"),
        ("spec.versions[0].schema.openAPIV3Schema", {"type": "string"}, "Widget v1: openAPIV3Schema.type"),
        (
            "spec.versions[0].additionalPrinterColumns",
            [{"name": "x", "type": "string", "jsonPath": "x"}],
            "no JSON path",
        ),
    ],
)
def test_what_cannot_be_served(path: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        served(bent(SIZED, path, value))


RULED = bent(
    SIZED,
    "spec.versions[0].schema.openAPIV3Schema.properties.spec.x-kubernetes-validations",
    [{"rule": "self.size < 9", "message": "too large"}],
)


def test_rules_of_the_schema_are_judged_beside_its_types() -> None:
    resource = served(RULED)
    assert testing.complaints(resource, {**WIDGET, "spec": {"size": 3}}) == []
    assert testing.complaints(resource, {**WIDGET, "spec": {"size": 10}}) == [
        'spec: Invalid value: "object": too large'
    ]


def test_rules_wait_until_the_types_are_right() -> None:
    (wrong, unchecked) = testing.complaints(served(RULED), {**WIDGET, "spec": {"size": "x"}})
    assert wrong == 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'
    assert unchecked.startswith("<nil>: Invalid value: null: some validation rules were not checked")
