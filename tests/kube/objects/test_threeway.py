from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.objects import patch, threeway


def manifest(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec}


def applied(**spec: Any) -> dict[str, Any]:
    return threeway.with_last_applied(manifest(**spec))


@pytest.mark.parametrize(
    ("before", "now", "live_extra", "changes"),
    [
        # last applied      now                    what others added     the patch's spec
        ({"a": 1}, {"a": 1}, {}, None),
        ({"a": 1}, {"a": 2}, {}, {"a": 2}),
        ({"a": 1, "b": 1}, {"a": 1}, {}, {"b": None}),
        ({"a": 1}, {"a": 1}, {"c": 3}, None),
        ({"m": {"x": 1, "y": 1}}, {"m": {"x": 1}}, {}, {"m": {"y": None}}),
        ({"l": [1, 2]}, {"l": [1]}, {}, {"l": [1]}),
    ],
)
def test_what_is_named_is_set_and_what_was_named_goes(
    before: dict[str, Any], now: dict[str, Any], live_extra: dict[str, Any], changes: dict[str, Any] | None
) -> None:
    live = applied(**before)
    live["spec"].update(live_extra)
    assert threeway.patch(live, manifest(**now)).get("spec") == changes


def test_nothing_to_change_is_an_empty_patch() -> None:
    assert threeway.patch(applied(a=1), manifest(a=1)) == {}


def test_defaults_filled_into_a_list_are_no_difference() -> None:
    live = applied(containers=[{"name": "c", "image": "i"}])
    live["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    assert threeway.patch(live, manifest(containers=[{"name": "c", "image": "i"}])) == {}


def test_an_object_made_another_way_loses_nothing() -> None:
    live = manifest(a=1, b=2)
    changes = threeway.patch(live, manifest(a=5))
    assert changes["spec"] == {"a": 5}
    assert threeway.LAST_APPLIED in changes["metadata"]["annotations"]


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_spoilt_annotation_counts_as_none(text: str) -> None:
    live = manifest(a=1)
    live["metadata"]["annotations"] = {threeway.LAST_APPLIED: text}
    assert threeway.last_applied(live) == {}


VALUES = st.recursive(
    st.integers(0, 3), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=6
)
SPECS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


@given(SPECS, SPECS, st.dictionaries(st.sampled_from("wxyz"), st.integers(), max_size=3))
def test_after_the_patch_the_manifest_holds_and_others_keep_theirs(
    before: dict[str, Any], now: dict[str, Any], foreign: dict[str, int]
) -> None:
    live = applied(**before)
    live["spec"].update(foreign)
    after = patch.merge_patch(copy.deepcopy(live), threeway.patch(live, manifest(**now)))
    own = {key: value for key, value in after["spec"].items() if key not in foreign}
    assert own == now
    assert {key: after["spec"][key] for key in foreign} == foreign
    assert threeway.patch(after, manifest(**now)) == {}, "applying twice changes nothing"


def test_true_is_another_value_than_one() -> None:
    live = {"spec": {"a": 1, "b": [0]}}
    changes = threeway.patch(live, {"spec": {"a": True, "b": [False]}})
    assert (changes["spec"]["a"], changes["spec"]["b"]) == (True, [False])
    assert type(changes["spec"]["a"]) is bool
