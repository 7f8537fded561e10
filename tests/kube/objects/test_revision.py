from __future__ import annotations

from typing import Any

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
