"""Sizes and pods of targets, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.controllers import errors
from brickyard.controllers.podautoscaler import targets, testing

STORM = testing.target("pd", "StormService", "orchestration.aibrix.ai/v1alpha1")
FLEET = testing.target("llama", "RayClusterFleet", "orchestration.aibrix.ai/v1alpha1")


def reference(annotations: dict[str, str] | None = None, **spec: Any) -> targets.Reference:
    return targets.reference(testing.autoscaler(annotations=annotations, **spec))


def role(name: str, mode: str = "") -> targets.Reference:
    annotations = {"storm-service-mode": mode} if mode else {}
    return reference(annotations, scaleTargetRef=STORM, subTargetSelector={"roleName": name})


def selected(size: targets.Size, **labels: str) -> bool:
    return size.selector.matches({key.replace("_", "-"): value for key, value in labels.items()})


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ReplicaSet"])
def test_workloads_are_as_large_as_their_spec_says(kind: str) -> None:
    wanted = reference(scaleTargetRef=testing.target(kind=kind))
    size = targets.size(wanted, testing.deployment(replicas=4, kind=kind))
    assert wanted.known is not None
    assert wanted.known.kind == kind
    assert size.replicas == 4
    assert str(size.selector) == "app=chat"


def test_workloads_without_a_size_have_one_replica() -> None:
    assert targets.size(reference(), testing.deployment(replicas=None)).replicas == 1


def test_other_kinds_without_a_size_cannot_be_scaled() -> None:
    wanted = reference(scaleTargetRef=testing.target(kind="Widget", api_version="example.com/v1"))
    with pytest.raises(errors.TargetError, match=r"no spec\.replicas") as caught:
        targets.size(wanted, testing.deployment(replicas=None, kind="Widget"))
    assert caught.value.reason == "FailedGetReplicas"


def test_the_selector_that_a_status_tells_goes_first() -> None:
    told = {**testing.deployment(), "status": {"selector": "tier=engines"}}
    assert str(targets.size(reference(), told).selector) == "tier=engines"


@pytest.mark.parametrize("spec", [{}, {"selector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}])
def test_pods_that_cannot_be_found_are_an_error(spec: dict[str, Any]) -> None:
    obj = {**testing.deployment(), "spec": {"replicas": 1, **spec}}
    with pytest.raises(errors.TargetError, match="selector"):
        targets.size(reference(), obj)


def test_mw9_of_a_fleet_heads_are_measured() -> None:
    fleet = testing.deployment("llama", 2)
    size = targets.size(reference(scaleTargetRef=FLEET), fleet)
    assert size.selector.matches({"app": "llama", names.RAY_NODE_TYPE: "head"})
    assert not size.selector.matches({"app": "llama", names.RAY_NODE_TYPE: "worker"})


def test_mw9_of_groups_of_pods_the_first_is_measured() -> None:
    storm = testing.storm_service(prefill=(2, 2), decode=(3, 1))
    size = targets.size(role("prefill"), storm)
    labels = {names.STORM_SERVICE_NAME: "pd", names.ROLE_NAME: "prefill"}
    assert size.selector.matches({**labels, names.POD_GROUP_INDEX: "0"})
    assert not size.selector.matches({**labels, names.POD_GROUP_INDEX: "1"})
    alone = targets.size(role("decode"), storm)
    assert alone.selector.matches({names.STORM_SERVICE_NAME: "pd", names.ROLE_NAME: "decode"})
    assert not alone.selector.matches(labels)


def test_without_a_role_pods_of_single_roles_count_beside_the_first_of_groups() -> None:
    size = targets.size(reference(scaleTargetRef=STORM), testing.storm_service(prefill=(2, 3), decode=(3, 1)))
    label = {names.STORM_SERVICE_NAME: "pd"}
    assert size.selector.matches(label)
    assert size.selector.matches({**label, names.POD_GROUP_INDEX: "0"})
    assert not size.selector.matches({**label, names.POD_GROUP_INDEX: "2"})


def test_w1_a_role_is_as_large_as_the_template_says() -> None:
    storm = testing.storm_service(replicas=5, prefill=(2, 1), decode=(3, 1))
    storm["status"] = {"roleStatuses": [{"name": "decode", "replicas": 1}]}
    size = targets.size(role("decode"), storm)
    assert (size.replicas, size.place) == (3, 1)
    assert targets.size(role("decode", "pool"), storm).replicas == 3


def test_w1_in_mode_replica_the_service_is_measured_by_its_role() -> None:
    size = targets.size(role("decode", "replica"), testing.storm_service(replicas=5, prefill=(2, 1), decode=(3, 1)))
    assert (size.replicas, size.place) == (5, -1)


def test_a_role_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(errors.TargetError, match=r'role "encode" not found .* its roles: prefill, decode'):
        targets.size(role("encode"), testing.storm_service(prefill=(2, 1), decode=(3, 1)))


def test_a_scale_tells_size_and_pods() -> None:
    wanted = reference(scaleTargetRef=testing.target(kind="Widget", api_version="example.com/v1"))
    scale = {"metadata": {"uid": "u"}, "spec": {"replicas": 3}, "status": {"selector": "app=w"}}
    size = targets.scale_size(wanted, scale)
    assert (size.uid, size.replicas, str(size.selector)) == ("u", 3, "app=w")
    with pytest.raises(errors.TargetError, match="no selector"):
        targets.scale_size(wanted, {"spec": {"replicas": 3}})


def test_a_target_elsewhere_is_refused() -> None:
    obj = testing.autoscaler(scaleTargetRef={**testing.target(), "namespace": "other"})
    with pytest.raises(errors.TargetError, match="other is not the autoscaler's, default"):
        targets.check(obj, targets.reference(obj))
    here = testing.autoscaler(scaleTargetRef={**testing.target(), "namespace": "default"})
    targets.check(here, targets.reference(here))


def test_only_stormservices_have_roles() -> None:
    obj = testing.autoscaler(subTargetSelector={"roleName": "decode"})
    with pytest.raises(errors.TargetError, match="a Deployment has none"):
        targets.check(obj, targets.reference(obj))


def test_versions_of_one_kind_are_one_target() -> None:
    old = reference(scaleTargetRef=testing.target(api_version="apps/v1beta2"))
    assert old.identity == reference().identity
    assert old.known == resources.DEPLOYMENT
    assert str(reference()) == "Deployment default/chat"
    assert str(role("decode")) == "StormService default/pd, role decode"


@pytest.mark.parametrize("spec", [None, [], "x", {"scaleTargetRef": 3}, {"scaleTargetRef": {"name": 7}}])
def test_nonsense_names_nothing(spec: Any) -> None:
    assert targets.reference({"metadata": {"name": "a", "namespace": "b"}, "spec": spec}).name == ""
