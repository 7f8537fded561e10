from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.deployment import unseen
from brickyard.kube.objects import meta, owners


def pair() -> tuple[str, dict[str, Any]]:
    owner, child = testing.deployment(), testing.replica_set("web-1")
    child["metadata"]["ownerReferences"] = [owners.owner_reference(owner)]
    return meta.uid(owner), child


def versioned(child: dict[str, Any], version: str) -> dict[str, Any]:
    return {**child, "metadata": {**child["metadata"], "resourceVersion": version}}


def test_nothing_written_nothing_to_wait_for() -> None:
    assert unseen.Unseen().wait("uid", 0) is None


def test_an_update_is_seen_with_any_other_version() -> None:
    key, child = pair()
    writes = unseen.Unseen()
    writes.expect(key, versioned(child, "7"), 0)
    assert writes.wait(key, 1) == unseen.TTL - 1
    writes.changed(versioned(child, "7"), versioned(child, "7"))
    assert writes.wait(key, 1) is not None
    writes.changed(versioned(child, "7"), versioned(child, "9"))
    assert writes.wait(key, 1) is None


def test_a_creation_is_seen_with_the_object() -> None:
    key, child = pair()
    writes = unseen.Unseen()
    del child["metadata"]["resourceVersion"]
    writes.expect(key, child, 0)
    assert writes.wait(key, 0) is not None
    writes.changed(None, versioned(child, "1"))
    assert writes.wait(key, 0) is None


@pytest.mark.parametrize("how", ["gone", "failed", "owner gone", "expired"])
def test_waiting_ends(how: str) -> None:
    key, child = pair()
    writes = unseen.Unseen()
    writes.expect(key, child, 0)
    now = 1.0
    match how:
        case "gone":
            writes.changed(child, None)
        case "failed":
            writes.give_up(key, child)
        case "owner gone":
            writes.forget(key)
        case "expired":
            now = unseen.TTL
    assert writes.wait(key, now) is None


def test_one_of_two_seen_is_not_enough() -> None:
    key, first = pair()
    second = {**first, "metadata": {**first["metadata"], "name": "web-2"}}
    writes = unseen.Unseen()
    writes.expect(key, first, 0)
    writes.expect(key, second, 5)
    writes.changed(first, versioned(first, "9"))
    assert writes.wait(key, 6) == unseen.TTL - 1
    writes.changed(second, None)
    assert writes.wait(key, 6) is None


def test_strangers_are_of_no_interest() -> None:
    key, child = pair()
    writes = unseen.Unseen()
    writes.expect(key, child, 0)
    writes.changed(None, versioned(testing.replica_set("web-1"), "9"))
    writes.changed(None, None)
    writes.give_up("nobody", child)
    assert writes.wait(key, 1) is not None
