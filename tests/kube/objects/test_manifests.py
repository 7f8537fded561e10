from __future__ import annotations

import pytest

from brickyard.kube.objects import manifests

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"


def test_documents_and_lists_are_flattened() -> None:
    nested = '{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}]}'
    found = manifests.parse(f"---\n{POD}---\n---\n{nested}\n", "x.yaml")
    assert [(each["kind"], each["metadata"]["name"]) for each in found] == [("Pod", "a"), ("Node", "n")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "x.yaml is not valid YAML"),
        ("", "holds no object"),
        ("- 1", "not a list"),
        ("hello", "not a text"),
        ("kind: Pod\nmetadata: {name: a}", "apiVersion is missing"),
        ("apiVersion: v1\nmetadata: {name: a}", "kind is missing"),
        ("apiVersion: v1\nkind: 3\nmetadata: {name: a}", "kind is missing"),
        ("apiVersion: v1\nkind: Pod", "Pod has no metadata.name"),
        ("apiVersion: v1\nkind: Pod\nmetadata: []", "Pod has no metadata.name"),
        (POD + "---\napiVersion: v1\nkind: Pod\nmetadata: {}", "document 2: Pod has no metadata.name"),
        ("apiVersion: v1\nkind: List\nitems: [7]", "item 0: a manifest is a mapping"),
        ("!!python/object:os.system {}", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(manifests.ManifestError, match=said):
        manifests.parse(text, "x.yaml")
