"""What a service is: routes, and the words that describe them.

Each folder of this room offers a ``Service``. ``app`` mounts all of them behind one door and writes the OpenAPI document from the same
``Operation`` rows that the routes are made from, so that a route without a description cannot be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
from starlette import requests, responses

Handler = Callable[[requests.Request], Awaitable[responses.Response]]


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Attributes:
        method: GET, POST, DELETE.
        path: with ``{name}`` for what varies; ``{name:path}`` where it may hold slashes.
        handler: answers it. It may raise ``errors.RefusedError`` and what ``accounts`` raises.
        summary: one line.
        body: what it reads, None: nothing.
        answers: what it answers by status, None: JSON that is described nowhere.
        query: parameters of the query string and what they mean.
        guarded: whether the services' token is asked for.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    body: type[msgspec.Struct] | None = None
    answers: Mapping[int, type[msgspec.Struct] | None] = dataclasses.field(default_factory=lambda: {200: None})
    query: Mapping[str, str] = dataclasses.field(default_factory=dict)
    guarded: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """A group of operations. ``ready`` says why it cannot serve now, "" when it can; it has a deadline of its own."""

    name: str
    operations: Sequence[Operation]
    ready: Callable[[], Awaitable[str]]
