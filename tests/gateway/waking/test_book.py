"""Autoscalers by model, in whatever order they and their targets come, change and go."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.gateway.waking import book, testing
from brickyard.kube.objects import meta

DEPLOYMENT = resources.DEPLOYMENT


def keys(kept: book.Book, model: str) -> list[str]:
    return [each.autoscaler.name for each in kept.of(model)]


def test_a_target_after_its_autoscaler_and_before_it() -> None:
    for first in (True, False):
        kept = book.Book()
        if first:
            kept.target_changed(DEPLOYMENT, None, testing.deployment())
        kept.autoscaler_changed(None, testing.autoscaler())
        if not first:
            assert not kept.knows("demo")
            kept.target_changed(DEPLOYMENT, None, testing.deployment())
        assert kept.knows("demo")
        assert kept.wakes("demo")
        assert keys(kept, "demo") == ["demo"]


def test_an_autoscaler_without_its_target_knows_no_model() -> None:
    kept = book.Book()
    kept.autoscaler_changed(None, testing.autoscaler())
    kept.target_changed(DEPLOYMENT, None, testing.deployment())
    kept.target_changed(DEPLOYMENT, testing.deployment(), None)
    assert not kept.knows("demo")
    assert kept.models() == {}


def test_a_model_that_changes_its_name() -> None:
    kept = book.Book()
    kept.autoscaler_changed(None, testing.autoscaler())
    kept.target_changed(DEPLOYMENT, None, testing.deployment())
    kept.target_changed(DEPLOYMENT, testing.deployment(), testing.deployment(model="newer"))
    assert (kept.knows("demo"), kept.knows("newer")) == (False, True)


def test_an_autoscaler_that_turns_to_another_target() -> None:
    kept = book.Book()
    kept.target_changed(DEPLOYMENT, None, testing.deployment("a", "left"))
    kept.target_changed(DEPLOYMENT, None, testing.deployment("b", "right"))
    kept.autoscaler_changed(None, testing.autoscaler(target="a"))
    kept.autoscaler_changed(testing.autoscaler(target="a"), testing.autoscaler(target="b"))
    assert (kept.knows("left"), kept.knows("right")) == (False, True)
    kept.target_changed(DEPLOYMENT, testing.deployment("a", "left"), testing.deployment("a", "again"))
    assert not kept.knows("again")


def test_all_autoscalers_of_a_model_and_it_wakes_if_one_does() -> None:
    kept = book.Book()
    kept.target_changed(resources.STORM_SERVICE, None, testing.storm_service(prefill="demo", decode="demo"))
    storm: dict[str, Any] = {"kind": resources.STORM_SERVICE, "target": "demo"}
    prefill = testing.autoscaler("prefill", subTargetSelector={"roleName": "prefill"}, minReplicas=1, **storm)
    decode = testing.autoscaler("decode", subTargetSelector={"roleName": "decode"}, **storm)
    kept.autoscaler_changed(None, prefill)
    assert (kept.knows("demo"), kept.wakes("demo")) == (True, False)
    kept.autoscaler_changed(None, decode)
    assert keys(kept, "demo") == ["decode", "prefill"]
    assert kept.wakes("demo")
    kept.autoscaler_changed(decode, None)
    assert (kept.knows("demo"), kept.wakes("demo")) == (True, False)


def test_one_that_is_going_is_gone() -> None:
    kept = book.Book()
    kept.target_changed(DEPLOYMENT, None, testing.deployment())
    kept.autoscaler_changed(None, testing.autoscaler())
    going = testing.autoscaler()
    going["metadata"]["deletionTimestamp"] = testing.MADE
    kept.autoscaler_changed(testing.autoscaler(), going)
    assert not kept.knows("demo")
    kept.autoscaler_changed(going, None)
    assert kept.models() == {}


def test_an_autoscaler_that_names_its_model_needs_no_target() -> None:
    kept = book.Book()
    widget = resources.ResourceType("example.com", "v1", "widgets", "Widget")
    kept.autoscaler_changed(None, testing.autoscaler(kind=widget, labels={names.MODEL_NAME: "odd"}))
    assert kept.wakes("odd")


steps = st.lists(
    st.tuples(st.booleans(), st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from(["put", "drop"])),
    max_size=40,
)


@given(steps)
def test_any_course_ends_as_if_only_its_end_had_come(course: list[tuple[bool, str, str, str]]) -> None:
    """Targets and autoscalers come, change and go; the book is the one that somebody would keep who saw only what is left."""
    kept, left = book.Book(), (dict[str, resources.Object](), dict[str, resources.Object]())
    for is_target, name, other, action in course:
        held = left[is_target]
        old = held.pop(name, None)
        new = None
        if action == "put":
            made = testing.deployment(name, f"model-{other}") if is_target else testing.autoscaler(name, other)
            new = held[name] = made
        if old is None and new is None:
            continue
        if is_target:
            kept.target_changed(DEPLOYMENT, copy.deepcopy(old), copy.deepcopy(new))
        else:
            kept.autoscaler_changed(copy.deepcopy(old), copy.deepcopy(new))
    fresh = book.Book()
    for each in left[0].values():
        fresh.autoscaler_changed(None, each)
    for each in left[1].values():
        fresh.target_changed(DEPLOYMENT, None, each)
    assert {model: set(found) for model, found in kept.models().items()} == {
        model: set(found) for model, found in fresh.models().items()
    }
    assert all(found for found in kept.models().values())
    assert {meta.name(each) for each in left[0].values()} >= {key.name for m in kept.models().values() for key in m}
