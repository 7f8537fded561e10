from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.objects import names, revision

TEMPLATE = {
    "metadata": {"labels": {"app": "web", "tier": "a"}},
    "spec": {"containers": [{"name": "c", "image": "i:1"}]},
}


def test_the_hash_is_the_same_in_every_run() -> None:
    assert revision.pod_template_hash(TEMPLATE) == revision.pod_template_hash(TEMPLATE, None)
    assert revision.pod_template_hash({}) == "67dns75th6"


def test_the_order_of_keys_does_not_matter() -> None:
    turned = {"spec": TEMPLATE["spec"], "metadata": {"labels": {"tier": "a", "app": "web"}}}
    assert revision.pod_template_hash(turned) == revision.pod_template_hash(TEMPLATE)


def test_null_is_absence() -> None:
    assert revision.pod_template_hash({**TEMPLATE, "extra": None}) == revision.pod_template_hash(TEMPLATE)


def test_a_collision_moves_on() -> None:
    hashes = {revision.pod_template_hash(TEMPLATE, count) for count in (None, 0, 1, 2)}
    assert len(hashes) == 4


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers(0, 2) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


@given(template=st.dictionaries(st.sampled_from("xy"), VALUES))
def test_it_is_legal_in_names_and_labels(template: dict[str, Any]) -> None:
    text = revision.pod_template_hash(template)
    assert names.is_dns_label(text)
    assert names.is_label_value(text)


@given(left=VALUES, right=VALUES)
def test_different_templates_have_different_hashes(left: Any, right: Any) -> None:
    # Through JSON text, where 1, 1.0 and true are three things and not one as in Python.
    same = repr(left) == repr(right)
    if same or left != right:
        assert (revision.pod_template_hash({"v": left}) == revision.pod_template_hash({"v": right})) is same


# Published test vectors of the two functions.
@pytest.mark.parametrize(
    ("data", "fnv1", "fnv1a"),
    [(b"", 0x811C9DC5, 0x811C9DC5), (b"a", 0x050C5D7E, 0xE40C292C), (b"foobar", 0x31F0B262, 0xBF9CF968)],
)
def test_fnv(data: bytes, fnv1: int, fnv1a: int) -> None:
    assert revision.fnv1_32(data) == fnv1
    assert revision.fnv1a_32(data) == fnv1a


def test_digits_become_letters_that_spell_nothing() -> None:
    # FNV-1a of b"1" is 873244444; 8, 7, 3, 2, 4, 4 are the characters 56, 55, 51, 50, 52, 52.
    assert revision.fnv1a_32(b"1") == 873244444
    assert revision.short_hash(1) == "".join("bcdfghjklmnpqrstvwxz2456789"[ord(each) % 27] for each in "873244")


@given(
    st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.text(max_size=5)),
    st.none() | st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_a_short_hash_is_six_characters_and_always_the_same(
    template: dict[str, Any], count: int | None, fnv1: bool
) -> None:
    found = revision.short_hash(template, count, fnv1=fnv1)
    assert re.fullmatch("[a-z0-9]{6}", found)
    assert revision.short_hash(dict(reversed(template.items())), count, fnv1=fnv1) == found


def test_a_short_hash_changes_with_what_it_is_of() -> None:
    template = {"spec": {"replicas": 42}}
    assert revision.short_hash(template) != revision.short_hash({"spec": {"replicas": 43}})
    counts = [revision.short_hash(template, each) for each in (None, 0, 1, 2, 256)]
    assert len(set(counts)) == len(counts)
    assert revision.short_hash(template) != revision.short_hash(template, fnv1=True)
    assert revision.short_hash({"a": None}) == revision.short_hash({})
