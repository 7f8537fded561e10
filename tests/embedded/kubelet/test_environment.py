"""Variables and expansion."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import environment, errors
from brickyard.embedded.kubelet.testing import container, pod


def facts(obj: dict[str, Any] | None = None, **fields: Any) -> environment.Facts:
    return environment.Facts(obj or pod(), "here", "127.0.0.1", "127.64.0.1", **fields)


def config_map(**data: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


def secret(**data: str) -> dict[str, Any]:
    return {"kind": "Secret", "metadata": {"name": "s"}, "type": "Opaque", "data": data}


def built(*env: dict[str, Any], given: environment.Facts | None = None, **fields: Any) -> dict[str, str]:
    """What the manifest adds to the agent's own two variables."""
    found = environment.build(container(env=list(env), **fields), given or facts())
    return {key: value for key, value in found.items() if key not in ("HOSTNAME", environment.POD_ADDRESS)}


# text, expanded with A=1, B=$(A), EMPTY=
EXPANSIONS = [
    ("plain", "plain"),
    ("$(A)", "1"),
    ("x$(A)y$(A)", "x1y1"),
    ("$(NONE)", "$(NONE)"),
    ("$$(A)", "$(A)"),
    ("$$$(A)", "$1"),
    ("$$$$(A)", "$$(A)"),
    ("$(B)", "$(A)"),
    ("$(EMPTY)", ""),
    ("$A ${A}", "$A ${A}"),
    ("$(A", "$(A"),
    ("$", "$"),
    ("cost: 5$", "cost: 5$"),
    ("$()", "$()"),
    ("$($(A))", "$($(A))"),
    ("$($$)", "$($$)"),
]


@pytest.mark.parametrize(("text", "expected"), EXPANSIONS)
def test_expansion(text: str, expected: str) -> None:
    assert environment.expand(text, {"A": "1", "B": "$(A)", "EMPTY": ""}) == expected


@given(st.text(alphabet="a$)A", max_size=30))
def test_without_variables_only_doubled_dollars_change(text: str) -> None:
    assert environment.expand(text, {}) == text.replace("$$", "$")


def test_the_agents_own_variables() -> None:
    env = environment.build(container(), facts(pod(name="web-1")))
    assert env == {"HOSTNAME": "web-1", "BRICKYARD_POD_IP": "127.64.0.1"}


def test_values_may_use_what_is_defined_before() -> None:
    env = built({"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2$(C)"}, {"name": "C", "value": "3"})
    assert env == {"A": "1", "B": "12$(C)", "C": "3"}


def test_a_variable_without_value_is_empty() -> None:
    assert built({"name": "A"}) == {"A": ""}


def test_env_from_is_below_env_and_may_be_referred_to() -> None:
    given_facts = facts(config_maps={"c": config_map(A="map", B="b")}, secrets={"s": secret(A="c2VjcmV0")})
    sources = [{"configMapRef": {"name": "c"}}, {"prefix": "S_", "secretRef": {"name": "s"}}]
    env = built({"name": "A", "value": "own $(B) $(S_A)"}, given=given_facts, envFrom=sources)
    assert env == {"A": "own b secret", "B": "b", "S_A": "secret"}


def test_keys_of_config_maps_and_secrets() -> None:
    given_facts = facts(config_maps={"c": config_map(k="v")}, secrets={"s": secret(k="dg==")})
    env = built(
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "none", "optional": True}}},
        {"name": "D", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "k", "optional": True}}},
        given=given_facts,
    )
    assert env == {"A": "v", "B": "v"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'),
        ({"secretKeyRef": {"name": "none", "key": "k"}}, 'secret "none" not found'),
        ({"secretKeyRef": {"name": "s", "key": "none"}}, "couldn't find key none in secret s"),
        ({"fieldRef": {"fieldPath": "spec.color"}}, "fieldRef 'spec.color' is not supported"),
        ({"fileKeyRef": {"path": "x"}}, "valueFrom fileKeyRef is not supported"),
    ],
)
def test_what_is_missing_is_named(source: dict[str, Any], message: str) -> None:
    given_facts = facts(config_maps={"none": None}, secrets={"none": None, "s": secret()})
    with pytest.raises(errors.NotStarted) as caught:
        built({"name": "A", "valueFrom": source}, given=given_facts)
    assert caught.value.reason == "CreateContainerConfigError"
    assert message in str(caught.value)


@pytest.mark.parametrize("kind", ["configMapRef", "secretRef"])
def test_a_missing_source_is_an_error_unless_optional(kind: str) -> None:
    given_facts = facts(config_maps={"x": None}, secrets={"x": None})
    with pytest.raises(errors.NotStarted, match='"x" not found'):
        built(given=given_facts, envFrom=[{kind: {"name": "x"}}])
    assert built(given=given_facts, envFrom=[{kind: {"name": "x", "optional": True}}]) == {}


def test_a_value_that_no_variable_can_hold_is_named() -> None:
    given_facts = facts(secrets={"s": secret(good="eA==", raw="AAE=")})
    with pytest.raises(errors.NotStarted, match="the value of variable raw holds a NUL"):
        built(given=given_facts, envFrom=[{"secretRef": {"name": "s"}}])


def test_a_secret_that_is_no_base64_is_named() -> None:
    given_facts = facts(secrets={"s": secret(k="%")})
    with pytest.raises(errors.NotStarted, match="s: the value of key k is no base64"):
        built({"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, given=given_facts)


META = {"labels": {"app": "x", "b": "y"}, "annotations": {"note": "hi"}}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "a"),
        ("metadata.namespace", "default"),
        ("metadata.labels['app']", "x"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['note']", "hi"),
        ("metadata.labels", 'app="x"\nb="y"'),
        ("spec.nodeName", "here"),
        ("spec.serviceAccountName", "default"),
        ("status.hostIP", "127.0.0.1"),
        ("status.podIP", "127.64.0.1"),
        ("status.podIPs", "127.64.0.1"),
    ],
)
def test_fields(path: str, expected: str) -> None:
    assert environment.field(path, facts(pod(meta=META))) == expected


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"resource": "limits.cpu"}, "2"),
        ({"resource": "requests.cpu"}, "1"),
        ({"resource": "requests.cpu", "divisor": "1m"}, "500"),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "1024"),
        ({"resource": "requests.memory"}, str(1024**3)),
        ({"resource": "limits.ephemeral-storage", "divisor": "1Gi"}, "10"),
        ({"resource": "limits.cpu", "containerName": "other"}, "8"),
        ({"resource": "requests.cpu", "containerName": "other"}, "0"),
        ({"resource": "requests.ephemeral-storage"}, "0"),
        ({"resource": "limits.cpu", "divisor": "0"}, "2"),
        ({"resource": "limits.cpu", "divisor": "100m"}, "15"),
        ({"resource": "limits.memory", "divisor": "1G"}, "2"),
    ],
)
def test_resources(reference: dict[str, str], expected: str) -> None:
    one = container(resources={"limits": {"cpu": "1500m", "memory": "1Gi"}, "requests": {"cpu": "0.5"}})
    other = container("other")
    one["env"] = [{"name": "A", "valueFrom": {"resourceFieldRef": reference}}]
    given_facts = facts(pod(one, other), capacity={"cpu": "8", "ephemeral-storage": "10Gi"})
    assert environment.build(one, given_facts)["A"] == expected


# Services.


def service(name: str, cluster_ip: str | None, *ports: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"clusterIP": cluster_ip, "ports": list(ports)}}


def test_service_variables() -> None:
    found = environment.service_variables(
        service("my-db", "10.0.0.5", {"port": 80, "name": "web-ui"}, {"port": 53, "protocol": "UDP"})
    )
    assert found["MY_DB_SERVICE_HOST"] == "10.0.0.5"
    assert found["MY_DB_SERVICE_PORT"] == "80"
    assert found["MY_DB_SERVICE_PORT_WEB_UI"] == "80"
    assert found["MY_DB_PORT"] == "tcp://10.0.0.5:80"
    assert found["MY_DB_PORT_53_UDP"] == "udp://10.0.0.5:53"
    assert found["MY_DB_PORT_53_UDP_ADDR"] == "10.0.0.5"


@pytest.mark.parametrize("address", [None, "", "None"])
def test_a_service_without_address_gives_none(address: str | None) -> None:
    assert environment.service_variables(service("x", address, {"port": 80})) == {}


def test_service_links_can_be_off() -> None:
    services = [service("x", "10.0.0.5", {"port": 80})]
    assert "X_SERVICE_HOST" in environment.build(container(), facts(services=services))
    off = facts(pod(enableServiceLinks=False), services=services)
    assert "X_SERVICE_HOST" not in environment.build(container(), off)


# References.


def test_references_of_a_pod() -> None:
    obj = pod(
        container(
            env=[
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c1", "key": "k"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s1", "key": "k"}}},
                {"name": "C", "value": "x"},
            ],
            envFrom=[{"configMapRef": {"name": "c2"}}, {"secretRef": {"name": "s2"}}],
        ),
        init=[container("i", envFrom=[{"secretRef": {"name": "s3"}}])],
        volumes=[
            {"name": "v", "configMap": {"name": "c3"}},
            {"name": "w", "secret": {"secretName": "s4"}},
            {"name": "x"},
        ],
    )
    found = environment.references(obj)
    assert found.config_maps == {"c1", "c2", "c3"}
    assert found.secrets == {"s1", "s2", "s3", "s4"}
