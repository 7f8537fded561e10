"""Fields that every dialect shares, read strictly: model, stream, user; and the refusals they lead to."""

from __future__ import annotations

from typing import Any, Final

import orjson

from brickyard.api import names
from brickyard.api.openai import errors as openai
from brickyard.gateway import errors
from brickyard.gateway.dialects import contract


def refused(message: str, param: str | None = None, code: str | None = None) -> errors.RefusedError:
    """A 400 that names the field at fault, with the header AIBrix clients look for."""
    return errors.RefusedError(openai.ApiError(400, message, code, param), ((names.ERROR_BODY, "true"),))


def load(body: bytes) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        RefusedError: it is none.
    """
    if not body:
        raise refused("the request has no body: send a JSON object")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise refused(f"the request body is not valid JSON: {error}") from error
    if type(document) is not dict:
        raise refused(f"the request body must be a JSON object, not {kind(document)}")
    return document


def meaning(document: dict[str, Any], body: bytes = b"", prompt: bytes = b"") -> contract.Meaning:
    """Model, stream, user and limits of a body. ``prompt``: the field, in quotes, that holds the prompt.

    Raises:
        RefusedError: ``model`` is missing or no text, ``stream`` no boolean, ``user`` no text.
    """
    model = document.get("model")
    if type(model) is not str or not model:
        raise refused(_model_message(document), "model")
    stream = document.get("stream")
    if stream is not None and type(stream) is not bool:
        raise refused(f"stream must be true or false, not {kind(stream)}", "stream")
    user = document.get("user")
    if user is not None and type(user) is not str:
        raise refused(f"user must be a string, not {kind(user)}", "user")
    # Inside a text of the body its quotes would be escaped: what is found is a field, or a text of just that word.
    begins = body.find(prompt) if prompt else 0
    return contract.Meaning(
        model,
        stream is True,
        user or "",
        _output_limit(document),
        stream is not True or _asks_usage(document.get("stream_options")),
        priority=_priority(document.get("service_tier")),
        prompt_at=max(0, begins),
        document=document,
    )


def _priority(tier: Any) -> int:
    """OpenAI's ``service_tier``; others than these, and what is no text, are nothing special."""
    return _TIERS.get(tier, 0) if type(tier) is str else 0


_TIERS: Final = {"priority": 1, "flex": -1}


def _output_limit(document: dict[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"):
        limit = document.get(name)
        if type(limit) is int and limit > 0:
            return limit
    return 0


def _asks_usage(options: Any) -> bool:
    return type(options) is dict and options.get("include_usage") is True


def required_text(document: dict[str, Any], name: str, what: str) -> None:
    """Refuse a field that is no text, or empty; ``what`` says what it is for."""
    value = document.get(name)
    if type(value) is not str:
        raise refused(f"{name} {problem(value, 'a string')}: send {what}", name)
    if not value:
        raise refused(f"{name} is empty: send {what}", name)


def no_stream(found: contract.Meaning, what: str) -> contract.Meaning:
    """Refuse to stream ``what``, such as ``embeddings``."""
    if found.stream:
        raise refused(f"{what} cannot be streamed: leave stream out", "stream")
    return found


def problem(value: Any, wanted: str) -> str:
    """What is wrong with a value that is not ``wanted``, such as ``a string``."""
    return "is missing" if value is None else f"must be {wanted}, not {kind(value)}"


def _model_message(document: dict[str, Any]) -> str:
    if "model" not in document:
        return "the request names no model: add a model field; GET /v1/models lists those served"
    if document["model"] == "":
        return "model is empty: name one of those that GET /v1/models lists"
    return f"model must be a string, not {kind(document['model'])}"


def kind(value: Any) -> str:
    """How JSON calls the type of ``value``."""
    if value is None:
        return "null"
    names_of = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return names_of[type(value)]
