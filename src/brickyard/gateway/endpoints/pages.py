"""Fetches engines' metrics pages: one HTTP client with a bound on connections, on time and on size."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import httpx2

from brickyard.gateway import errors

LARGEST = 16 * 1024 * 1024
"""Bytes; a page that goes on beyond is no metrics page."""


class PageMissed(errors.GatewayError):
    """No page came; the message says why."""


class Pages:
    """``async with Pages(connections=32, timeout=2.0) as pages: await pages.get(url)``.

    At most ``connections`` pages are read at once, further ones wait their turn; ``timeout`` seconds count from the turn on.
    """

    def __init__(self, *, connections: int, timeout: float) -> None:
        self._turn = asyncio.Semaphore(connections)
        self._timeout = timeout
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
        # Pods are spoken to directly and in plain HTTP: the environment's proxies and the CA bundle are for the world outside.
        self._client = httpx2.AsyncClient(limits=limits, timeout=timeout, trust_env=False, verify=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, url: str) -> bytes:
        """The body of ``url``.

        Raises:
            PageMissed: refused, broken, too slow, too large, or another status than 200.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._read(url)
            except TimeoutError as error:
                raise PageMissed(f"{url} did not answer within {self._timeout:g} s") from error
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise PageMissed(f"{url}: {type(error).__name__} {error}".rstrip()) from error

    async def _read(self, url: str) -> bytes:
        async with self._client.stream("GET", url) as answer:
            if answer.status_code != httpx2.codes.OK:
                raise PageMissed(f"{url} answered {answer.status_code}")
            parts: list[bytes] = []
            size = 0
            async for part in answer.aiter_bytes():
                size += len(part)
                if size > LARGEST:
                    raise PageMissed(f"{url} is larger than {LARGEST} bytes")
                parts.append(part)
            return b"".join(parts)
