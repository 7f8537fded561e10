"""Every row of the table in ``storage.claims``."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.storage import claims, facts
from brickyard.kube.objects import meta

FOLDER = pathlib.Path("/data/volumes")


def protected(**spec: Any) -> resources.Object:
    made = testing.claim(**spec)
    made["metadata"]["finalizers"] = [facts.CLAIM_PROTECTION]
    return made


def plan(
    claim: resources.Object,
    *volumes: resources.Object,
    classes: tuple[resources.Object, ...] = (),
    pods: tuple[resources.Object, ...] = (),
) -> claims.Plan:
    return claims.plan(claims.Snapshot(claim, volumes, classes, pods, FOLDER))


def told(step: claims.Plan) -> list[tuple[str, str]]:
    return [(each.type, each.reason) for each in step.events]


def held_by(claim: resources.Object, **spec: Any) -> resources.Object:
    return testing.volume(claimRef=facts.reference(claim), **spec)


# Being deleted, and protection.


def test_a_claim_is_protected_before_anything_else() -> None:
    step = plan(testing.claim(), classes=(testing.storage_class(),))
    assert step.claim == {"metadata": {"finalizers": [facts.CLAIM_PROTECTION]}}
    assert step.create is None


@pytest.mark.parametrize(
    ("phase", "node", "goes"), [("Running", "here", False), ("Succeeded", "here", True), ("Pending", "", True)]
)
def test_a_claim_goes_once_no_pod_uses_it(phase: str, node: str, goes: bool) -> None:
    claim = protected()
    claim["metadata"]["deletionTimestamp"] = testing.ago(1)
    step = plan(claim, pods=(testing.pod(phase=phase, node=node),))
    assert step.claim == ({"metadata": {"finalizers": None}} if goes else None)


def test_other_finalizers_stay() -> None:
    claim = protected()
    claim["metadata"] |= {"deletionTimestamp": testing.ago(1), "finalizers": [facts.CLAIM_PROTECTION, "a/b"]}
    assert plan(claim).claim == {"metadata": {"finalizers": ["a/b"]}}
    claim["metadata"]["finalizers"] = ["a/b"]
    assert plan(claim).claim is None


# Claims with a volume.


def test_a_claim_and_its_volume_are_bound() -> None:
    claim = protected(volumeName="disk")
    step = plan(claim, held_by(claim, size="5Gi", accessModes=["ReadWriteOnce", "ReadWriteMany"]))
    assert step.status == {
        "phase": "Bound",
        "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
        "capacity": {"storage": "5Gi"},
    }
    assert step.volume is None


def test_a_named_volume_is_taken() -> None:
    claim = protected(volumeName="disk")
    step = plan(claim, testing.volume())
    assert step.volume is not None
    assert step.volume[1] == {"spec": {"claimRef": facts.reference(claim)}}


def test_a_volume_reserved_by_name_gets_the_claims_uid() -> None:
    claim = protected(volumeName="disk")
    step = plan(claim, testing.volume(claimRef={"namespace": "default", "name": "data"}))
    assert step.volume is not None
    assert step.volume[1]["spec"]["claimRef"]["uid"] == meta.uid(claim)


def test_anothers_volume_is_waited_for() -> None:
    step = plan(protected(volumeName="disk"), held_by(testing.claim("other")))
    assert step.status == {"phase": "Pending"}
    assert told(step) == [("Warning", "FailedBinding")]


@pytest.mark.parametrize(
    ("before", "after", "reason"), [("Pending", "Pending", "FailedBinding"), ("Bound", "Lost", "ClaimLost")]
)
def test_a_volume_that_is_not_there(before: str, after: str, reason: str) -> None:
    claim = protected(volumeName="disk")
    claim["status"]["phase"] = before
    step = plan(claim)
    assert step.status == {"phase": after}
    assert told(step) == [("Warning", reason)]


def test_a_claim_that_grows() -> None:
    claim = protected(size="2Gi", volumeName="disk", storageClassName="brickyard")
    volume = held_by(claim, storageClassName="brickyard")
    step = plan(claim, volume, classes=(testing.storage_class(),))
    assert step.volume == (volume, {"spec": {"capacity": {"storage": "2Gi"}}})
    assert told(step) == [("Normal", "FileSystemResizeSuccessful")]


def test_a_claim_whose_class_does_not_grow_stays_as_it_is() -> None:
    claim = protected(size="2Gi", volumeName="disk", storageClassName="brickyard")
    fixed = testing.storage_class(allowVolumeExpansion=False)
    step = plan(claim, held_by(claim, storageClassName="brickyard"), classes=(fixed,))
    assert step.volume is None
    assert step.status is not None
    assert step.status["capacity"] == {"storage": "1Gi"}
    assert told(step) == [("Warning", "VolumeResizeFailed")]


# Claims without one.


def test_the_default_class_is_given() -> None:
    step = plan(protected(), classes=(testing.storage_class("other"), testing.storage_class()))
    assert step.claim == {"spec": {"storageClassName": "brickyard"}}


def test_of_several_default_classes_the_youngest() -> None:
    old, new = testing.storage_class(), testing.storage_class()
    old["metadata"] |= {"name": "a", "creationTimestamp": testing.ago(100)}
    new["metadata"] |= {"name": "b", "creationTimestamp": testing.ago(1)}
    assert facts.default_class([old, new]) is new
    assert facts.default_class([]) is None


def test_an_empty_class_is_not_the_default_one() -> None:
    step = plan(protected(storageClassName=""), classes=(testing.storage_class(),))
    assert step.claim is None
    assert told(step) == [("Warning", "FailedBinding")]


def test_the_smallest_volume_that_fits_is_taken() -> None:
    volumes = [testing.volume("large", "10Gi"), testing.volume("small", "512Mi"), testing.volume("right", "2Gi")]
    step = plan(protected(storageClassName=""), *volumes)
    assert step.claim == {"spec": {"volumeName": "right"}}
    assert step.volume is not None
    assert step.volume[0] is volumes[2]


def test_a_reserved_volume_comes_first() -> None:
    reserved = testing.volume("reserved", "10Gi", claimRef={"namespace": "default", "name": "data"})
    step = plan(protected(storageClassName=""), testing.volume("right"), reserved)
    assert step.claim == {"spec": {"volumeName": "reserved"}}


def test_a_volume_that_is_its_own_already_is_not_written_again() -> None:
    claim = protected(storageClassName="brickyard")
    step = plan(claim, held_by(claim, storageClassName="brickyard"))
    assert step.volume is None
    assert step.claim == {"spec": {"volumeName": "disk"}}


@pytest.mark.parametrize(
    ("has", "wants", "answer"),
    [
        ({}, {}, True),
        ({"size": "999Mi"}, {}, False),
        ({"storageClassName": "fast"}, {}, False),
        ({"storageClassName": "fast"}, {"storageClassName": "fast"}, True),
        ({"volumeMode": "Block"}, {}, False),
        ({"accessModes": ["ReadWriteMany"]}, {}, False),
        ({"accessModes": ["ReadWriteMany", "ReadWriteOnce"]}, {}, True),
        ({}, {"selector": {"matchLabels": {"disk": "ssd"}}}, False),
    ],
)
def test_which_volumes_fit(has: dict[str, Any], wants: dict[str, Any], answer: bool) -> None:
    assert claims.fits(testing.volume(**has), testing.claim(**wants)) is answer


def test_a_folder_is_provided() -> None:
    claim = protected(storageClassName="brickyard", size="3Gi")
    step = plan(claim, classes=(testing.storage_class(reclaimPolicy="Retain"),))
    name = f"pvc-{meta.uid(claim)}"
    assert step.create is not None
    assert step.create["metadata"]["name"] == name
    spec = step.create["spec"]
    assert spec["hostPath"] == {"path": f"/data/volumes/{name}", "type": "DirectoryOrCreate"}
    assert spec["capacity"] == {"storage": "3Gi"}
    assert spec["persistentVolumeReclaimPolicy"] == "Retain"
    assert facts.is_held_by(step.create, claim)
    assert step.claim == {"spec": {"volumeName": name}}
    assert told(step) == [("Normal", "ProvisioningSucceeded")]


@pytest.mark.parametrize("pods", [(), (testing.pod(node=""),)])
def test_a_class_may_wait_for_the_first_pod(pods: tuple[resources.Object, ...]) -> None:
    lazy = testing.storage_class(volumeBindingMode="WaitForFirstConsumer")
    step = plan(protected(storageClassName="brickyard"), classes=(lazy,), pods=pods)
    assert (step.create is not None) is bool(pods)
    assert told(step) == [("Normal", "ProvisioningSucceeded" if pods else "WaitForFirstConsumer")]


@pytest.mark.parametrize(
    ("spec", "reason", "word"),
    [
        ({"storageClassName": "gp3"}, "ProvisioningFailed", "gp3"),
        ({"storageClassName": "cloud"}, "ExternalProvisioning", "ebs.csi.aws.com"),
        ({"storageClassName": "static"}, "FailedBinding", "static"),
        ({"storageClassName": "brickyard", "volumeMode": "Block"}, "ProvisioningFailed", "block device"),
        ({"storageClassName": "brickyard", "selector": {"matchLabels": {"a": "b"}}}, "ProvisioningFailed", "elector"),
    ],
)
def test_what_cannot_be_provided_is_said(spec: dict[str, Any], reason: str, word: str) -> None:
    classes = (
        testing.storage_class(),
        testing.storage_class("cloud", "ebs.csi.aws.com"),
        testing.storage_class("static", facts.NO_PROVISIONER),
    )
    step = plan(protected(**spec), classes=classes)
    assert step.status == {"phase": "Pending"}
    assert [each.reason for each in step.events] == [reason]
    assert word in step.events[0].message


# What always holds.

_size = st.sampled_from(["1Gi", "2Gi", "512Mi"])
_class = st.sampled_from([None, "", "brickyard", "gone"])


@st.composite
def _claims(draw: st.DrawFn) -> resources.Object:
    made = testing.claim(size=draw(_size))
    name = draw(_class)
    if name is not None:
        made["spec"]["storageClassName"] = name
    if draw(st.booleans()):
        made["metadata"]["finalizers"] = [facts.CLAIM_PROTECTION]
    if draw(st.booleans()):
        made["spec"]["volumeName"] = draw(st.sampled_from(["disk-0", "disk-1", "none"]))
    return made


@given(_claims(), st.lists(st.tuples(_size, st.sampled_from(["", "mine", "other"])), max_size=3))
def test_nobodys_volume_is_taken_away(claim: resources.Object, found: list[tuple[str, str]]) -> None:
    other = testing.claim("other")
    volumes = []
    for number, (size, holder) in enumerate(found):
        reference = {"mine": facts.reference(claim), "other": facts.reference(other)}.get(holder)
        volumes.append(testing.volume(f"disk-{number}", size, **({"claimRef": reference} if reference else {})))
    step = plan(claim, *volumes, classes=(testing.storage_class(),))
    if step.volume is not None:
        taken, patch = step.volume
        assert facts.holder(taken).get("name") != "other"
        assert patch["spec"].get("claimRef", facts.reference(claim)) == facts.reference(claim)
    if step.create is not None:
        assert claim["spec"].get("storageClassName") == "brickyard"
        assert not claim["spec"].get("volumeName")
    assert step.reason
