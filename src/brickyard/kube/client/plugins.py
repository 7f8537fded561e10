"""Exec credential plug-ins: a program named in the kubeconfig prints credentials (``client.authentication.k8s.io``).

What EKS, GKE, AKS, OIDC logins and Teleport use. A plug-in gives a token, a client certificate, or both. They are kept until they
expire or the API answers 401; one program runs at a time, within a deadline.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pathlib
import ssl
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Never

import httpx2
import orjson

from brickyard.kube.client import errors
from brickyard.lib import clock, timestamps

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
MODES = ("Never", "IfAvailable", "Always")
DEADLINE = 60.0
"""Seconds for a program that runs by itself."""
PATIENCE = 600.0
"""Seconds for one that may ask a person."""
_EARLY = 10.0
"""Seconds before its expiry from which a credential is not used any more."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plugin:
    """What a kubeconfig says of a plug-in. ``cluster`` is told to it, None where it did not ask (``provideClusterInfo``)."""

    api_version: str
    command: str
    args: Sequence[str] = ()
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    install_hint: str = ""
    mode: str = "IfAvailable"
    cluster: Mapping[str, Any] | None = None

    @classmethod
    def parse(cls, raw: Mapping[str, Any], cluster: Mapping[str, Any]) -> Plugin:
        """A user's ``exec``; ``cluster`` is what it is told where it asks.

        Raises:
            KubeconfigError: it speaks a version, or wants a mode, that is not known.
            KeyError, TypeError: a part is missing or of another type.
        """
        found = cls(
            api_version=str(raw["apiVersion"]),
            command=str(raw["command"]),
            args=tuple(map(str, raw.get("args") or ())),
            environment={str(each["name"]): str(each["value"]) for each in raw.get("env") or ()},
            install_hint=str(raw.get("installHint") or ""),
            mode=str(raw.get("interactiveMode") or "IfAvailable"),
            cluster=dict(cluster) if raw.get("provideClusterInfo") else None,
        )
        if found.api_version not in VERSIONS:
            raise errors.KubeconfigError(
                f"the credential plug-in {found.command} speaks {found.api_version}; known are {', '.join(VERSIONS)}"
            )
        if found.mode not in MODES:
            raise errors.KubeconfigError(
                f"interactiveMode of {found.command} is {found.mode!r}, not {', '.join(MODES)}"
            )
        return found


@dataclasses.dataclass(frozen=True, slots=True)
class _Credential:
    token: str
    certificate: str
    key: str
    expires: float


class ExecAuth(httpx2.Auth):
    """Adds the plug-in's token to requests and its client certificate to ``tls``.

    ``renewed``, where it is set, is awaited after another certificate was put into ``tls``: connections made with the one before
    must go.
    """

    def __init__(self, plugin: Plugin, tls: ssl.SSLContext, clock_: clock.Clock | None = None) -> None:
        self.plugin = plugin
        self._tls = tls
        self._clock = clock_ or clock.SystemClock()
        self._held: _Credential | None = None
        self._lock = asyncio.Lock()
        self.renewed: list[Callable[[], Awaitable[None]]] = []

    def sync_auth_flow(self, request: httpx2.Request) -> Never:
        raise NotImplementedError("credential plug-ins serve the async client only")

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        used = await self._current(refused=None)
        _authorize(request, used)
        response = yield request
        if response.status_code == 401:
            _authorize(request, await self._current(refused=used))
            yield request

    async def _current(self, refused: _Credential | None) -> _Credential:
        async with self._lock:
            held = self._held
            # Whoever waited for the lock finds what the one before it fetched.
            if held is None or held is refused or self._clock.wall() >= held.expires - _EARLY:
                held = await self._fetch(held)
            return held

    async def _fetch(self, before: _Credential | None) -> _Credential:
        found = _credential(await self._output(), self.plugin.command)
        if found.certificate and (before is None or found.certificate != before.certificate):
            _load(self._tls, found, self.plugin.command)
            if before is not None:
                for renew in self.renewed:
                    await renew()
        self._held = found
        return found

    async def _output(self) -> bytes:
        plugin = self.plugin
        interactive = self._interactive()
        spec: dict[str, Any] = {"interactive": interactive}
        if plugin.cluster is not None:
            spec["cluster"] = plugin.cluster
        info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
        environment = {**os.environ, **plugin.environment, "KUBERNETES_EXEC_INFO": orjson.dumps(info).decode()}
        pipe = asyncio.subprocess.PIPE
        # One that may ask a person speaks to them on its standard error.
        reads, complains = (None, None) if interactive else (asyncio.subprocess.DEVNULL, pipe)
        try:
            process = await asyncio.create_subprocess_exec(
                plugin.command, *plugin.args, env=environment, stdin=reads, stdout=pipe, stderr=complains
            )
        except OSError as error:
            raise self._refusal(f"did not start: {error.strerror}") from error
        limit = PATIENCE if interactive else DEADLINE
        try:
            async with asyncio.timeout(limit):
                out, complaint = await process.communicate()
        except TimeoutError as error:
            raise self._refusal(f"took more than {limit:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            words = (complaint or b"").decode(errors="replace").strip()[-500:]
            raise self._refusal(f"failed ({process.returncode}): {words}")
        return bytes(out)

    def _interactive(self) -> bool:
        """Whether the plug-in may ask the person at the terminal."""
        if self.plugin.mode == "Never":
            return False
        there = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
        if self.plugin.mode == "Always" and not there:
            raise self._refusal("wants to ask a person (interactiveMode: Always), and there is no terminal")
        return there

    def _refusal(self, problem: str) -> errors.Unauthorized:
        refusal = errors.Unauthorized(f"the credential plug-in {self.plugin.command} {problem}")
        refusal.hint = self.plugin.install_hint
        return refusal


def _authorize(request: httpx2.Request, held: _Credential) -> None:
    if held.token:
        request.headers["Authorization"] = f"Bearer {held.token}"


def _credential(output: bytes, command: str) -> _Credential:
    try:
        status = orjson.loads(output)["status"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise errors.Unauthorized(f"the credential plug-in {command} printed no ExecCredential") from error
    found = status if isinstance(status, dict) else {}
    token, certificate, key = (
        each if isinstance(each := found.get(name), str) else ""
        for name in ("token", "clientCertificateData", "clientKeyData")
    )
    if bool(certificate) != bool(key):
        raise errors.Unauthorized(f"the credential plug-in {command} gave only one of certificate and key")
    if not token and not certificate:
        raise errors.Unauthorized(f"the credential plug-in {command} gave neither a token nor a client certificate")
    try:
        expires = _expires(found.get("expirationTimestamp"), certificate)
    except (ValueError, TypeError) as error:
        raise errors.Unauthorized(f"what the credential plug-in {command} gave cannot be read: {error}") from error
    return _Credential(token, certificate, key, expires)


def _expires(timestamp: object, certificate: str) -> float:
    """Unix seconds: what the plug-in says, else the certificate's own end."""
    if timestamp:
        return timestamps.parse_rfc3339(str(timestamp))
    if certificate:
        from cryptography import x509  # noqa: PLC0415 - 20 ms of every command's start, for the few plug-ins that need it

        return x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc.timestamp()
    return float("inf")


def _load(tls: ssl.SSLContext, held: _Credential, command: str) -> None:
    """Handshakes from here on show this certificate."""
    # OpenSSL reads keys from files only; this one lives for the length of the call and is readable by its owner only.
    with tempfile.TemporaryDirectory(prefix="brickyard-tls-") as folder:
        path = pathlib.Path(folder) / "pair.pem"
        path.write_text(f"{held.certificate.rstrip()}\n{held.key.rstrip()}\n")
        try:
            tls.load_cert_chain(path)
        except ssl.SSLError as error:
            raise errors.Unauthorized(
                f"the credential plug-in {command} gave a certificate that is not usable: {error.reason}"
            ) from error
