"""From a request as it arrived to what routing may know of it; and from routing's no to what the client hears."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from brickyard.api import names
from brickyard.api.openai import errors as openai
from brickyard.gateway import errors
from brickyard.gateway.dialects import contract as dialects
from brickyard.gateway.proxy import incoming, pages, plane
from brickyard.routing import contract as routing

_PRIORITY: Final = names.HEADER_PRIORITY.encode()
_USER: Final = names.HEADER_USER.encode()
_STRATEGY: Final = names.HEADER_ROUTING_STRATEGY.encode()
_FILTER: Final = names.HEADER_EXTERNAL_FILTER.encode()
_SESSION_ID: Final = names.HEADER_SESSION_ID.encode()
_SESSION_KEY: Final = names.HEADER_SESSION_KEY.encode()
_PROFILE: Final = names.HEADER_CONFIG_PROFILE.encode()
_ROUTING: Final = frozenset({_USER, _STRATEGY, _FILTER, _SESSION_ID, _SESSION_KEY, _PROFILE})


class Understood(NamedTuple):
    """What a request asks for: of routing, and of the data plane."""

    request: routing.Request
    meaning: dialects.Meaning


def request(shared: plane.Plane, given: incoming.Incoming, dialect: dialects.Dialect, request_id: str) -> Understood:
    """What routing may know. The ``user`` header wins over the body's field.

    Raises:
        RefusedError: the body cannot be read, or nobody serves its model.
    """
    notes = given.notes
    meaning = dialect.read(given.body, notes.get(b"content-type", b""))
    if _PRIORITY in notes:
        meaning.priority = _priority(notes[_PRIORITY])
    if not shared.director.knows(meaning.model):
        raise pages.unknown_model(meaning.model, shared.director)
    prompt_at, body = meaning.prompt_at, given.body
    if notes.keys().isdisjoint(_ROUTING):
        asked = routing.Request(
            request_id,
            meaning.model,
            dialect.path,
            body[prompt_at:] if prompt_at else body,
            meaning.user,
            max_tokens=meaning.output_limit or None,
        )
        return Understood(asked, meaning)
    return Understood(
        routing.Request(
            request_id,
            meaning.model,
            dialect.path,
            body[prompt_at:] if prompt_at else body,
            _text(notes, _USER) or meaning.user,
            _text(notes, _STRATEGY),
            _text(notes, _FILTER),
            _NOBODY,
            _text(notes, _SESSION_ID),
            _text(notes, _SESSION_KEY),
            _text(notes, _PROFILE),
            None,
            meaning.output_limit or None,
        ),
        meaning,
    )


_NOBODY: Final[frozenset[str]] = frozenset()


def _text(notes: Mapping[bytes, bytes], name: bytes) -> str:
    return notes[name].decode("latin-1") if name in notes else ""


MOST_URGENT: Final = 10
"""Priorities go from minus this to this."""


def _priority(text: bytes) -> int:
    """The value of the priority header.

    Raises:
        RefusedError: it is no whole number, or out of bounds.
    """
    if _NUMBER.fullmatch(text) and abs(int(text)) <= MOST_URGENT:
        return int(text)
    message = f"{names.HEADER_PRIORITY} must be a whole number from -{MOST_URGENT} to {MOST_URGENT}"
    raise errors.RefusedError(openai.ApiError(400, message, param=names.HEADER_PRIORITY))


_NUMBER: Final = re.compile(rb"[+-]?[0-9]{1,3}")


def turned_away(decision: routing.NoDecision) -> errors.RefusedError:
    """400 when the request asks for what cannot be, 429 when all endpoints are full, else 503: endpoints may come."""
    if decision.bad_request:
        return errors.RefusedError(openai.ApiError(400, decision.reason), ((names.ERROR_ROUTING, "true"),))
    if decision.saturated:
        return errors.RefusedError(
            openai.ApiError(429, f"{decision.reason}: try again shortly", "overloaded", "model"),
            (("retry-after", "1"),),
        )
    return errors.RefusedError(
        openai.ApiError(503, decision.reason, "service_unavailable", "model"),
        ((names.ERROR_NO_MODEL_BACKENDS, "true"), ("retry-after", "5")),
    )
