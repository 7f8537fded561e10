"""The log subresource of pods: the query of a client, answered by the node agent."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Final

from brickyard.api.kinds import faults, podlogs, resources
from brickyard.embedded.apiserver import answers, drafts, errors, requests
from brickyard.embedded.apiserver.context import Context
from brickyard.lib import timestamps

_STREAMS: Final = ("All", "Stderr", "Stdout")
_OPTIONS: Final = resources.ResourceType("", "v1", "", "PodLogOptions")


def read_query(place: drafts.Place, query: requests.Query, now: float) -> podlogs.PodLogQuery:
    """What the client asks of the log, ``now`` being Unix seconds.

    Raises:
        BadRequestError: a parameter is not what it should be.
        InvalidError: parameters that cannot be met, or not together.
    """
    seconds, limit, stream = query.number("sinceSeconds"), query.number("limitBytes"), query.text("stream") or "All"
    if wrong := list(_faults(query, seconds, limit, stream)):
        raise errors.invalid(_OPTIONS, place.name, wrong)
    return podlogs.PodLogQuery(
        namespace=place.namespace,
        pod=place.name,
        container=query.text("container"),
        follow=query.flag("follow"),
        previous=query.flag("previous"),
        timestamps=query.flag("timestamps"),
        tail_lines=query.number("tailLines"),
        limit_bytes=limit,
        since=_since_time(query.text("sinceTime")) if seconds is None else now - seconds,
        stream="" if stream == "All" else stream,
    )


def _faults(query: requests.Query, seconds: int | None, limit: int | None, stream: str) -> faults.Errors:
    for name, value in (("sinceSeconds", seconds), ("limitBytes", limit)):
        if value == 0:
            yield faults.invalid(name, value, "must be greater than 0")
    if seconds is not None and query.text("sinceTime"):
        yield faults.forbidden("sinceTime", "at most one of `sinceTime` or `sinceSeconds` may be specified")
    if stream not in _STREAMS:
        yield faults.not_supported("stream", stream, _STREAMS)
    elif stream != "All" and "tailLines" in query:
        yield faults.forbidden("tailLines", "`tailLines` and specific `stream` are mutually exclusive")


def _since_time(text: str) -> float | None:
    if not text:
        return None
    try:
        return timestamps.parse_rfc3339(text)
    except ValueError:
        raise errors.BadRequestError(f'invalid value for sinceTime: "{text}": write a time as RFC 3339') from None


async def open_log(context: Context, place: drafts.Place, query: requests.Query) -> answers.Stream:
    """The log of the pod at ``place``.

    Raises:
        NotFoundError: there is no such pod.
        BadRequestError: the query is not valid, or there is no log; the text says why.
    """
    asked = read_query(place, query, context.now())
    record = context.store.get(place.key)
    if record is None:
        raise errors.not_found(place.kind, place.name)
    if context.logs is None:
        raise errors.NotServedError("this API server has no node agent, and with it no logs")
    containers = [each["name"] for each in (record.decode().get("spec") or {}).get("containers") or ()]
    if not asked.container and len(containers) > 1:
        raise errors.BadRequestError(
            f"a container name must be specified for pod {place.name}, choose one of: [{' '.join(containers)}]"
        )
    asked = dataclasses.replace(asked, container=asked.container or next(iter(containers), ""))
    try:
        chunks = await context.logs.open(asked)
    except podlogs.LogsUnavailable as error:
        raise errors.BadRequestError(str(error)) from error
    return answers.Stream(_limited(chunks, asked.limit_bytes), "text/plain")


async def _limited(chunks: AsyncIterator[bytes], limit: int | None) -> AsyncIterator[bytes]:
    left = limit
    try:
        async for chunk in chunks:
            if left is not None:
                chunk = chunk[:left]  # noqa: PLW2901 - what is left of it
                left -= len(chunk)
            yield chunk
            if left == 0:
                return
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
