from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.deployment import revisions
from brickyard.kube.objects import meta, names, owners


def of(deployment: dict[str, Any], age: float = 0, revision: int = 1, **status: int) -> dict[str, Any]:
    """A ReplicaSet of the Deployment's present template."""
    found = revisions.build(deployment, 0, {revisions.REVISION: str(revision)})
    found["metadata"] = testing.metadata(found["metadata"]["name"], age) | found["metadata"]
    found["status"] = {"observedGeneration": 1, **status}
    return found


# ------------------------------------------------------------------------------------------------------------ templates


def test_the_newest_replica_set_is_the_one_of_the_template() -> None:
    before, now = testing.deployment(image="web:1"), testing.deployment(image="web:2")
    old, new = of(before), of(now)
    assert revisions.newest(now, [old, new]) is new
    assert revisions.newest(now, [old]) is None


def test_of_several_the_oldest_so_that_every_pass_chooses_the_same() -> None:
    deployment = testing.deployment()
    young, old = of(deployment, age=1), of(deployment, age=9)
    assert revisions.newest(deployment, [young, old]) is old


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"creationTimestamp": None}},
        {"metadata": {"annotations": {}}},
        {"metadata": {"labels": {"app": "web", revisions.HASH_LABEL: "x"}}},
        {"spec": {"nodeSelector": {}}},
        {"spec": {"volumes": []}},
        {"spec": {"priority": None}},
    ],
)
def test_what_says_nothing_makes_no_difference(change: dict[str, dict[str, Any]]) -> None:
    plain = testing.template()
    changed = copy.deepcopy(plain)
    for part, fields in change.items():
        changed[part] |= fields
    assert revisions.plain_template(changed) == revisions.plain_template(plain)


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"labels": {"app": "web", "tier": "x"}}},
        {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}},
        {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}},
        {"spec": {"terminationGracePeriodSeconds": 0}},
        {"spec": {"hostNetwork": False}},
    ],
)
def test_what_says_something_does(change: dict[str, dict[str, Any]]) -> None:
    plain = testing.template()
    changed = copy.deepcopy(plain)
    for part, fields in change.items():
        changed[part] |= fields
    assert revisions.plain_template(changed) != revisions.plain_template(plain)


def test_an_empty_volume_is_not_no_volume() -> None:
    body = testing.template()
    body["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    assert revisions.plain_template(body)["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["labels", "x", "y"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["spec", "other"]), JSON))
def test_plain_is_plain(template: dict[str, Any]) -> None:
    before = copy.deepcopy(template)
    plain = revisions.plain_template(template)
    assert revisions.plain_template(plain) == plain
    assert template == before


def test_a_collision_makes_another_hash() -> None:
    first, second = testing.deployment(), testing.deployment()
    second["status"]["collisionCount"] = 1
    assert revisions.template_hash(first) != revisions.template_hash(second)


# ------------------------------------------------------------------------------------------------------------- building


def test_a_new_replica_set_selects_its_own_pods_only() -> None:
    deployment = testing.deployment(minReadySeconds=7)
    found = revisions.build(deployment, 2, {"note": "x"})
    fingerprint = revisions.template_hash(deployment)
    labels = {"app": "web", revisions.HASH_LABEL: fingerprint}
    assert found["metadata"]["name"] == f"web-{fingerprint}"
    assert found["metadata"]["labels"] == labels
    assert found["metadata"]["annotations"] == {"note": "x"}
    assert found["spec"]["selector"]["matchLabels"] == labels
    assert found["spec"]["template"]["metadata"]["labels"] == labels
    assert found["spec"]["replicas"] == 2
    assert found["spec"]["minReadySeconds"] == 7
    assert owners.is_controlled_by(found, deployment)
    assert deployment["spec"]["template"] == testing.template()
    assert deployment["spec"]["selector"] == {"matchLabels": {"app": "web"}}


def test_a_selector_of_expressions_keeps_them() -> None:
    expressions = [{"key": "app", "operator": "Exists"}]
    deployment = testing.deployment(selector={"matchExpressions": expressions})
    selector = revisions.build(deployment, 1, {})["spec"]["selector"]
    assert selector["matchExpressions"] == expressions
    assert list(selector["matchLabels"]) == [revisions.HASH_LABEL]


@given(st.integers(1, 253))
def test_names_stay_legal_however_long_the_deployment_is_called(length: int) -> None:
    deployment = testing.deployment("a" * length)
    assert names.is_dns_subdomain(revisions.build(deployment, 1, {})["metadata"]["name"])


# ---------------------------------------------------------------------------------------------------------- annotations


def test_a_new_replica_set_takes_the_deployments_annotations_but_not_the_machinerys() -> None:
    deployment = testing.deployment()
    deployment["metadata"]["annotations"] = {
        "kubernetes.io/change-cause": "because",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        revisions.REVISION: "1",
        revisions.DESIRED: "7",
    }
    assert revisions.notes(deployment, None, 4) == {
        "kubernetes.io/change-cause": "because",
        revisions.REVISION: "4",
    }


@pytest.mark.parametrize(
    ("revision", "history", "wanted", "expected"),
    [
        # revision, its history, wanted → revision and history to set
        (1, "", 3, {revisions.REVISION: "3", revisions.HISTORY: "1"}),
        (3, "1", 5, {revisions.REVISION: "5", revisions.HISTORY: "1,3"}),
        (3, "1", 3, {}),
        (3, "1", 2, {}),
        (0, "", 1, {revisions.REVISION: "1"}),
    ],
)
def test_a_replica_set_that_is_used_again_remembers(
    revision: int, history: str, wanted: int, expected: dict[str, str]
) -> None:
    deployment = testing.deployment()
    replica_set = of(deployment, revision=revision)
    if history:
        replica_set["metadata"]["annotations"][revisions.HISTORY] = history
    assert revisions.notes(deployment, replica_set, wanted) == expected


def test_the_history_is_bounded() -> None:
    deployment = testing.deployment()
    replica_set = of(deployment, revision=4000)
    replica_set["metadata"]["annotations"][revisions.HISTORY] = ",".join(map(str, range(1000, 1500)))
    history = revisions.notes(deployment, replica_set, 4001)[revisions.HISTORY]
    assert len(history) <= 2000
    assert history.endswith(",1499,4000")
    assert not history.startswith("1000,")


@pytest.mark.parametrize(("text", "number"), [("3", 3), ("", 0), ("x", 0), ("-1", 0), ("²", 0)])
def test_an_unreadable_revision_is_none(text: str, number: int) -> None:
    replica_set = testing.replica_set()
    replica_set["metadata"]["annotations"] = {revisions.REVISION: text}
    assert revisions.number(replica_set) == number


def test_the_next_revision_is_above_all() -> None:
    deployment = testing.deployment()
    assert revisions.next_number([]) == 1
    assert revisions.next_number([of(deployment, revision=2), of(deployment, revision=7)]) == 8


# ------------------------------------------------------------------------------------------------------------- clean-up


def test_the_lowest_revisions_go() -> None:
    deployment = testing.deployment(revisionHistoryLimit=2)
    old = [of(deployment, revision=revision) for revision in (5, 2, 9, 3)]
    assert [revisions.number(each) for each in revisions.outdated(deployment, old)] == [2, 3]


@pytest.mark.parametrize(
    ("limit", "left"),
    [(None, 3), (10, 3), (3, 3), (2, 2), (0, 0)],
)
def test_as_many_stay_as_the_limit_says(limit: int | None, left: int) -> None:
    deployment = testing.deployment(revisionHistoryLimit=limit)
    old = [of(deployment, revision=revision) for revision in (1, 2, 3)]
    assert len(old) - len(revisions.outdated(deployment, old)) == left


@pytest.mark.parametrize("busy", ["spec", "status", "unseen", "leaving"])
def test_one_that_is_busy_stays(busy: str) -> None:
    deployment = testing.deployment(revisionHistoryLimit=0)
    replica_set = of(deployment)
    match busy:
        case "spec":
            replica_set["spec"]["replicas"] = 1
        case "status":
            replica_set["status"]["replicas"] = 1
        case "unseen":
            replica_set["metadata"]["generation"] = 2
        case "leaving":
            replica_set["metadata"]["deletionTimestamp"] = testing.ago(0)
    assert revisions.outdated(deployment, [replica_set]) == []


def test_age_and_name_order() -> None:
    deployment = testing.deployment()
    first, second = of(deployment, age=9), of(deployment, age=9)
    first["metadata"]["name"], second["metadata"]["name"] = "a", "b"
    third = of(deployment, age=1)
    assert [meta.name(each) for each in revisions.by_age([third, second, first])][:2] == ["a", "b"]
