"""Rules of custom kinds over HTTP: what a definition is refused for, and what an object is."""

from __future__ import annotations

from typing import Any

from brickyard.embedded.apiserver import testing

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KNOBS = "/apis/example.com/v1/namespaces/default/knobs"


def definition(spec: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": spec}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "knobs.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "knobs", "kind": "Knob"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def knob(name: str = "k", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Knob", "metadata": {"name": name}, "spec": spec}


SPEC = {
    "type": "object",
    "properties": {"low": {"type": "integer"}, "high": {"type": "integer"}, "tag": {"type": "string", "maxLength": 9}},
    "x-kubernetes-validations": [
        {"rule": "self.low <= self.high", "messageExpression": "'%d is more than %d'.format([self.low, self.high])"},
        {"rule": "self.tag == oldSelf.tag", "message": "the tag stays", "fieldPath": ".tag"},
    ],
}


async def test_a_rule_refuses_an_object_in_its_own_words(api: testing.Api) -> None:
    await api.created(CRDS, definition(SPEC))
    refused = await api.post(KNOBS, knob(low=3, high=2, tag="a"))
    assert refused.code == 422
    assert refused.body["message"] == (
        'Knob.example.com "k" is invalid: spec: Invalid value: "object": 3 is more than 2'
    )
    assert refused.body["details"]["causes"] == [
        {"reason": "FieldValueInvalid", "message": 'Invalid value: "object": 3 is more than 2', "field": "spec"}
    ]


async def test_a_rule_about_a_change_runs_on_a_change(api: testing.Api) -> None:
    await api.created(CRDS, definition(SPEC))
    await api.created(KNOBS, knob(low=1, high=2, tag="a"))
    refused = await api.patch(f"{KNOBS}/k", {"spec": {"tag": "b"}})
    assert (refused.code, refused.body["details"]["causes"][0]["field"]) == (422, "spec.tag")
    assert (await api.patch(f"{KNOBS}/k", {"spec": {"low": 2}})).code == 200


async def test_a_definition_whose_rule_does_not_compile_is_refused(api: testing.Api) -> None:
    rules = [{"rule": "self.lwo <= self.high"}]
    refused = await api.post(CRDS, definition({**SPEC, "x-kubernetes-validations": rules}))
    assert refused.code == 422
    (cause,) = refused.body["details"]["causes"]
    assert cause["field"] == (
        "spec.versions[0].schema.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule"
    )
    assert (
        "compilation failed: ERROR: <input>:1:6: undefined field 'lwo'\n | self.lwo <= self.high\n | .....^"
        in (cause["message"])
    )


async def test_what_was_wrong_before_a_rule_came_blocks_no_other_change(api: testing.Api) -> None:
    bare = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
    created = await api.created(CRDS, definition(bare))
    await api.created(KNOBS, knob(a=-1, b=1))
    created["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["a"] = {
        "type": "integer",
        "x-kubernetes-validations": [{"rule": "self > 0"}],
    }
    assert (await api.put(f"{CRDS}/knobs.example.com", created)).code == 200
    assert (await api.patch(f"{KNOBS}/k", {"spec": {"b": 2}})).code == 200
    assert (await api.patch(f"{KNOBS}/k", {"spec": {"a": -2}})).code == 422
