from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.statefulset import identity
from brickyard.kube.objects import meta, owners


def with_claims(**spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"name": "data", "labels": {"kept": "yes"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    return testing.stateful_set(volumeClaimTemplates=[template], **spec)


@pytest.mark.parametrize(
    ("name", "ordinal"),
    [
        ("web-0", 0),
        ("web-12", 12),
        ("web", None),
        ("web-", None),
        ("web-01", None),
        ("web-x", None),
        ("other-0", None),
        ("web-a-0", None),
        ("web-٣", None),
    ],
)
def test_a_name_tells_the_ordinal(name: str, ordinal: int | None) -> None:
    assert identity.ordinal(testing.stateful_set(), name) == ordinal


@given(st.integers(0, 10_000))
def test_names_and_ordinals_are_each_other(number: int) -> None:
    body = testing.stateful_set("a-b")
    assert identity.ordinal(body, identity.pod_name(body, number)) == number


@pytest.mark.parametrize(
    ("spec", "expected"),
    [({}, [0, 1, 2]), ({"ordinals": {"start": 5}}, [5, 6, 7]), ({"replicas": 0}, []), ({"replicas": None}, [0])],
)
def test_which_ordinals_are_wanted(spec: dict[str, Any], expected: list[int]) -> None:
    assert list(identity.ordinals(testing.stateful_set(**{"replicas": 3, **spec}))) == expected


def test_a_pod_carries_its_identity() -> None:
    body = testing.stateful_set()
    pod = identity.build(body, body["spec"]["template"], "web-abc", 1)
    assert meta.name(pod) == "web-1"
    assert meta.labels(pod) == {
        "app": "web",
        "statefulset.kubernetes.io/pod-name": "web-1",
        "apps.kubernetes.io/pod-index": "1",
        "controller-revision-hash": "web-abc",
    }
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-1", "web")
    assert owners.is_controlled_by(pod, body)
    assert "volumes" not in pod["spec"]
    assert "hostname" not in body["spec"]["template"]["spec"]


def test_without_a_service_there_is_no_subdomain() -> None:
    body = testing.stateful_set(serviceName="")
    assert "subdomain" not in identity.build(body, body["spec"]["template"], "r", 0)["spec"]


def test_claims_are_mounted_in_place_of_volumes_of_their_name() -> None:
    body = with_claims()
    template = body["spec"]["template"]
    template["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    pod = identity.build(body, template, "r", 2)
    assert pod["spec"]["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-2"}},
        {"name": "tmp", "emptyDir": {}},
    ]


def test_claims_have_stable_names_and_outlive_the_set() -> None:
    (claim,) = identity.claims(with_claims(), 2)
    assert meta.name(claim) == "data-web-2"
    assert meta.labels(claim) == {"kept": "yes", "app": "web"}
    assert claim["spec"]["resources"] == {"requests": {"storage": "1Gi"}}
    assert owners.references(claim) == []


def test_claims_that_go_with_the_set_belong_to_it() -> None:
    body = with_claims(persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete", "whenScaled": "Retain"})
    (claim,) = identity.claims(body, 0)
    assert owners.is_owned_by(claim, body)
