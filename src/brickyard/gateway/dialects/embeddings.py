"""``/v1/embeddings``."""

from __future__ import annotations

from brickyard.gateway.dialects import chat, contract, fields


class Embeddings:
    """Texts to embed: ``input`` is a string, a list of strings, of tokens, or of lists of tokens; vLLM also takes ``messages``."""

    path = "/v1/embeddings"

    def read(self, body: bytes, content_type: bytes = b"") -> contract.Meaning:
        document = fields.load(body)
        meaning = fields.no_stream(fields.meaning(document, body, b'"input"'), "embeddings")
        given = document.get("input")
        if given is None and "messages" in document:
            chat.check_messages(document["messages"])
            return meaning
        if type(given) is not str and type(given) is not list:
            problem = "is missing" if given is None else f"must be a string or a list, not {fields.kind(given)}"
            raise fields.refused(f"input {problem}: send the text to embed", "input")
        if not given:
            raise fields.refused("input is empty: send at least one text to embed", "input")
        return meaning
