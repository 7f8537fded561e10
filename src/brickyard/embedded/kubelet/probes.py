"""Probes and life-cycle handlers: one HTTP request, one connection, one gRPC call, one command, or a sleep.

Answers are worded as the kubelet words them, because people search for those words. A request over HTTP follows redirects as the
kubelet does: to the same host, ten at most; one to another host is a success, since it was this one that answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import signal
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import httpx2

from brickyard.embedded.kubelet import errors, grpcprobe, processes, procfs

OUTPUT_LIMIT = 10 * 1024
"""Bytes of an answer that are read; the rest is not waited for."""
MOST_REDIRECTS = 10
_DEFAULT_HEADERS = {"User-Agent": "kube-probe/brickyard", "Accept": "*/*"}


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came of it. ``message`` is for people, and empty when there is nothing to tell."""

    success: bool
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """The container that is spoken to.

    Attributes:
        address: the pod's. ``ports``: the container's named ports.
        env, cwd, mark: of its process, for commands. ``localize`` replaces mount paths in a command's words.
    """

    address: str
    ports: Mapping[str, int]
    env: Mapping[str, str]
    cwd: pathlib.Path
    mark: str
    localize: Callable[[Iterable[str]], tuple[str, ...]] = tuple


class Prober:
    """Makes probes. ``async with`` it: it holds an HTTP client."""

    def __init__(self) -> None:
        # A probe asks whether somebody answers, not who: certificates are not verified, as in Kubernetes.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        self._http = httpx2.AsyncClient(verify=context, limits=limits, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def run(self, action: Mapping[str, Any], target: Target, timeout: float) -> Answer:
        """Carry out ``action``, which holds one of httpGet, tcpSocket, grpc, exec, sleep, within ``timeout`` seconds. Never raises."""
        try:
            return await self._act(action, target, timeout)
        except ValueError as error:
            # A host that is no name, a header that is no ASCII, a command that holds a NUL: told by whatever first tries.
            return Answer(False, f"it cannot be carried out as it is written: {error}")

    async def _act(self, action: Mapping[str, Any], target: Target, timeout: float) -> Answer:
        if handler := action.get("httpGet"):
            return await self._http_get(handler, target, timeout)
        if handler := action.get("tcpSocket"):
            return await _connect(handler, target, timeout)
        if handler := action.get("exec"):
            return await execute(target.localize(handler.get("command") or ()), target, timeout)
        if handler := action.get("sleep"):
            await asyncio.sleep(min(float(handler["seconds"]), timeout))
            return Answer(success=True)
        if handler := action.get("grpc"):
            return await _check(handler, target, timeout)
        return Answer(False, "there is nothing to probe by: use httpGet, tcpSocket, grpc or exec")

    async def _http_get(self, handler: Mapping[str, Any], target: Target, timeout: float) -> Answer:
        port = _port(handler.get("port"), target)
        if port is None:
            return _no_port(handler)
        scheme = str(handler.get("scheme") or "HTTP").lower()
        path = "/" + str(handler.get("path") or "").lstrip("/")
        url = f"{scheme}://{handler.get('host') or target.address}:{port}{path}"
        try:
            async with asyncio.timeout(timeout):
                code = await self._status(url, _headers(handler))
        except TimeoutError:
            return Answer(False, f'Get "{url}": context deadline exceeded (no answer within {timeout:g} s)')
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return Answer(False, f'Get "{url}": {_cause(error)}')
        if code is None:
            return Answer(False, f'Get "{url}": stopped after {MOST_REDIRECTS} redirects')
        return Answer(True) if 200 <= code < 400 else Answer(False, f"HTTP probe failed with statuscode: {code}")

    async def _status(self, url: str, headers: list[tuple[str, str]]) -> int | None:
        """The status code at the end of the redirects that are followed; None if they do not end."""
        at = httpx2.URL(url)
        for _ in range(MOST_REDIRECTS):
            async with self._http.stream("GET", at, headers=headers, timeout=None) as reply:
                following = reply.next_request
                if following is None or following.url.host != at.host:
                    return reply.status_code
                at = following.url
        return None


def _headers(handler: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The manifest's headers, which replace ours of the same name; one of ours that is given empty is not sent."""
    given = [(str(each["name"]), str(each.get("value") or "")) for each in handler.get("httpHeaders") or ()]
    named = {name.lower() for name, _ in given}
    ours = [(name, value) for name, value in _DEFAULT_HEADERS.items() if name.lower() not in named]
    known = {name.lower() for name in _DEFAULT_HEADERS}
    return [("Connection", "close"), *ours, *(each for each in given if each[1] or each[0].lower() not in known)]


async def _check(handler: Mapping[str, Any], target: Target, timeout: float) -> Answer:
    service = grpcprobe.Service(target.address, int(handler["port"]), str(handler.get("service") or ""))
    try:
        await grpcprobe.check(service, timeout)
    except grpcprobe.CheckError as error:
        return Answer(False, str(error))
    return Answer(success=True)


async def _connect(handler: Mapping[str, Any], target: Target, timeout: float) -> Answer:
    port = _port(handler.get("port"), target)
    if port is None:
        return _no_port(handler)
    host = handler.get("host") or target.address
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Answer(False, f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        return Answer(False, f"dial tcp {host}:{port}: connect: {_cause(error)}")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Answer(success=True)


async def execute(argv: tuple[str, ...], target: Target, timeout: float) -> Answer:
    """Run a command as the container would: success is exit code 0. What it leaves behind is killed with it."""
    if not argv:
        return Answer(False, "exec: no command is given")
    env = {**target.env, procfs.COOKIE: target.mark}
    try:
        program = await asyncio.to_thread(processes.resolve, argv, env, target.cwd)
        process = await asyncio.create_subprocess_exec(
            *program,
            env=env,
            cwd=target.cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except (errors.NotStarted, OSError) as error:
        return Answer(False, f"exec: {error}")
    output = b""
    try:
        async with asyncio.timeout(timeout):
            output = await _read(process)
            code = await process.wait()
    except TimeoutError:
        return Answer(False, f"command {argv[0]!r} timed out after {timeout:g} s")
    finally:
        await _finish(process)
    text = output.decode(errors="replace").strip()
    return Answer(code == 0, text or ("" if code == 0 else f"command {argv[0]!r} exited with code {code}"))


async def _read(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None  # noqa: S101 - asked for with PIPE
    kept = b""
    while chunk := await process.stdout.read(4096):
        kept = (kept + chunk)[:OUTPUT_LIMIT]
    return kept


async def _finish(process: asyncio.subprocess.Process) -> None:
    """End the command's group, and let go of its pipe even if a grandchild holds the other end."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await asyncio.shield(process.wait())
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()


def _port(value: Any, target: Target) -> int | None:
    """A number, a number as text, or the name of one of the container's ports."""
    text = str(value)
    if text.isdecimal():
        return int(text) if 0 < int(text) < 65536 else None
    return target.ports.get(text)


def _no_port(handler: Mapping[str, Any]) -> Answer:
    return Answer(False, f"the container has no port named {handler.get('port')!r}")


def _cause(error: BaseException) -> str:
    """The shortest true words for a network error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if isinstance(cause, ConnectionResetError):
            return "connection reset by peer"
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
