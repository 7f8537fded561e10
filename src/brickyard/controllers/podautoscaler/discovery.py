"""What the API serves under a kind's name: its path, and whether it has a scale."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import orjson

from brickyard.api.kinds import resources
from brickyard.controllers import errors
from brickyard.kube.client import contract
from brickyard.kube.client import errors as kube_errors

DEADLINE = 5.0
"""Seconds for one answer."""
LIMIT = 8 * 2**20
"""Most bytes of one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Served:
    """A kind that the API serves. ``scales``: it has a scale subresource."""

    type: resources.ResourceType
    scales: bool


class Discovery:
    """Asks one API. What was found once is remembered, what was not found is asked again."""

    def __init__(self, client: contract.Client) -> None:
        self._client = client
        self._found: dict[tuple[str, str], Served] = {}

    async def find(self, api_version: str, kind: str) -> Served:
        """What ``kind`` of ``api_version`` is.

        Raises:
            TargetError: nothing of that name is served, or the API gives no usable answer.
            KubeError: the API refuses.
        """
        key = (api_version, kind)
        if key not in self._found:
            self._found[key] = await self._ask(api_version, kind)
        return self._found[key]

    async def _ask(self, api_version: str, kind: str) -> Served:
        group, _, version = api_version.rpartition("/")
        try:
            page = await read(self._client, f"/apis/{api_version}" if group else f"/api/{version}")
        except kube_errors.NotFound:
            page = {}
        found = page.get("resources") or ()
        for each in found:
            if each["kind"] == kind and "/" not in each["name"]:
                made = resources.ResourceType(group, version, each["name"], kind, each["namespaced"])
                return Served(made, any(other["name"] == f"{each['name']}/scale" for other in found))
        raise errors.TargetError(f"no matches for kind {kind!r} in {api_version!r}: check scaleTargetRef.apiVersion")


async def read(client: contract.Client, path: str) -> dict[str, Any]:
    """The JSON object at ``path``.

    Raises:
        TargetError: the answer is too long or too late, or no JSON object.
        KubeError: the API refuses.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(DEADLINE):
            async for chunk in await client.stream(path, {}):
                body += chunk
                if len(body) > LIMIT:
                    raise errors.TargetError(f"the API's answer at {path} is too long")
        found = orjson.loads(body)
    except (TimeoutError, orjson.JSONDecodeError) as error:
        raise errors.TargetError(f"the API gives no usable answer at {path}") from error
    if not isinstance(found, dict):
        raise errors.TargetError(f"the API gives no object at {path}")
    return found
