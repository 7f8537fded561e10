"""``/v1/completions``."""

from __future__ import annotations

from brickyard.gateway.dialects import contract, fields


class Completions:
    """A text to go on with: ``prompt`` is a string, a list of strings, a list of tokens or a list of those.

    ``prompt_embeds`` (vLLM) may stand in its place.
    """

    path = "/v1/completions"

    def read(self, body: bytes, content_type: bytes = b"") -> contract.Meaning:
        document = fields.load(body)
        meaning = fields.meaning(document, body, b'"prompt"')
        prompt = document.get("prompt")
        if prompt is None:
            if document.get("prompt_embeds") is None:
                raise fields.refused("prompt is missing: send the text to complete", "prompt")
        elif type(prompt) is not str and type(prompt) is not list:
            raise fields.refused(f"prompt must be a string or a list, not {fields.kind(prompt)}", "prompt")
        elif prompt == []:
            raise fields.refused("prompt is an empty list: send at least one text", "prompt")
        meaning.generates = True
        return meaning
