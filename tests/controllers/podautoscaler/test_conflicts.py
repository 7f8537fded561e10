"""Who wins a target that several want."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.controllers.podautoscaler import conflicts, testing
from brickyard.kube.objects import meta, owners

STORM = testing.target("pd", "StormService", "orchestration.aibrix.ai/v1alpha1")


def always(_: resources.Object) -> bool:
    return True


def of_role(name: str, role: str, age: float, mode: str = "") -> resources.Object:
    annotations = {"storm-service-mode": mode} if mode else {}
    part: dict[str, Any] = {"subTargetSelector": {"roleName": role}} if role else {}
    return testing.autoscaler(name, age=age, annotations=annotations, scaleTargetRef=STORM, **part)


def winners(*found: resources.Object) -> set[str]:
    """Names of those that nothing keeps from their target, whatever order they come in."""
    answers = {
        frozenset(meta.name(each) for each in order if conflicts.winner_over(each, list(order), always) is None)
        for order in itertools.permutations(found)
    }
    assert len(answers) == 1, "the order they are listed in must not count"
    return set(answers.pop())


def test_the_oldest_wins_then_the_first_by_name() -> None:
    old, new = testing.autoscaler("z", age=10), testing.autoscaler("a", age=0)
    assert winners(old, new) == {"z"}
    assert winners(testing.autoscaler("b"), testing.autoscaler("a")) == {"a"}


def test_the_loser_learns_who_has_it() -> None:
    old, new = testing.autoscaler("old", age=10), testing.autoscaler("new")
    found = conflicts.winner_over(new, [new, old], always)
    assert found is old


@pytest.mark.parametrize(
    ("first", "second", "third", "expected"),
    [
        (("decode", ""), ("prefill", ""), None, {"1", "2"}),  # PA13: different roles
        (("decode", ""), ("decode", ""), None, {"1"}),  # PA13: the same role
        (("", ""), ("decode", ""), None, {"1"}),  # the whole and a part
        (("decode", ""), ("", ""), None, {"1"}),
        (("decode", "replica"), ("prefill", "replica"), None, {"1"}),  # both scale spec.replicas
        (("decode", "replica"), ("prefill", ""), None, {"1"}),
        (("decode", ""), ("", ""), ("prefill", ""), {"1", "3"}),  # who stands back claims nothing
    ],
)
def test_parts_of_one_service(
    first: tuple[str, str], second: tuple[str, str], third: tuple[str, str] | None, expected: set[str]
) -> None:
    wanted = [first, second, *([third] if third else [])]
    found = [of_role(str(index), role, 100 - index, mode) for index, (role, mode) in enumerate(wanted, 1)]
    assert winners(*found) == expected


def test_what_is_being_deleted_or_invalid_claims_nothing() -> None:
    old, new = testing.autoscaler("old", age=10), testing.autoscaler("new")
    assert conflicts.winner_over(new, [old, new], lambda each: each is not old) is None
    old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert conflicts.winner_over(new, [old, new], always) is None


def hpa(owner: resources.Object | None = None, **more: Any) -> resources.Object:
    references = [] if owner is None else [owners.owner_reference(owner)]
    metadata = testing.metadata("other", ownerReferences=references, **more)
    return {"metadata": metadata, "spec": {"scaleTargetRef": testing.target()}}


def test_a_horizontalpodautoscaler_of_somebody_else_has_its_target() -> None:
    ours = testing.autoscaler()
    found = hpa()
    assert conflicts.foreign(ours, [hpa(ours), found]) is found
    assert conflicts.foreign(ours, [hpa(ours), hpa(testing.autoscaler("rival"))]) is None
    assert conflicts.foreign(ours, [hpa(testing.deployment())]) is not None
    assert conflicts.foreign(ours, [hpa(deletionTimestamp="2026-01-01T00:00:00Z")]) is None


def test_both_sorts_are_filed_under_the_same_target() -> None:
    assert list(conflicts.indexer(hpa())) == list(conflicts.indexer(testing.autoscaler("any")))
    other = testing.autoscaler(scaleTargetRef=testing.target("else"))
    assert list(conflicts.indexer(other)) != list(conflicts.indexer(testing.autoscaler()))
