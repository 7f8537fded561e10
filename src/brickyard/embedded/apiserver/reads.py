"""The verbs that read: get and list. Both answer from memory; a list of thousands is sent in pieces so that nobody else waits."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from typing import Any

from brickyard.api.kinds import faults
from brickyard.embedded.apiserver import (
    answers,
    drafts,
    errors,
    paging,
    pieces,
    records,
    requests,
    selection,
    shapes,
    writes,
)
from brickyard.embedded.apiserver.context import Context

_MATCHES = ("", "Exact", "NotOlderThan")
_ORDINARY_LIMIT = 500
_OUR_LIMIT = 10_000
"""A limit of 500 or more is a client being kind to its server (kubectl's default is 500, five pages a second after the tenth). We need
no kindness and may return more ("servers may choose not to support the limit argument"); smaller limits are meant, and are kept."""


@dataclasses.dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list asks beside its selection."""

    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    match: str = ""


def list_query(query: requests.Query) -> ListQuery:
    """Read the parameters of a list.

    Raises:
        BadRequestError: one of them cannot be read.
        InvalidError: they contradict each other.
    """
    found = ListQuery(
        query.number("limit") or 0,
        query.text("continue"),
        query.text("resourceVersion"),
        query.text("resourceVersionMatch"),
    )
    wrong = list(_contradictions(found, initial="sendInitialEvents" in query))
    if wrong:
        raise errors.invalid_options("ListOptions", wrong)
    if found.continue_token and found.resource_version not in ("", "0"):
        raise errors.BadRequestError("specifying resource version is not allowed when using continue")
    return found


def _contradictions(asked: ListQuery, *, initial: bool) -> faults.Errors:
    path, match = "resourceVersionMatch", asked.match
    if match and not asked.resource_version:
        yield faults.forbidden(path, f"{path} is forbidden unless resourceVersion is provided")
    if match and asked.continue_token:
        yield faults.forbidden(path, f"{path} is forbidden when continue is provided")
    if match and match not in _MATCHES:
        yield faults.not_supported(path, match, _MATCHES)
    if match == "Exact" and asked.resource_version == "0":
        yield faults.forbidden(path, f'{path} "exact" is forbidden for resourceVersion "0"')
    if initial:
        yield faults.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")


def revision_of(text: str) -> int:
    """A resourceVersion as a number; "" is 0.

    Raises:
        BadRequestError: it is none of ours.
    """
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise errors.BadRequestError(f'resourceVersion: Invalid value: "{text}": it was not made by this server')
    return int(text)


def get(context: Context, place: drafts.Place, view: shapes.View, since: int = 0) -> bytes:
    """The object at ``place``, no older than revision ``since``.

    Raises:
        NotFoundError: there is none.
        FutureRevisionError: that revision has not happened yet.
    """
    if since > context.store.revision:
        raise errors.in_the_future(since, context.store.revision)
    record = context.store.get(place.key)
    if record is None:
        raise errors.not_found(place.kind, place.name)
    return view.one(writes.served(record, place.resource), context.now())


def find(context: Context, resource: str, wanted: selection.Selection) -> list[records.Record]:
    """Committed objects of a collection that ``wanted`` selects, in order."""
    found = context.store.list(resource, wanted.namespace)
    return found if wanted.whole else [record for record in found if wanted.matches(record)]


def page(
    context: Context, resource: str, wanted: selection.Selection, asked: ListQuery, *, exact: bool = False
) -> paging.Page:
    """One page of a list; ``exact`` where a limit of any size is meant and kept.

    Raises:
        ExpiredError: the page's list, or the exact revision that was asked for, is no longer held.
        FutureRevisionError: that revision has not happened yet.
        BadRequestError: the token belongs to another list.
    """
    limit = asked.limit if exact or asked.limit < _ORDINARY_LIMIT else max(asked.limit, _OUR_LIMIT)
    subject = f"{resource} {wanted.namespace} {wanted.labels} {wanted.fields}"
    if asked.continue_token:
        behind = paging.resumed(asked.continue_token)
        if behind is None:
            return context.pages.next(subject, asked.continue_token, limit, context.now())
        rest = [each for each in find(context, resource, wanted) if (each.key.namespace, each.key.name) > behind]
        return context.pages.first(subject, rest, context.store.revision, limit, context.now())
    at, current = revision_of(asked.resource_version), context.store.revision
    if at > current:
        raise errors.in_the_future(at, current)
    if asked.match == "Exact" and at != current:
        raise errors.ExpiredError(f"The resourceVersion for the provided list is too old: {at} ({current})")
    found = find(context, resource, wanted)
    return context.pages.first(subject, found, current, limit, context.now())


def collection(
    context: Context, view: shapes.View, wanted: selection.Selection, asked: ListQuery
) -> answers.Answer | answers.Stream:
    """A list in the client's shape. Raises as ``page``."""
    found = page(context, records.resource_of(view.kind), wanted, asked)
    meta: dict[str, Any] = {"resourceVersion": str(found.revision), **found.more(counted=wanted.whole)}
    now = context.now()
    head = view.list_head(meta, now)
    cut = list(pieces.cut(found.items, lambda record: len(record.raw)))
    if len(cut) <= 1:
        return answers.Answer(b"%s%s]}" % (head, b",".join(view.items(found.items, now))))
    return answers.Stream(_pieces(view, head, cut, now))


async def _pieces(
    view: shapes.View, head: bytes, cut: Sequence[Sequence[records.Record]], now: float
) -> AsyncIterator[bytes]:
    for index, piece in enumerate(cut):
        body = b",".join(view.items(piece, now))
        yield (b"," if index else head) + body
        await asyncio.sleep(0)
    yield b"]}"
