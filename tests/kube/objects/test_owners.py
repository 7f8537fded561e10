from __future__ import annotations

import pytest

from brickyard.kube.objects import owners

OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "rs", "namespace": "d", "uid": "u1"}}
REFERENCE = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "name": "rs",
    "uid": "u1",
    "controller": True,
    "blockOwnerDeletion": True,
}


def owned(*references: dict[str, object]) -> dict[str, object]:
    return {"metadata": {"name": "pod", "ownerReferences": list(references)}}


def test_a_controller_reference() -> None:
    assert owners.owner_reference(OWNER) == REFERENCE


def test_a_plain_reference() -> None:
    assert owners.owner_reference(OWNER, controller=False) == {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "rs",
        "uid": "u1",
    }


def test_the_controller_is_found_among_the_owners() -> None:
    other = {**owners.owner_reference(OWNER, controller=False), "uid": "u2"}
    obj = owned(other, REFERENCE)
    assert owners.controller_of(obj) == REFERENCE
    assert owners.is_controlled_by(obj, OWNER)
    assert owners.is_owned_by(obj, OWNER)


def test_a_plain_owner_owns_but_does_not_control() -> None:
    obj = owned(owners.owner_reference(OWNER, controller=False))
    assert owners.controller_of(obj) is None
    assert owners.is_owned_by(obj, OWNER)
    assert not owners.is_controlled_by(obj, OWNER)


def test_another_life_of_the_same_name_is_no_owner() -> None:
    reborn = {**OWNER, "metadata": {"name": "rs", "namespace": "d", "uid": "u9"}}
    assert not owners.is_owned_by(owned(REFERENCE), reborn)
    assert not owners.is_controlled_by(owned(REFERENCE), reborn)


def test_an_owner_that_was_never_stored_owns_nothing() -> None:
    unborn = {"metadata": {"name": "rs"}}
    assert not owners.is_owned_by(owned({"name": "rs", "uid": ""}), unborn)
    assert not owners.is_controlled_by(owned({"name": "rs", "uid": "", "controller": True}), unborn)


def test_nothing_owns_an_orphan() -> None:
    assert owners.references({}) == []
    assert owners.controller_of({"metadata": {"ownerReferences": None}}) is None


@pytest.mark.parametrize("part", ["apiVersion", "kind", "controller", "blockOwnerDeletion"])
def test_a_managing_reference_must_be_complete(part: str) -> None:
    owner = {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a", "uid": "u"}}
    reference = owners.owner_reference(owner)
    assert owners.is_complete(reference)
    assert not owners.is_complete({**reference, part: None})
    assert not owners.is_complete(owners.owner_reference(owner, controller=False))
