"""Every row of the table in ``storage.volumes``, and the claims of ephemeral volumes."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.storage import claims, ephemeral, facts, volumes
from brickyard.kube.objects import meta, owners

FOLDER = pathlib.Path("/data/volumes")


def kept(**spec: Any) -> resources.Object:
    made = testing.volume(**spec)
    made["metadata"]["finalizers"] = [facts.VOLUME_PROTECTION]
    return made


def provided(claim: resources.Object) -> resources.Object:
    made = claims.provided(claim, testing.storage_class(), FOLDER)
    made["metadata"]["uid"] = "uid-volume"
    return made


def test_a_volume_is_protected_first() -> None:
    assert volumes.plan(testing.volume(), None, FOLDER).finalizers == (facts.VOLUME_PROTECTION,)


@pytest.mark.parametrize("reference", [None, {"namespace": "default", "name": "data"}])
def test_a_volume_without_a_claim_is_available(reference: dict[str, str] | None) -> None:
    volume = kept(**({"claimRef": reference} if reference else {}))
    assert volumes.plan(volume, None, FOLDER).status == {"phase": "Available"}


def test_a_volume_with_its_claim_is_bound() -> None:
    claim = testing.claim()
    assert volumes.plan(kept(claimRef=facts.reference(claim)), claim, FOLDER).status == {"phase": "Bound"}


def test_another_claim_of_the_same_name_is_not_its_claim() -> None:
    volume = kept(claimRef=facts.reference(testing.claim()))
    assert volumes.plan(volume, testing.claim(), FOLDER).status == {"phase": "Released"}


def test_what_is_provided_goes_with_its_claim() -> None:
    claim = testing.claim()
    step = volumes.plan(provided(claim), None, FOLDER)
    assert step.remove == FOLDER / f"pvc-{meta.uid(claim)}"
    assert step.status == {"phase": "Released"}


def test_what_is_retained_stays() -> None:
    volume = provided(testing.claim())
    volume["spec"]["persistentVolumeReclaimPolicy"] = "Retain"
    step = volumes.plan(volume, None, FOLDER)
    assert step.remove is None
    assert step.status == {"phase": "Released"}


@pytest.mark.parametrize(("policy", "reason"), [("Delete", "VolumeFailedDelete"), ("Recycle", "VolumeRecycleFailed")])
def test_what_somebody_made_is_not_deleted(policy: str, reason: str) -> None:
    volume = kept(claimRef=facts.reference(testing.claim()), persistentVolumeReclaimPolicy=policy)
    step = volumes.plan(volume, None, FOLDER)
    assert step.remove is None
    assert step.status is not None
    assert step.status["phase"] == "Failed"
    assert [each.reason for each in step.events] == [reason]


@pytest.mark.parametrize("path", ["/", "/data/volumes", "/data/volumes/../../home", "/home/me", "/data/volumes/other"])
def test_only_its_own_folder_is_ever_removed(path: str) -> None:
    volume = provided(testing.claim())
    volume["spec"]["hostPath"]["path"] = path
    assert volumes.plan(volume, None, FOLDER).remove is None


@pytest.mark.parametrize("bound", [True, False])
def test_a_volume_being_deleted_waits_for_its_claim(bound: bool) -> None:
    claim = testing.claim()
    volume = kept(claimRef=facts.reference(claim))
    volume["metadata"]["deletionTimestamp"] = testing.ago(1)
    step = volumes.plan(volume, claim if bound else None, FOLDER)
    assert step.finalizers == (None if bound else ())
    assert step.remove is None


# Ephemeral volumes.


def with_scratch() -> resources.Object:
    pod = testing.pod()
    template = {"metadata": {"labels": {"kind": "scratch"}}, "spec": testing.claim()["spec"]}
    pod["spec"]["volumes"] = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}, {"name": "e"}]
    return pod


def test_a_pod_gets_a_claim_of_its_own() -> None:
    pod = with_scratch()
    (made,) = ephemeral.plan(pod, {}).create
    assert meta.name(made) == "web-1-scratch"
    assert meta.labels(made) == {"kind": "scratch"}
    assert owners.is_controlled_by(made, pod)
    assert made["spec"] == testing.claim()["spec"]
    assert list(facts.claims_of(pod)) == ["default/web-1-scratch"]
    assert not ephemeral.plan(pod, {"web-1-scratch": made}).create


def test_anothers_claim_is_left_alone() -> None:
    step = ephemeral.plan(with_scratch(), {"web-1-scratch": testing.claim("web-1-scratch")})
    assert not step.create
    assert [each.reason for each in step.events] == ["FailedBinding"]


def test_a_pod_that_leaves_gets_nothing() -> None:
    pod = with_scratch()
    pod["metadata"]["deletionTimestamp"] = testing.ago(1)
    assert ephemeral.plan(pod, {}) == ephemeral.Plan()
    assert not ephemeral.is_concerned(testing.pod())
