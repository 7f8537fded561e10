"""From a request as it arrived to what routing may know of it; and from routing's no to what the client hears."""

from __future__ import annotations

from typing import Final

from brickyard.api import names
from brickyard.api.openai import errors as openai
from brickyard.gateway import errors
from brickyard.gateway.dialects import contract as dialects
from brickyard.gateway.proxy import incoming, pages, plane
from brickyard.routing import contract as routing

_USER: Final = names.HEADER_USER.encode()
_STRATEGY: Final = names.HEADER_ROUTING_STRATEGY.encode()
_FILTER: Final = names.HEADER_EXTERNAL_FILTER.encode()


def request(
    shared: plane.Plane, given: incoming.Incoming, dialect: dialects.Dialect, request_id: str
) -> tuple[routing.Request, bool]:
    """What routing may know, and whether a stream is asked for. The ``user`` header wins over the body's field.

    Raises:
        RefusedError: the body cannot be read, or nobody serves its model.
    """
    notes = given.notes
    meaning = dialect.read(given.body, notes.get(b"content-type", b""))
    if not shared.director.knows(meaning.model):
        raise pages.unknown_model(meaning.model, shared.director)
    user = notes[_USER].decode("latin-1") if _USER in notes else meaning.user
    strategy = notes[_STRATEGY].decode("latin-1") if _STRATEGY in notes else ""
    label_filter = notes[_FILTER].decode("latin-1") if _FILTER in notes else ""
    return (
        routing.Request(
            request_id, meaning.model, dialect.path, given.body[meaning.prompt_at :], user, strategy, label_filter
        ),
        meaning.stream,
    )


def turned_away(decision: routing.NoDecision) -> errors.RefusedError:
    """400 when the request asks for what cannot be, else 503: endpoints may come."""
    if decision.bad_request:
        return errors.RefusedError(openai.ApiError(400, decision.reason), ((names.ERROR_ROUTING, "true"),))
    return errors.RefusedError(
        openai.ApiError(503, decision.reason, "service_unavailable", "model"),
        ((names.ERROR_NO_MODEL_BACKENDS, "true"), ("retry-after", "5")),
    )
