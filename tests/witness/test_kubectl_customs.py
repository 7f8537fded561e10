"""kubectl and custom kinds: defined, explained, validated, applied, scaled, shown, and gone with their definition."""

from __future__ import annotations

import json

import pytest
from tests.witness import cluster as clusters
from tests.witness import manifests

pytestmark = pytest.mark.slow

Kubectl = clusters.Kubectl


@pytest.fixture
def group(kubectl: Kubectl) -> str:
    """A group of the test's own, with gadgets in it."""
    name = f"{kubectl.namespace}.example.com"
    kubectl.apply(manifests.gadgets(name))
    kubectl.says("wait", "--for=condition=Established", f"crd/gadgets.{name}", "--timeout=10s")
    return name


def test_definition_and_object_in_one_go(kubectl: Kubectl, group: str) -> None:
    gadgets = f"gadgets.{group}"
    assert kubectl.apply(manifests.gadget(group, "g")) == f"gadget.{group}/g created\n"
    assert kubectl.apply(manifests.gadget(group, "g")) == f"gadget.{group}/g unchanged\n"
    assert kubectl.path(f"{gadgets}/g", ".spec.colour") == "red"
    header, row = kubectl("get", gadgets, "-o", "wide").rows
    assert (header, row[:3]) == (["NAME", "SIZE", "COLOUR", "AGE"], ["g", "3", "red"])
    assert kubectl("get", gadgets).rows[0] == ["NAME", "SIZE", "AGE"]
    kubectl.says("scale", f"{gadgets}/g", "--replicas=4")
    assert kubectl.path(f"{gadgets}/g", ".spec.replicas") == "4"
    kubectl.says("patch", gadgets, "g", "--subresource=status", "--type=merge", "-p", '{"status":{"replicas":4}}')
    assert kubectl.path(f"{gadgets}/g", ".status.replicas") == "4"
    assert "Size:      3" in kubectl.says("describe", gadgets, "g")
    kubectl.says("delete", "crd", gadgets)
    assert "the server doesn't have a resource type" in kubectl.refused("get", gadgets)


def test_explaining(kubectl: Kubectl, group: str) -> None:
    told = kubectl.says("explain", "gadgets.spec", f"--api-version={group}/v1")
    assert "What is wanted of it." in told
    assert "size\t<integer>\n    Its size in hands." in told
    tree = kubectl.says("explain", "gadgets", f"--api-version={group}/v1", "--recursive")
    assert "enum: red, green" in tree
    assert "weight\t<integer>" in tree
    assert "metadata\t<ObjectMeta>" in tree


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{size: 0}", "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"),
        ("{size: 500}", "spec.size: Invalid value: 500: spec.size in body should be less than or equal to 100"),
        ('{size: "3"}', 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'),
        ("{colour: blue}", 'spec.colour: Unsupported value: "blue": supported values: "red", "green"'),
        ("{size: 13}", "thirteen is unlucky"),
        ("{parts: [{weight: 1}]}", "spec.parts[0].name: Required value"),
        ("{parts: [{name: a}, {name: a}]}", 'spec.parts[1]: Duplicate value: {"name":"a"}'),
        ("{sise: 3}", 'unknown field "spec.sise"'),
        ("null", "spec: Required value"),
    ],
)
def test_refusals_name_the_field(cluster: clusters.Cluster, spec: str, message: str) -> None:
    kubectl = cluster.kubectl()
    group = "refusals.example.com"
    kubectl.apply(manifests.gadgets(group))
    kubectl.says("wait", "--for=condition=Established", f"crd/gadgets.{group}", "--timeout=10s")
    assert message in kubectl.refused("create", "-f", "-", stdin=manifests.gadget(group, "g", spec))


def test_server_side_apply_of_keyed_lists(kubectl: Kubectl, group: str) -> None:
    gadgets = f"gadgets.{group}"
    first = manifests.gadget(group, "g", "{parts: [{name: a, weight: 1}, {name: b, weight: 2}]}")
    second = manifests.gadget(group, "g", "{parts: [{name: c, weight: 3}]}")
    kubectl.apply(first, "--server-side")
    kubectl.apply(second, "--server-side", "--field-manager=other")
    kubectl.apply(manifests.gadget(group, "g", "{parts: [{name: a, weight: 5}]}"), "--server-side")
    assert json.loads(kubectl.path(f"{gadgets}/g", ".spec.parts")) == [
        {"name": "a", "weight": 5},
        {"name": "c", "weight": 3},
    ]
    clash = manifests.gadget(group, "g", "{parts: [{name: a, weight: 9}]}")
    refused = kubectl.refused("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=clash)
    assert '.spec.parts[name="a"].weight' in refused


def test_free_fields_and_numbers_or_words(kubectl: Kubectl, group: str) -> None:
    gadgets = f"gadgets.{group}"
    for port in ("80", '"http"'):
        kubectl.apply(manifests.gadget(group, "g", f"{{port: {port}, free: {{any: [1, {{thing: true}}]}}}}"))
        assert kubectl.path(f"{gadgets}/g", ".spec.port") == port.strip('"')
    assert json.loads(kubectl.path(f"{gadgets}/g", ".spec.free")) == {"any": [1, {"thing": True}]}
    assert "spec.port" in kubectl.refused("apply", "-f", "-", stdin=manifests.gadget(group, "g", "{port: true}"))


def test_a_definition_that_cannot_be_is_refused(kubectl: Kubectl) -> None:
    bad = manifests.gadgets("bad.example.com").replace("name: gadgets.bad", "name: other.bad")
    assert "metadata.name: Invalid value" in kubectl.refused("create", "-f", "-", stdin=bad)
    shapeless = manifests.gadgets("bad.example.com").replace("size: {type: integer,", "size: {")
    assert "must not be empty for specified object fields" in kubectl.refused("create", "-f", "-", stdin=shapeless)
    unruly = manifests.gadgets("bad.example.com").replace("self.size != 13", "self.nothing != 13")
    assert "nothing" in kubectl.refused("create", "-f", "-", stdin=unruly)


def test_our_kinds_teach(kubectl: Kubectl) -> None:
    names = kubectl.says("api-resources", "-o", "name").split()
    ours = [name for name in names if name.endswith(".aibrix.ai")]
    assert len(ours) == 9
    for name in ours:
        told = kubectl.says("explain", f"{name.partition('.')[0]}.spec")
        assert "<empty>" not in told
        assert "FIELDS:" in told
