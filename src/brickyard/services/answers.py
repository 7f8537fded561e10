"""JSON in and out: bodies read into their types, refusals as OpenAI's clients know them."""

from __future__ import annotations

import asyncio
from typing import Any, Final, TypeVar

import msgspec
import orjson
from starlette import requests, responses

from brickyard.api.openai import errors as openai
from brickyard.services import errors

T = TypeVar("T")

BODY_LIMIT: Final = 64 * 1024
BODY_DEADLINE: Final = 10.0
_JSON: Final = "application/json"


def answer(content: Any, status: int = 200) -> responses.Response:
    """``content`` as JSON."""
    return responses.Response(orjson.dumps(content), status, media_type=_JSON)


def refusal(error: openai.ApiError, headers: dict[str, str] | None = None) -> responses.Response:
    """``{"error": {"message", "type", "param", "code"}}``."""
    return responses.Response(error.body(), error.status, headers, media_type=_JSON)


def refuse(status: int, message: str, *, code: str | None = None, param: str | None = None) -> errors.RefusedError:
    """What to raise for an answer that refuses."""
    return errors.RefusedError(openai.ApiError(status, message, code, param))


async def read(request: requests.Request, kind: type[T]) -> T:
    """The body as a ``kind`` (a msgspec Struct).

    Only JSON is read: a page in somebody's browser can send a form to this machine unasked, but not JSON.

    Raises:
        RefusedError: 408, 413 or 415; 422 where the body is not what ``kind`` says.
    """
    media = request.headers.get("content-type", _JSON).partition(";")[0].strip().lower()
    if media != _JSON:
        raise refuse(415, f"the body is {media or 'of no type'}: send Content-Type: {_JSON}")
    try:
        async with asyncio.timeout(BODY_DEADLINE):
            body = await _bytes(request)
    except TimeoutError:
        raise refuse(408, f"the body did not arrive within {BODY_DEADLINE:g} s: send it faster") from None
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `$.")
        raise refuse(422, f"{text}: correct the request's body", param=place.rstrip("`") or _missing(text)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise refuse(422, f"the body is no JSON: {error}") from error


def _missing(text: str) -> str | None:
    """The field that msgspec says is missing, which it names in words and not by its place."""
    head, _, name = text.partition("missing required field `")
    return name.rstrip("`") if name and head.startswith("Object") else None


async def _bytes(request: requests.Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            raise refuse(413, f"the body is larger than {BODY_LIMIT} bytes: send less")
        parts.append(part)
    return b"".join(parts)
