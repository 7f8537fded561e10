"""Long answers: watches that survive their connections, and streams of bytes.

A watch asks the API to end it after some minutes, so that a connection that died in silence is noticed; it then goes on from the
last version seen, bookmarks included. What breaks is tried again with growing delay; only what a caller must act on is raised:
``Gone``, and refusals that time does not mend.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import httpx2
import orjson

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors
from brickyard.kube.objects import meta
from brickyard.lib import backoff, logs

log = logs.get(__name__)

RETRY = backoff.Backoff(0.1, 2.0, 15.0)
SERVER_TIMEOUT = (240, 300)
"""Bounds of how many seconds a connection is asked to last: spread, so that watches do not all come back at once."""

_SILENCE = 30.0
"""Seconds beyond the asked-for end after which a connection counts as dead."""
_HEAD = 30.0
"""Seconds until an answer must begin."""
_WORTH_TELLING = 3
"""Failures in a row at which a person hears of them, once."""
_LINE_LIMIT = 32 * 1024 * 1024


def selection(query: contract.Query) -> dict[str, str]:
    """Query parameters that narrow a collection."""
    params = {"labelSelector": query.label_selector, "fieldSelector": query.field_selector}
    return {name: value for name, value in params.items() if value}


@contextlib.contextmanager
def translated(client: httpx2.AsyncClient) -> Iterator[None]:
    """Whatever keeps an answer from coming becomes ``Unreachable``."""
    server = f"{client.base_url.scheme}://{client.base_url.netloc.decode()}"
    try:
        yield
    except TimeoutError as error:
        raise errors.Unreachable(f"{server} did not answer in time") from error
    except httpx2.PoolTimeout as error:
        raise errors.Unreachable(f"too many connections to {server} are open") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, RuntimeError) as error:
        if client.is_closed:
            raise errors.Unreachable(f"the connection to {server} was closed on this side") from error
        if isinstance(error, RuntimeError) and not isinstance(error, httpx2.StreamError):
            raise
        problem = str(error) or type(error).__name__
        raise errors.Unreachable(
            f"{server} cannot be reached: {problem}; check that it runs and that the kubeconfig belongs to it"
        ) from error


def refused(response: httpx2.Response) -> errors.KubeError:
    """The error that an answer ≥ 400, read to its end, stands for."""
    try:
        status = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        text = response.text.strip()[:200]
        status = {"message": f"{response.status_code} {response.reason_phrase}: {text}".rstrip(": ")}
    after = response.headers.get("Retry-After", "")
    return errors.from_status(
        response.status_code, status if isinstance(status, dict) else {}, float(after) if after.isdecimal() else None
    )


async def refusal(response: httpx2.Response) -> errors.KubeError:
    """The same for an answer that is still open; closes it."""
    try:
        async with asyncio.timeout(_HEAD):
            await response.aread()
        return refused(response)
    except (TimeoutError, httpx2.HTTPError):
        return errors.from_status(response.status_code, {})
    finally:
        await response.aclose()


async def chunks(client: httpx2.AsyncClient, response: httpx2.Response) -> AsyncIterator[bytes]:
    """The body as it comes; closes the answer at the end, at an error, and when it is closed itself."""
    try:
        with translated(client):
            async for chunk in response.aiter_raw():
                yield chunk
    finally:
        await response.aclose()


class Watch:
    """One watch over as many connections as it takes."""

    def __init__(
        self, client: httpx2.AsyncClient, path: str, kind: resources.ResourceType, query: contract.Query
    ) -> None:
        self._client = client
        self._path = path
        self._kind = kind
        self._params = {**selection(query), "watch": "true", "allowWatchBookmarks": "true"}
        self._version = query.resource_version
        self._initial = query.initial_events
        self._failures = 0

    async def events(self) -> AsyncIterator[contract.WatchEvent]:
        """Every change from the query's version on, bookmarks included. Ends only by an error.

        Raises:
            Gone: the version is no longer held.
            KubeError: a refusal that trying again does not mend.
        """
        loop = asyncio.get_running_loop()
        while True:
            began, wait = loop.time(), 0.0
            try:
                async with contextlib.aclosing(self._connection()) as found:
                    async for event in found:
                        self._failures = 0
                        self._initial = self._initial and not event.ends_initial
                        self._version = meta.resource_version(event.object) or self._version
                        yield event
            except errors.KubeError as error:
                if not error.retryable or self._client.is_closed or self._initial:
                    raise
                wait = error.retry_after or 0.0
                tell = log.warning if self._failures + 1 == _WORTH_TELLING else log.debug
                tell("watch broke", kind=self._kind.plural, failures=self._failures + 1, error=error)
            if self._initial:
                # Going on would hide what vanished in between: the caller begins anew.
                raise errors.Unreachable(f"the watch of {self._kind.plural} ended before it had told everything")
            # A connection that lasted did what was asked, even if it had nothing to tell.
            self._failures = 0 if loop.time() - began > RETRY.cap else self._failures + 1
            await asyncio.sleep(max(wait, RETRY.delay(self._failures)))

    async def _connection(self) -> AsyncGenerator[contract.WatchEvent]:
        lasts = random.randint(*SERVER_TIMEOUT)  # noqa: S311 - spreads load, guards nothing
        params = {**self._params, "timeoutSeconds": str(lasts)}
        if self._initial:
            params |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        elif self._version:
            params["resourceVersion"] = self._version
        timeout = httpx2.Timeout(_HEAD, read=lasts + _SILENCE)
        request = self._client.build_request("GET", self._path, params=params, timeout=timeout)
        request.headers["Accept-Encoding"] = "identity"  # a compressor may hold an event back
        with translated(self._client):
            async with asyncio.timeout(_HEAD):
                response = await self._client.send(request, stream=True)
        if response.status_code >= 400:
            raise await refusal(response)
        try:
            with translated(self._client):
                async for line in lines(response.aiter_raw()):
                    yield self._event(line)
        finally:
            await response.aclose()

    def _event(self, line: bytes) -> contract.WatchEvent:
        try:
            raw: dict[str, Any] = orjson.loads(line)
            kind, obj = raw["type"], raw["object"]
            if kind != "ERROR":
                return contract.WatchEvent(contract.EventType(kind), obj)
        except (ValueError, KeyError, TypeError) as error:
            raise errors.Unreachable(f"the watch of {self._kind.plural} said something that is no event") from error
        code = obj.get("code") if isinstance(obj, dict) else None
        raise errors.from_status(code if isinstance(code, int) else 500, obj if isinstance(obj, dict) else {})


async def lines(source: AsyncIterator[bytes], limit: int = _LINE_LIMIT) -> AsyncIterator[bytes]:
    """``source`` cut at line ends, empty lines left out; what follows the last one is lost with its connection.

    Raises:
        Unreachable: a line is longer than ``limit`` bytes.
    """
    pending: list[bytes] = []
    size = 0
    async for chunk in source:
        *complete, rest = chunk.split(b"\n")
        for piece in complete:
            line = b"".join([*pending, piece])
            pending, size = [], 0
            if line.strip():
                yield line
        if rest:
            pending.append(rest)
            size += len(rest)
        if size > limit:
            raise errors.Unreachable(f"an event is larger than {limit} bytes")
