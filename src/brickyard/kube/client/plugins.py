"""Exec credential plug-ins: a program named in the kubeconfig prints a token (``client.authentication.k8s.io``).

What EKS, GKE, AKS and OIDC logins use. The token is kept until it expires or the API answers 401; one program runs at a time, within a
deadline.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import Any, Never

import httpx2
import orjson
from lightkube.config import models

from brickyard.kube.client import errors
from brickyard.lib import clock, timestamps

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
DEADLINE = 60.0
_EARLY = 10.0
"""Seconds before its expiry from which a token is not used any more."""


class ExecAuth(httpx2.Auth):
    """Adds the plug-in's bearer token to requests."""

    def __init__(self, plugin: models.UserExec, clock_: clock.Clock | None = None) -> None:
        if plugin.apiVersion not in VERSIONS:
            raise errors.KubeconfigError(
                f"the credential plug-in {plugin.command} speaks {plugin.apiVersion}; known are {', '.join(VERSIONS)}"
            )
        self._plugin = plugin
        self._clock = clock_ or clock.SystemClock()
        self._token = ""
        self._expires = float("inf")
        self._lock = asyncio.Lock()

    def sync_auth_flow(self, request: httpx2.Request) -> Never:
        raise NotImplementedError("credential plug-ins serve the async client only")

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        used = await self._current(refused="")
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code == 401:
            request.headers["Authorization"] = f"Bearer {await self._current(refused=used)}"
            yield request

    async def _current(self, refused: str) -> str:
        async with self._lock:
            # Whoever waited for the lock finds the token that the one before it fetched.
            if not self._token or self._token == refused or self._clock.wall() >= self._expires - _EARLY:
                await self._fetch()
            return self._token

    async def _fetch(self) -> None:
        status = _status(await self._output(), self._plugin.command)
        self._token = status["token"]
        expiry = status.get("expirationTimestamp")
        self._expires = timestamps.parse_rfc3339(expiry) if expiry else float("inf")

    async def _output(self) -> bytes:
        command = self._plugin.command
        info = {"apiVersion": self._plugin.apiVersion, "kind": "ExecCredential", "spec": {"interactive": False}}
        given = {each.name: each.value for each in self._plugin.env or ()}
        environment = {**os.environ, **given, "KUBERNETES_EXEC_INFO": orjson.dumps(info).decode()}
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                command, *(self._plugin.args or ()), env=environment, stdin=nothing, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            raise errors.Unauthorized(f"the credential plug-in {command} did not start: {error.strerror}") from error
        try:
            async with asyncio.timeout(DEADLINE):
                out, complaint = await process.communicate()
        except TimeoutError as error:
            raise errors.Unauthorized(f"the credential plug-in {command} took more than {DEADLINE:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            words = complaint.decode(errors="replace").strip()[-500:]
            raise errors.Unauthorized(f"the credential plug-in {command} failed ({process.returncode}): {words}")
        return out


def _status(output: bytes, command: str) -> dict[str, Any]:
    try:
        status = orjson.loads(output)["status"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise errors.Unauthorized(f"the credential plug-in {command} printed no ExecCredential") from error
    if not isinstance(status, dict) or not isinstance(status.get("token"), str):
        raise errors.Unauthorized(
            f"the credential plug-in {command} gave no token; client certificates from plug-ins are not supported"
        )
    return status
