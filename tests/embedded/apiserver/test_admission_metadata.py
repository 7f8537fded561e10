"""Rules that every kind shares."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.apiserver import builtin_kinds
from brickyard.embedded.apiserver.admission import metadata, testing

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "1"}

ROWS: list[tuple[str, Any, list[str]]] = [
    # path under metadata, value, beginnings of the complaints
    ("name", "a.b-c", []),
    ("name", "A", ['metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of']),
    ("name", "a" * 254, [f'metadata.name: Invalid value: "{"a" * 254}": must be no more than 253 bytes']),
    ("name", "", ["metadata.name: Required value: name or generateName is required"]),
    ("namespace", "", ["metadata.namespace: Required value"]),
    ("namespace", "a.b", ['metadata.namespace: Invalid value: "a.b": a lowercase RFC 1123 label must consist of']),
    ("labels", {"example.com/tier": "", "ok": "Va-l_u.e"}, []),
    ("labels", {"-bad": "x"}, ['metadata.labels: Invalid value: "-bad": name part must consist of']),
    ("labels", {"/x": "y"}, ['metadata.labels: Invalid value: "/x": prefix part must be non-empty']),
    ("labels", {"A/x": "y"}, ['metadata.labels: Invalid value: "A/x": prefix part a lowercase RFC 1123 subdomain']),
    ("labels", {"a/": "y"}, ['metadata.labels: Invalid value: "a/": name part must be non-empty;']),
    (
        "labels",
        {"a" * 64: "y"},
        [f'metadata.labels: Invalid value: "{"a" * 64}": name part must be no more than 63 bytes'],
    ),
    ("labels", {"k": "not ok"}, ['metadata.labels: Invalid value: "not ok": a valid label must be an empty string or']),
    ("labels", {"k": "v" * 64}, [f'metadata.labels: Invalid value: "{"v" * 64}": must be no more than 63 bytes']),
    ("annotations", {"Example.com/A": "anything at all\n"}, []),
    ("annotations", {"no spaces": ""}, ['metadata.annotations: Invalid value: "no spaces": name part must consist of']),
    ("annotations", {"k": "v" * 262144}, ["metadata.annotations: Too long: may not be more than 262144 bytes"]),
    ("finalizers", ["example.com/f", "foregroundDeletion"], []),
    ("finalizers", ["plain"], ['metadata.finalizers[0]: Invalid value: "plain": name is neither a standard finalizer']),
    ("finalizers", ["a b/c"], ['metadata.finalizers[0]: Invalid value: "a b/c": prefix part']),
    ("ownerReferences", [OWNER, {**OWNER, "controller": True}], []),
    (
        "ownerReferences",
        [{**OWNER, "uid": ""}],
        ['metadata.ownerReferences[0].uid: Invalid value: "": uid must not be'],
    ),
    ("ownerReferences", [{**OWNER, "apiVersion": ""}], ['metadata.ownerReferences[0].apiVersion: Invalid value: ""']),
    ("generateName", "web-", []),
    ("generateName", "Web-", ['metadata.generateName: Invalid value: "Web-"']),
]


@pytest.mark.parametrize(("path", "value", "expected"), ROWS)
def test_one_thing_wrong(path: str, value: Any, expected: list[str]) -> None:
    found = testing.complaints(builtin_kinds.CONFIG_MAP, testing.bent(CONFIG_MAP, f"metadata.{path}", value))
    assert len(found) == len(expected), found
    for complaint, beginning in zip(found, expected, strict=True):
        assert complaint.startswith(beginning)


def test_everything_wrong_is_said_at_once() -> None:
    obj = testing.bent(testing.bent(CONFIG_MAP, "metadata.name", "A"), "metadata.labels", {"-": "-"})
    assert len(testing.complaints(builtin_kinds.CONFIG_MAP, obj)) == 3


def test_two_controllers_are_one_too_many() -> None:
    owners = [{**OWNER, "controller": True}, {**OWNER, "name": "s", "uid": "2", "controller": True}]
    (found,) = testing.complaints(
        builtin_kinds.CONFIG_MAP, testing.bent(CONFIG_MAP, "metadata.ownerReferences", owners)
    )
    assert found.startswith("metadata.ownerReferences: Invalid value: ")
    assert found.endswith(
        'Only one reference can have Controller set to true. Found "true" in references for ReplicaSet/r and ReplicaSet/s'
    )


def test_a_cluster_wide_object_has_no_namespace() -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "namespace": "default"}}
    assert testing.complaints(builtin_kinds.NODE, node) == ["metadata.namespace: Forbidden: not allowed on this type"]


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (metadata.dns_label, "a-1", "a.b"),
        (metadata.dns1035_label, "a-1", "1-a"),
        (metadata.dns_subdomain, "1.a-b", "a..b"),
        (metadata.path_segment, "Any:thing", "a/b"),
        (metadata.path_segment, "...", ".."),
        (metadata.qualified_name, "example.com/Name_1", "a/b/c"),
        (metadata.label_value, "", "-"),
    ],
)
def test_name_rules(rule: metadata.NameRule, good: str, bad: str) -> None:
    assert rule(good) == ""
    assert rule(bad)


@given(st.text(max_size=300))
def test_every_text_is_judged_by_every_rule(text: str) -> None:
    rules = (
        metadata.dns_label,
        metadata.dns1035_label,
        metadata.dns_subdomain,
        metadata.qualified_name,
        metadata.label_value,
    )
    label, letter_first, subdomain, qualified, value = (rule(text) == "" for rule in rules)
    assert not label or (subdomain and qualified and value)
    assert not letter_first or label
