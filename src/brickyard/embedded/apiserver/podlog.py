"""The log subresource of pods: the query of a client, answered by the node agent."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Final

from brickyard.api.kinds import podlogs
from brickyard.embedded.apiserver import answers, drafts, errors, requests
from brickyard.embedded.apiserver.context import Context

_UNSERVED: Final = ("sinceSeconds", "sinceTime", "stream")


def read_query(place: drafts.Place, query: requests.Query) -> podlogs.PodLogQuery:
    """What the client asks of the log.

    Raises:
        BadRequestError: a parameter is not valid, or asks for what is not recorded.
    """
    for each in _UNSERVED:
        if query.text(each) not in ("", "All"):
            raise errors.BadRequestError(
                f"{each} is not served: log lines carry no time of their own; use tailLines (--tail)"
            )
    return podlogs.PodLogQuery(
        namespace=place.namespace,
        pod=place.name,
        container=query.text("container"),
        follow=query.flag("follow"),
        previous=query.flag("previous"),
        timestamps=query.flag("timestamps"),
        tail_lines=query.number("tailLines"),
        limit_bytes=query.number("limitBytes"),
    )


async def open_log(context: Context, place: drafts.Place, query: requests.Query) -> answers.Stream:
    """The log of the pod at ``place``.

    Raises:
        NotFoundError: there is no such pod.
        BadRequestError: the query is not valid, or there is no log; the text says why.
    """
    asked = read_query(place, query)
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
