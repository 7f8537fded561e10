"""Fields that every dialect shares, read strictly: model, stream, user; and the refusals they lead to."""

from __future__ import annotations

from typing import Any

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


def meaning(document: dict[str, Any]) -> contract.Meaning:
    """Model, stream and user of a body.

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
    return contract.Meaning(model, stream is True, user or "")


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
