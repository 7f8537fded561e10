from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.builtin import claims, testing
from brickyard.kube.objects import selectors

OWNED, RELEASED, ADOPTED, IGNORED = (
    claims.Outcome.OWNED,
    claims.Outcome.RELEASED,
    claims.Outcome.ADOPTED,
    claims.Outcome.IGNORED,
)
DELETING: dict[str, Any] = {"deletionTimestamp": testing.ago(0)}


@pytest.mark.parametrize(
    ("controller", "matches", "leaving", "expected"),
    [
        # controller, matches selector, being deleted, outcome
        ("somebody else", True, "", IGNORED),
        ("somebody else", False, "", IGNORED),
        ("the owner", True, "", OWNED),
        ("the owner", True, "owner", OWNED),
        ("the owner", True, "object", OWNED),
        ("the owner", False, "owner", IGNORED),
        ("the owner", False, "", RELEASED),
        ("the owner", False, "object", RELEASED),
        ("none", False, "", IGNORED),
        ("none", True, "owner", IGNORED),
        ("none", True, "object", IGNORED),
        ("none", True, "", ADOPTED),
    ],
)
def test_outcome(controller: str, matches: bool, leaving: str, expected: claims.Outcome) -> None:
    owner, stranger = testing.replica_set("mine"), testing.replica_set("other")
    owning: dict[str, dict[str, Any] | None] = {"the owner": owner, "somebody else": stranger, "none": None}
    pod = testing.pod(owner=owning[controller], **(DELETING if leaving == "object" else {}))
    if leaving == "owner":
        owner["metadata"] |= DELETING
    assert claims.outcome(owner, matches, pod) is expected


def test_an_owner_of_the_same_name_and_another_life_is_somebody_else() -> None:
    before, now = testing.replica_set("mine"), testing.replica_set("mine")
    assert claims.outcome(now, True, testing.pod(owner=before)) is IGNORED


def test_candidates_are_sorted_by_outcome() -> None:
    owner = testing.replica_set()
    owned, orphan = testing.pod("owned", owner=owner), testing.pod("orphan")
    lost = testing.pod("lost", owner=owner, labels={"app": "other"})
    foreign = testing.pod("foreign", labels={})
    selector = selectors.from_label_selector(owner["spec"]["selector"])
    found = claims.claim(owner, selector, [foreign, owned, orphan, lost])
    assert found == claims.Claims(owned=(owned,), adopt=(orphan,), release=(lost,))
    assert found.all_owned == (owned, orphan)
    assert not found.settled
    assert claims.claim(owner, selector, [owned, foreign]).settled
