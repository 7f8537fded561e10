"""Objects of built-in kinds against their definitions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract, definitions, schema
from brickyard.embedded.apiserver.admission import testing

DEPLOYMENT = schema.of_definition("io.k8s.api.apps.v1.Deployment")
SECRET = schema.of_definition("io.k8s.api.core.v1.Secret")
EVENT = schema.of_definition("io.k8s.api.core.v1.Event")
CRD = schema.of_definition("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition")


def complaint(obj: Any, node: schema.Node = DEPLOYMENT, kind: resources.ResourceType = resources.DEPLOYMENT) -> str:
    with pytest.raises(contract.UndecodableError) as caught:
        schema.check_types(node, obj, kind)
    return str(caught.value).partition(": ")[2]


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [fields]}}}}


ROWS: list[tuple[Any, str]] = [
    ({"spec": {"replicas": "3"}}, "string into Go struct field DeploymentSpec.spec.replicas of type int32"),
    ({"spec": {"replicas": 1.5}}, "number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32"),
    (
        {"spec": {"replicas": 2**31}},
        "number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    ({"spec": {"replicas": True}}, "bool into Go struct field DeploymentSpec.spec.replicas of type int32"),
    ({"spec": {"paused": "yes"}}, "string into Go struct field DeploymentSpec.spec.paused of type bool"),
    ({"spec": []}, "array into Go struct field Deployment.spec of type v1.DeploymentSpec"),
    ({"metadata": "x"}, "string into Go struct field Deployment.metadata of type v1.ObjectMeta"),
    ({"metadata": {"labels": {"a": 1}}}, "number into Go struct field ObjectMeta.metadata.labels of type string"),
    ({"metadata": {"labels": []}}, "array into Go struct field ObjectMeta.metadata.labels of type map[string]string"),
    (
        container(env=[{"name": "A", "value": 1}]),
        "number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string",
    ),
    (
        container(command="sh"),
        "string into Go struct field Container.spec.template.spec.containers.command of type []string",
    ),
    (
        container(ports={}),
        "object into Go struct field Container.spec.template.spec.containers.ports of type []v1.ContainerPort",
    ),
    (
        container(livenessProbe={"httpGet": {"port": True}}),
        (
            "bool into Go struct field HTTPGetAction.spec.template.spec.containers.livenessProbe.httpGet.port "
            "of type intstr.IntOrString"
        ),
    ),
]


@pytest.mark.parametrize(("obj", "expected"), ROWS, ids=range(len(ROWS)))
def test_wrong_types_are_worded_as_go_words_them(obj: Any, expected: str) -> None:
    assert complaint(obj) == f"json: cannot unmarshal {expected}"


def test_the_kind_and_version_come_first() -> None:
    with pytest.raises(contract.UndecodableError) as caught:
        schema.check_types(DEPLOYMENT, {"spec": {"replicas": "3"}}, resources.DEPLOYMENT)
    assert str(caught.value).startswith('Deployment in version "v1" cannot be handled as a Deployment: json: cannot')


def test_a_quantity_a_time_and_bytes_are_read() -> None:
    quantity = container(resources={"limits": {"cpu": "two"}})
    assert complaint(quantity).startswith("quantities must match the regular expression")
    assert complaint({"data": {"a": "%%%%"}}, SECRET, resources.SECRET) == "illegal base64 data at input byte 0"
    assert complaint({"data": {"a": "eHh"}}, SECRET, resources.SECRET) == "illegal base64 data at input byte 0"
    assert complaint({"firstTimestamp": "yesterday"}, EVENT, resources.EVENT).startswith('parsing time "\\"yesterday')
    assert complaint({"firstTimestamp": "2020-02-30T00:00:00Z"}, EVENT, resources.EVENT).startswith("parsing time ")


@pytest.mark.parametrize(
    "obj",
    [
        {},
        {"spec": None, "metadata": {"creationTimestamp": None}},
        {"spec": {"unknown": {"deep": [1, "a"]}}},
        container(resources={"limits": {"cpu": 2, "memory": "1Gi", "x.y/z": 1.5}}),
        {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}}}},
        {"metadata": {"creationTimestamp": "2026-01-02T03:04:05Z", "managedFields": [{"fieldsV1": {"f:spec": {}}}]}},
    ],
)
def test_what_fits(obj: Any) -> None:
    schema.check_types(DEPLOYMENT, obj, resources.DEPLOYMENT)


def test_nesting_without_end_is_refused_rather_than_followed() -> None:
    deep: Any = {}
    for _ in range(600):
        deep = {"not": deep}
    spec = {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": deep}}]}
    assert "Recursion limit" in complaint({"spec": spec}, CRD, resources.CUSTOM_RESOURCE_DEFINITION)


def test_a_definition_that_refers_to_itself_is_followed() -> None:
    spec = {"versions": [{"schema": {"openAPIV3Schema": {"properties": {"a": {"not": {"maximun": 3}}}}}}]}
    assert schema.unknown_fields(CRD, {"spec": spec}) == [
        "spec.versions[0].schema.openAPIV3Schema.properties.a.not.maximun"
    ]


def test_unknown_fields_are_named_with_their_place() -> None:
    obj = testing.deployment(replcas=2)
    obj["spec"]["template"]["spec"]["containers"][0]["imag"] = "x"
    obj["statuss"] = {}
    obj["metadata"]["annotations"] = {"any": "thing"}
    assert schema.unknown_fields(DEPLOYMENT, obj) == [
        "spec.template.spec.containers[0].imag",
        "spec.replcas",
        "statuss",
    ]


def test_pruning_drops_unknown_fields_and_nulls() -> None:
    obj = {
        "kind": "Deployment",
        "spec": {"replcas": 2, "replicas": None, "template": {"metadata": {"labels": {"a": None, "b": "c"}}}},
    }
    assert schema.pruned(DEPLOYMENT, obj) == {
        "kind": "Deployment",
        "spec": {"template": {"metadata": {"labels": {"a": "", "b": "c"}}}},
    }
    assert schema.pruned(DEPLOYMENT, container(command=["a", None], ports=[None])) == container(
        command=["a", ""], ports=[{}]
    )


def test_every_shipped_definition_compiles() -> None:
    forms = {schema.of_definition(name).form for name in definitions.load()}
    assert forms <= {"struct", "any", "int-or-string", "quantity", "time"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spec", "metadata", "template", "containers", "labels", "env", "name", "ports", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(["spec", "metadata", "status", "kind"]), JSON, max_size=4))
def test_any_json_is_either_refused_or_pruned_to_what_is_known(obj: dict[str, Any]) -> None:
    try:
        schema.check_types(DEPLOYMENT, obj, resources.DEPLOYMENT)
    except contract.UndecodableError:
        return
    kept = schema.pruned(DEPLOYMENT, obj)
    schema.check_types(DEPLOYMENT, kept, resources.DEPLOYMENT)
    assert schema.unknown_fields(DEPLOYMENT, kept) == []
    assert schema.pruned(DEPLOYMENT, kept) == kept


@pytest.mark.parametrize(
    ("micro", "sent", "kept"),
    [
        (False, "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        (False, "2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05Z"),
        (False, "2026-01-02T03:04:05.999+02:00", "2026-01-02T01:04:05Z"),
        (True, "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"),
        (True, "2026-01-02T03:04:05.123456Z", "2026-01-02T03:04:05.123456Z"),
        (True, "2026-01-02T03:04:05.1234567+01:00", "2026-01-02T02:04:05.123456Z"),
        (False, "0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00Z"),
        (False, "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_times_are_kept_in_utc(micro: bool, sent: str, kept: str) -> None:
    field = "eventTime" if micro else "firstTimestamp"
    assert schema.pruned(EVENT, {field: sent}) == {field: kept}


@pytest.mark.parametrize(
    ("sent", "kept"), [(1, "1"), (0.5, "500m"), ("1024Mi", "1Gi"), ("1Gi", "1Gi"), ("1.2.3", "1.2.3")]
)
def test_quantities_are_kept_in_one_spelling(sent: Any, kept: str) -> None:
    assert schema.pruned(DEPLOYMENT, container(resources={"limits": {"cpu": sent}})) == container(
        resources={"limits": {"cpu": kept}}
    )
