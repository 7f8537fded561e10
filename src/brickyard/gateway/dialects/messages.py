"""``/v1/messages``: Anthropic's conversations, which vLLM, SGLang and llama.cpp answer too."""

from __future__ import annotations

from typing import Any

from brickyard.gateway.dialects import chat, contract, fields


class Messages:
    """A conversation. Its stream tells what it used by itself; who the user is stands in ``metadata.user_id``."""

    path = "/v1/messages"

    def read(self, body: bytes, content_type: bytes = b"") -> contract.Meaning:
        document = fields.load(body)
        meaning = fields.meaning(document, body, b'"messages"')
        chat.check_messages(document.get("messages"))
        meaning.tells_usage = True
        meaning.user = meaning.user or _user(document.get("metadata"))
        # The system prompt comes first in the model's eyes, wherever it stands in the body.
        system = body.find(b'"system"')
        if 0 <= system < meaning.prompt_at:
            meaning.prompt_at = system
        meaning.generates = True
        return meaning


class CountTokens:
    """How many tokens a conversation has, which engines tell without answering it."""

    path = "/v1/messages/count_tokens"

    def read(self, body: bytes, content_type: bytes = b"") -> contract.Meaning:
        document = fields.load(body)
        meaning = fields.no_stream(fields.meaning(document, body, b'"messages"'), "a count of tokens")
        chat.check_messages(document.get("messages"))
        return meaning


def _user(metadata: Any) -> str:
    user = metadata.get("user_id") if type(metadata) is dict else None
    return user if type(user) is str else ""
