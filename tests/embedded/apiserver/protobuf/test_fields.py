"""The table of field numbers: complete for every kind served, and of one piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from brickyard.embedded.apiserver import builtin_kinds, contract, definitions
from brickyard.embedded.apiserver.protobuf import fields, forms

PREFIX = "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1."
# Servers write them, clients never do.
NOT_SENT = {
    PREFIX + "CustomResourceDefinitionCondition": {"observedGeneration"},
    PREFIX + "CustomResourceDefinitionStatus": {"observedGeneration"},
}


def shown(name: str) -> Mapping[str, fields.Field]:
    """The fields of a message by their name in JSON."""
    found: dict[str, fields.Field] = {}
    for field in fields.messages()[name].fields.values():
        found.update({field.name: field} if field.name else shown(field.form))
    return found


def pairs() -> Iterator[tuple[str, str]]:
    """Definitions of OpenAPI, each with the message of the same type."""
    for definition in definitions.load():
        _, _, *package, kind = definition.split(".")
        name = f"k8s.io/{'/'.join(package)}.{kind}"
        if name in fields.messages():
            yield definition, name


def test_every_property_that_clients_are_taught_has_a_number() -> None:
    missing = {}
    for definition, name in pairs():
        taught = set(definitions.load()[definition].get("properties", ())) - {"apiVersion", "kind"}
        if not fields.messages()[name].either and (absent := taught - shown(name).keys()):
            missing[name] = absent
    assert missing == NOT_SENT


def test_no_field_is_unknown_to_the_server() -> None:
    for definition, name in pairs():
        if not fields.messages()[name].either:
            assert shown(name).keys() <= definitions.load()[definition].get("properties", {}).keys(), name


def test_forms_are_what_openapi_says() -> None:
    types = {"int": {"integer"}, "bool": {"boolean"}, "string": {"string"}, "bytes": {"string"}, "double": {"number"}}
    shapes = {"list": {"array"}, "map": {"object"}}
    compared = 0
    for definition, name in pairs():
        properties = definitions.load()[definition].get("properties", {})
        for key, field in shown(name).items():
            told = properties.get(key, {}).get("type")
            expected = shapes.get(field.shape) or types.get(field.form)
            if told is not None and expected is not None:
                compared += 1
                assert told in expected, f"{name}.{key}"
    assert compared > 500


def test_every_form_is_a_word_or_a_message() -> None:
    found = {field.form for message in fields.messages().values() for field in message.fields.values()}
    assert found <= forms.READERS.keys() | fields.messages().keys()
    assert found >= forms.READERS.keys()


def test_names_are_unique_and_an_embedded_message_collides_with_no_field_of_its_holder() -> None:
    for name, message in fields.messages().items():
        held = [key for each in message.fields.values() for key in ([each.name] if each.name else shown(each.form))]
        assert len(held) == len(set(held)), name


def test_a_choice_is_between_two() -> None:
    choices = {name.removeprefix(PREFIX): message for name, message in fields.messages().items() if message.either}
    # A list that is a message, since it is the value of a map: the one choice is the list.
    extra = choices.pop("k8s.io/api/authentication/v1.ExtraValue")
    assert [(each.name, each.shape, each.form) for each in extra.fields.values()] == [("items", "list", "string")]
    assert choices.keys() == {"JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrStringArray"}
    assert all(message.fields.keys() == {1, 2} for message in choices.values())


@pytest.mark.parametrize("resource", builtin_kinds.ALL, ids=lambda each: each.type.kind)
def test_every_built_in_kind_is_found(resource: contract.Resource) -> None:
    name = fields.name_of(resource.type.api_version, resource.type.kind)
    assert name is not None
    assert {"metadata"} <= shown(name).keys()


@pytest.mark.parametrize(
    ("api_version", "kind", "name"),
    [
        ("v1", "Pod", "k8s.io/api/core/v1.Pod"),
        ("discovery.k8s.io/v1", "EndpointSlice", "k8s.io/api/discovery/v1.EndpointSlice"),
        ("autoscaling/v1", "Scale", "k8s.io/api/autoscaling/v1.Scale"),
        ("apps/v1", "DeleteOptions", fields.DELETE_OPTIONS),
        ("meta.k8s.io/v1", "DeleteOptions", fields.DELETE_OPTIONS),
        ("v1", "PodSpecification", None),
        ("apps/v1beta1", "Deployment", None),
        ("example.com/v1", "Pod", None),
        ("", "", None),
    ],
)
def test_names(api_version: str, kind: str, name: str | None) -> None:
    assert fields.name_of(api_version, kind) == name
