"""Endpoints that judge texts and write none: ``/v1/rerank``, ``/v1/score``, ``/v1/classify``."""

from __future__ import annotations

from typing import Any

from brickyard.gateway.dialects import contract, fields


class Rerank:
    """``query`` and the ``documents`` to put in order by it: texts, or objects where an engine takes them."""

    path = "/v1/rerank"

    def read(self, body: bytes, content_type: bytes = b"") -> contract.Meaning:
        document = fields.load(body)
        meaning = fields.no_stream(fields.meaning(document, body, b'"query"'), "rankings")
        fields.required_text(document, "query", "the text to compare with")
        documents = document.get("documents")
        if type(documents) is not list:
            raise fields.refused(
                f"documents {fields.problem(documents, 'a list')}: send the texts to put in order", "documents"
            )
        if not documents:
            raise fields.refused("documents is an empty list: send at least one text", "documents")
        for index, each in enumerate(documents):
            if type(each) is not str and type(each) is not dict:
                raise fields.refused(
                    f"documents[{index}] must be a string, not {fields.kind(each)}", f"documents[{index}]"
                )
        return meaning


class Score:
    """Two texts or lists of them to compare; engines name the two in several ways, which are theirs to judge."""

    path = "/v1/score"

    def read(self, body: bytes, content_type: bytes = b"") -> contract.Meaning:
        return fields.no_stream(fields.meaning(fields.load(body)), "scores")


class Classify:
    """``input``: a text or a list of texts."""

    path = "/v1/classify"

    def read(self, body: bytes, content_type: bytes = b"") -> contract.Meaning:
        document = fields.load(body)
        meaning = fields.no_stream(fields.meaning(document, body, b'"input"'), "classes")
        check_texts(document.get("input"))
        return meaning


def check_texts(given: Any) -> None:
    """Refuse what is neither a text nor a list of texts, or is empty.

    Raises:
        RefusedError: naming ``input``.
    """
    if type(given) is not str and type(given) is not list:
        raise fields.refused(f"input {fields.problem(given, 'a string or a list of strings')}: send the text", "input")
    if not given:
        raise fields.refused("input is empty: send at least one text", "input")
    if type(given) is list:
        for index, each in enumerate(given):
            if type(each) is not str:
                raise fields.refused(f"input[{index}] must be a string, not {fields.kind(each)}", f"input[{index}]")
