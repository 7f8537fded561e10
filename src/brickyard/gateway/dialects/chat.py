"""``/v1/chat/completions``."""

from __future__ import annotations

from typing import Any

from brickyard.gateway.dialects import contract, fields


class Chat:
    """A conversation: ``messages`` is a list of at least one message object."""

    path = "/v1/chat/completions"

    def read(self, body: bytes, content_type: bytes = b"") -> contract.Meaning:
        document = fields.load(body)
        meaning = fields.meaning(document, body, b'"messages"')
        check_messages(document.get("messages"))
        meaning.generates = True
        return meaning


def check_messages(messages: Any) -> None:
    """Refuse what is no conversation. What a message holds is the engine's to judge.

    Raises:
        RefusedError: ``messages`` is not a list of at least one object.
    """
    if type(messages) is not list:
        problem = "is missing" if messages is None else f"must be a list, not {fields.kind(messages)}"
        raise fields.refused(f"messages {problem}: send a list of at least one message", "messages")
    if not messages:
        raise fields.refused("messages is empty: send at least one message", "messages")
    for index, message in enumerate(messages):
        if type(message) is not dict:
            raise fields.refused(
                f"messages[{index}] must be an object with role and content, not {fields.kind(message)}",
                f"messages[{index}]",
            )
