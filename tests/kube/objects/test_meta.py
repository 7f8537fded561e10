from __future__ import annotations

import pytest

from brickyard.kube.objects import meta


@pytest.mark.parametrize(
    "obj", [{}, {"metadata": None}, {"metadata": {}}, {"metadata": {"labels": None, "name": None}}]
)
def test_absent_fields_are_empty(obj: dict[str, object]) -> None:
    assert meta.key(obj) == ("", "")
    assert (meta.uid(obj), meta.resource_version(obj), meta.generation(obj)) == ("", "", 0)
    assert (dict(meta.labels(obj)), dict(meta.annotations(obj)), meta.finalizers(obj)) == ({}, {}, [])
    assert not meta.is_deleting(obj)


def test_fields_are_read() -> None:
    obj = {
        "metadata": {
            "name": "a",
            "namespace": "d",
            "uid": "u",
            "resourceVersion": "7",
            "generation": 2,
            "labels": {"x": "1"},
            "annotations": {"y": "2"},
            "finalizers": ["f"],
            "deletionTimestamp": "2026-01-01T00:00:00Z",
        }
    }
    assert str(meta.key(obj)) == "d/a"
    assert (meta.name(obj), meta.namespace(obj), meta.uid(obj), meta.resource_version(obj)) == ("a", "d", "u", "7")
    assert (meta.labels(obj), meta.annotations(obj), meta.generation(obj)) == ({"x": "1"}, {"y": "2"}, 2)
    assert meta.is_deleting(obj)


def test_finalizers_are_a_copy() -> None:
    obj = {"metadata": {"finalizers": ["f"]}}
    meta.finalizers(obj).append("g")
    assert obj == {"metadata": {"finalizers": ["f"]}}


def test_a_key_without_a_namespace_reads_as_its_name() -> None:
    assert str(meta.Key("", "node")) == "node"
