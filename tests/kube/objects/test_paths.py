from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.objects import paths

OBJ = {"spec": {"replicas": 0, "empty": None, "list": [1]}, "metadata": {"labels": {"model.aibrix.ai/name": "qwen"}}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.replicas", 0),
        (".spec.replicas", 0),
        ("spec.empty", "absent"),
        ("spec.nothing", "absent"),
        ("spec.replicas.deeper", "absent"),
        ("spec.list.0", "absent"),
        ("nothing.at.all", "absent"),
        (r"metadata.labels.model\.aibrix\.ai/name", "qwen"),
        ("spec.list", [1]),
    ],
)
def test_reading(path: str, value: Any) -> None:
    assert paths.get(OBJ, path, "absent") == value


def test_writing_leaves_the_rest() -> None:
    before = copy.deepcopy(OBJ)
    changed = paths.put(OBJ, ".spec.replicas", 3)
    assert changed["spec"] == {"replicas": 3, "empty": None, "list": [1]}
    assert changed["metadata"] is OBJ["metadata"]
    assert before == OBJ


def test_writing_makes_the_way() -> None:
    assert paths.put({}, "a.b.c", 1) == {"a": {"b": {"c": 1}}}
    assert paths.put({"a": "text"}, "a.b", 1) == {"a": {"b": 1}}


def test_removing() -> None:
    assert paths.without({"a": {"b": 1, "c": 2}}, "a.b") == {"a": {"c": 2}}
    assert paths.without({"a": {"b": 1}}, "a.x") == {"a": {"b": 1}}
    assert paths.without({"a": 1}, "a.b.c") == {"a": 1}
    assert paths.without({}, "a.b") == {}


KEYS = st.lists(st.text(alphabet="ab./\\", min_size=1, max_size=4), min_size=1, max_size=4)


@given(keys=KEYS, value=st.integers())
def test_what_is_put_is_got_and_can_be_taken_away(keys: list[str], value: int) -> None:
    path = ".".join(key.replace("\\", "\\\\").replace(".", "\\.") for key in keys)
    assert paths.split(path) == tuple(keys)
    held = paths.put({"other": 1}, path, value)
    assert paths.get(held, path) == value
    assert paths.get(paths.without(held, path), path) is None
    assert held["other"] == 1
