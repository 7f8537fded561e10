"""Applying manifests and finding kinds, against a real API server."""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import testing
from brickyard.kube.client import applying, errors, mapping, rest


@pytest.fixture
async def client(tmp_path: pathlib.Path) -> AsyncIterator[rest.RestClient]:
    async with (
        testing.running(tmp_path) as server,
        rest.RestClient.from_kubeconfig(server.kubeconfig, strict=True) as client,
    ):
        yield client


def config(name: str = "a", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_applying_creates_then_changes_then_leaves_alone(client: rest.RestClient) -> None:
    mapper = mapping.Mapper(client)
    words = []
    for manifest in (config(x="1", y="1"), config(x="2"), config(x="2")):
        kind, applied = await applying.apply(client, mapper, manifest)
        words.append(applied.value)
    assert (kind, words) == (resources.CONFIG_MAP, ["created", "configured", "unchanged"])
    live = await client.get(resources.CONFIG_MAP, "a", "default")
    assert live["data"] == {"x": "2"}, "what the manifest no longer names is gone"


async def test_what_others_wrote_stays(client: rest.RestClient) -> None:
    mapper = mapping.Mapper(client)
    await applying.apply(client, mapper, config(x="1"))
    await client.patch(resources.CONFIG_MAP, ("default", "a"), {"data": {"theirs": "1"}})
    await applying.apply(client, mapper, config(x="2"))
    live = await client.get(resources.CONFIG_MAP, "a", "default")
    assert live["data"] == {"x": "2", "theirs": "1"}


async def test_a_namespace_is_given_to_what_names_none(client: rest.RestClient) -> None:
    mapper = mapping.Mapper(client)
    elsewhere = config("b")
    elsewhere["metadata"]["namespace"] = "kube-public"
    for manifest in (config("a"), elsewhere):
        await applying.apply(client, mapper, manifest, "aibrix-system")
    assert (await client.get(resources.CONFIG_MAP, "a", "aibrix-system"))["metadata"]["name"] == "a"
    assert (await client.get(resources.CONFIG_MAP, "b", "kube-public"))["metadata"]["name"] == "b"


async def test_a_cluster_wide_object_gets_no_namespace(client: rest.RestClient) -> None:
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mine"}}
    kind, applied = await applying.apply(client, mapping.Mapper(client), manifest)
    assert (kind, applied) == (resources.NAMESPACE, applying.Applied.CREATED)


async def test_a_field_that_is_not_there_is_refused(client: rest.RestClient) -> None:
    manifest = config("a") | {"dta": {}}
    with pytest.raises(errors.BadRequest, match='unknown field "dta"'):
        await applying.apply(client, mapping.Mapper(client), manifest)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("pods", resources.POD),
        ("pod", resources.POD),
        ("po", resources.POD),
        ("Pod", resources.POD),
        ("deploy", resources.DEPLOYMENT),
        ("deployments.apps", resources.DEPLOYMENT),
        ("ns", resources.NAMESPACE),
        ("mc", resources.ResourceType("model.aibrix.ai", "v1alpha1", "modelclaims", "ModelClaim")),
    ],
)
async def test_words_of_a_command_line(client: rest.RestClient, word: str, kind: resources.ResourceType) -> None:
    assert await mapping.Mapper(client).of_word(word) == kind


async def test_a_word_for_nothing(client: rest.RestClient) -> None:
    with pytest.raises(mapping.UnknownKind, match="no kind is called 'poods'") as caught:
        await mapping.Mapper(client).of_word("poods")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("api_version", ["v1", "apps/v1", "nowhere.example.com/v1"])
async def test_a_kind_that_is_not_served(client: rest.RestClient, api_version: str) -> None:
    with pytest.raises(mapping.UnknownKind, match="no kind 'Brick'") as caught:
        await mapping.Mapper(client).of_kind(api_version, "Brick")
    assert "CustomResourceDefinition" in caught.value.hint
