"""From what people write to where it is served: kinds in manifests, words on a command line.

The API is asked (discovery), so that kinds which came with a CustomResourceDefinition are found like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.client import errors, rest
from brickyard.lib import errors as roots

CORE = "v1"


class UnknownKind(roots.UsageError):
    """The API serves no such kind."""


class Mapper:
    """Asks one API what it serves; each group once."""

    def __init__(self, client: rest.RestClient) -> None:
        self._client = client
        self._groups: dict[str, list[dict[str, Any]]] = {}

    async def of_kind(self, api_version: str, kind: str) -> resources.ResourceType:
        """The type of a manifest that says ``apiVersion`` and ``kind``.

        Raises:
            UnknownKind: nothing of that name is served.
        """
        try:
            served = await self._served(api_version)
        except errors.NotFound:
            served = []
        for each in served:
            if each["kind"] == kind and "/" not in each["name"]:
                return _type(api_version, each)
        hint = "check apiVersion and kind; a custom kind needs its CustomResourceDefinition applied first"
        raise UnknownKind(f"no kind {kind!r} in {api_version!r} is served", hint=hint)

    async def of_word(self, word: str) -> resources.ResourceType:
        """The type people mean by ``pods``, ``pod``, ``po``, ``Pod`` or ``pods.apps``.

        Raises:
            UnknownKind: nothing of that name is served.
        """
        wanted = word.lower()
        for api_version in await self._api_versions():
            for each in await self._served(api_version):
                if "/" not in each["name"] and wanted in _words(api_version, each):
                    return _type(api_version, each)
        hint = "`kubectl api-resources` lists what is served"
        raise UnknownKind(f"no kind is called {word!r}", hint=hint)

    async def _api_versions(self) -> list[str]:
        groups = (await self._client.read("/apis"))["groups"]
        return [CORE, *(group["preferredVersion"]["groupVersion"] for group in groups)]

    async def _served(self, api_version: str) -> list[dict[str, Any]]:
        if api_version not in self._groups:
            path = f"/api/{api_version}" if api_version == CORE else f"/apis/{api_version}"
            self._groups[api_version] = (await self._client.read(path))["resources"]
        return self._groups[api_version]


def _words(api_version: str, each: dict[str, Any]) -> Iterator[str]:
    group = api_version.rpartition("/")[0]
    for name in (each["name"], each.get("singularName", ""), each["kind"].lower()):
        yield name
        yield f"{name}.{group}"
    yield from each.get("shortNames") or ()


def _type(api_version: str, each: dict[str, Any]) -> resources.ResourceType:
    group, _, version = api_version.rpartition("/")
    return resources.ResourceType(group, version, each["name"], each["kind"], each["namespaced"])
