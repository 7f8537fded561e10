"""Files on web servers: one request with a range for each opening, redirects followed by our own rules.

A token goes to the server that it was given for and to no other: where a redirect leaves scheme, host or port, credentials stay
behind. From HTTPS no redirect leads to plain HTTP. What a refusal means differs between servers, so each catalogue brings its own
words for it (``Explain``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import email.utils
import logging
import pathlib
import re
import urllib.parse
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Final

import httpx2

from brickyard.sidecar.downloads import errors, references, remote

Explain = Callable[[httpx2.Response], errors.DownloadError | None]
"""A refusal in a catalogue's own words; None leaves it to this module's."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HOPS: Final = 10
_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_DEADLINES: Final = httpx2.Timeout(60.0, connect=15.0)
_DENIED: Final = frozenset({401, 403, 407})
_GONE: Final = frozenset({404, 410})
_LATER: Final = frozenset({408, 425, 429})


def client(connections: int = 16) -> httpx2.AsyncClient:
    """The client of all downloads; proxies and certificates are those of the environment. The caller closes it."""
    # At these levels the library writes addresses and heads as they are, with passwords and signatures.
    for name, level in (("httpx2", logging.WARNING), ("httpcore2", logging.INFO)):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, level))
    return httpx2.AsyncClient(
        timeout=_DEADLINES,
        follow_redirects=False,
        limits=httpx2.Limits(max_connections=connections),
        headers={"User-Agent": "brickyard", "Accept-Encoding": "identity"},
    )


@dataclasses.dataclass(frozen=True, slots=True)
class WebOrigin:
    """Fills ``remote.Origin``.

    Attributes:
        client: sends the requests.
        url: where the file is.
        label: what to call it before people.
        headers: credentials, for the host of ``url`` alone.
        explain: the catalogue's words for refusals.
    """

    client: httpx2.AsyncClient
    url: str
    label: str
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    explain: Explain = lambda _: None

    @contextlib.asynccontextmanager
    async def open(self, start: int, validator: str) -> AsyncIterator[remote.Answer]:
        resumed = start > 0 and validator != ""
        ranged = {"Range": f"bytes={start}-", "If-Range": validator} if resumed else {}
        with _told(self.label):
            async with followed(self.client, self.url, {**self.headers, **ranged}) as response:
                if response.status_code not in {200, 206} or (response.status_code == 206 and not resumed):
                    raise self.explain(response) or refusal(response, self.label)
                yield _answer(response, start if resumed else 0, self.label)


class Web:
    """Fills ``remote.Catalogue`` for plain addresses."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._client = http

    async def contents(self, reference: references.WebFile) -> remote.Contents:
        name = pathlib.PurePosixPath(urllib.parse.unquote(urllib.parse.urlsplit(reference.url).path)).name
        origin = WebOrigin(self._client, reference.url, references.public(reference.url))
        return remote.Contents((remote.Piece(name, origin, sha256=reference.sha256),), name)


@contextlib.asynccontextmanager
async def followed(http: httpx2.AsyncClient, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx2.Response]:
    """The answer to GET ``url``, at the end of its redirects; its body is not read yet.

    Raises:
        DownloadError: it redirects for ever, or to where it must not.
        httpx2.HTTPError: the other side did not answer.
    """
    here, sent = httpx2.URL(url), dict(headers)
    for _ in range(_HOPS):
        async with http.stream("GET", here, headers=sent) as response:
            if response.status_code not in _REDIRECTS or "location" not in response.headers:
                yield response
                return
            there = here.join(response.headers["location"])
        if there.scheme not in {"http", "https"} or (here.scheme == "https" and there.scheme == "http"):
            raise errors.DownloadError(
                f"{references.public(url)} redirects to {there.scheme}://, which is not followed"
            )
        if _place(here) != _place(there):
            kept = {"range", "if-range", "accept"}
            sent = {name: value for name, value in sent.items() if name.lower() in kept}
            there = there.copy_with(username=None, password=None) if there.userinfo else there
        here = there
    raise errors.DownloadError(f"{references.public(url)} redirects more than {_HOPS} times: correct the address")


def _place(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def refusal(response: httpx2.Response, label: str) -> errors.DownloadError:
    """A status that is no success, in our words."""
    status = response.status_code
    if status in _DENIED:
        return errors.AccessDeniedError(
            f"{label}: the server answers {status}: it wants credentials, as https://USER:PASSWORD@HOST/…, or refuses these"
        )
    if status in _GONE:
        return errors.ModelNotFoundError(f"{label} is not there (the server answers {status}): correct the address")
    if status == 416:
        return errors.CorruptError(f"{label}: the server has less than was there before: it is fetched anew")
    if status in _LATER or status >= 500:
        return errors.BusyError(f"{label}: the server answers {status}: try again later", after(response))
    return errors.DownloadError(f"{label}: the server answers {status}, which is no file")


def after(response: httpx2.Response) -> float:
    """The seconds of ``Retry-After``; 0 when it names none. A date counts from the answer's own ``Date``."""
    text = response.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        then = email.utils.parsedate_to_datetime(text)
        now = email.utils.parsedate_to_datetime(response.headers.get("date", ""))
        return max(0.0, (then - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0


@contextlib.contextmanager
def _told(label: str) -> Iterator[None]:
    try:
        yield
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise errors.InvalidReferenceError(f"{label} is no address that can be asked: {error}") from error
    except httpx2.TimeoutException as error:
        raise errors.UnreachableError(f"{label}: no answer in time: check the network and the proxy") from error
    except httpx2.HTTPError as error:
        why = str(error) or type(error).__name__
        raise errors.UnreachableError(f"{label} cannot be reached: {why}. Check the network and the proxy") from error


def _answer(response: httpx2.Response, start: int, label: str) -> remote.Answer:
    if response.headers.get("content-encoding", "identity") != "identity":
        # Compressed all the same: its ranges and lengths are those of the compressed bytes.
        return remote.Answer(0, None, "", response.aiter_bytes())
    if response.status_code == 200:
        length = response.headers.get("content-length", "")
        total = int(length) if length.isdigit() else None
        return remote.Answer(0, total, _validator(response), response.aiter_raw())
    matched = _RANGE.fullmatch(response.headers.get("content-range", "").strip())
    if matched is None or int(matched[1]) != start:
        raise errors.CorruptError(f"{label}: the server sent another part than was asked for: it is fetched anew")
    total = None if matched[3] == "*" else int(matched[3])
    return remote.Answer(start, total, _validator(response), response.aiter_raw())


def _validator(response: httpx2.Response) -> str:
    """What ``If-Range`` takes: a strong entity tag, and none that is weak. A date is to the second only, so it is not taken."""
    tag: str = response.headers.get("etag", "").strip()
    ranges = response.headers.get("accept-ranges", "bytes").strip().lower()
    return tag if tag.startswith('"') and tag.endswith('"') and len(tag) > 2 and ranges == "bytes" else ""
