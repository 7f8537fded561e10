from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.builtin import revisions, testing
from brickyard.kube.objects import meta, names, owners


def stored(body: dict[str, Any], *images: str) -> list[dict[str, Any]]:
    """The revisions that ``body`` would have after it had these images one after another."""
    history: list[dict[str, Any]] = []
    for image in images:
        then = {**body, "spec": {**body["spec"], "template": testing.template(image)}}
        made = revisions.choose(then, history).create
        assert made is not None
        history.append(made)
    return history


def told(body: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    return {**body, "status": {"currentRevision": meta.name(current)}}


def test_the_first_template_is_current_and_new() -> None:
    body = testing.stateful_set()
    found = revisions.choose(body, [])
    assert found.create is found.update is found.current
    assert found.renumber is None
    assert revisions.number(found.update) == 1
    assert revisions.template(found.update) == body["spec"]["template"]
    assert found.update["data"]["spec"]["template"]["$patch"] == "replace"
    assert owners.is_controlled_by(found.update, body)
    assert meta.labels(found.update)["app"] == "web"


def test_the_same_template_has_one_revision() -> None:
    body = testing.stateful_set()
    (first,) = stored(body, "web:1")
    found = revisions.choose(told(body, first), [first])
    assert (found.current, found.update, found.create, found.renumber) == (first, first, None, None)


def test_another_template_is_another_revision() -> None:
    body = testing.stateful_set(image="web:2")
    (first,) = stored(body, "web:1")
    found = revisions.choose(told(body, first), [first])
    assert found.current is first
    assert found.create is found.update
    assert revisions.number(found.update) == 2
    assert meta.name(found.update) != meta.name(first)


def test_an_old_template_becomes_the_newest_again() -> None:
    body = testing.stateful_set(image="web:1")
    history = stored(body, "web:1", "web:2")
    found = revisions.choose(told(body, history[1]), history)
    assert found.create is None
    assert found.renumber is found.update
    assert meta.name(found.update) == meta.name(history[0])
    assert revisions.number(found.update) == 3
    assert found.current is history[1]


def test_an_undo_to_the_current_one_holds_it_once() -> None:
    body = testing.stateful_set(image="web:1")
    history = stored(body, "web:1", "web:2")
    found = revisions.choose(told(body, history[0]), history)
    assert found.current is found.update


def test_a_current_revision_that_is_gone_is_the_update() -> None:
    body = testing.stateful_set()
    body["status"] = {"currentRevision": "web-gone"}
    found = revisions.choose(body, stored(body, "web:1"))
    assert found.current is found.update


def test_names_stay_short_enough_for_a_label() -> None:
    long = testing.stateful_set("a" * 200)
    made = revisions.choose(long, []).update
    assert len(meta.name(made)) <= names.LABEL_LIMIT


def test_notes_of_the_set_are_kept_but_not_what_kubectl_applied() -> None:
    body = testing.stateful_set()
    body["metadata"]["annotations"] = {
        "kubernetes.io/change-cause": "why",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    }
    assert meta.annotations(revisions.choose(body, []).update) == {"kubernetes.io/change-cause": "why"}


@pytest.mark.parametrize(
    ("limit", "live", "expected"),
    [
        (10, (), 0),
        (1, (), 2),
        (0, (), 3),
        (0, (0,), 2),
        (1, (0,), 1),
        (None, (), 0),
    ],
)
def test_the_oldest_that_nobody_needs_go(limit: int | None, live: tuple[int, ...], expected: int) -> None:
    body = testing.stateful_set(revisionHistoryLimit=limit)
    history = stored(body, "web:1", "web:2", "web:3")
    used = [meta.name(history[each]) for each in live]
    found = revisions.outdated(body, history, used)
    assert list(found) == [each for each in history if meta.name(each) not in used][:expected]
