"""A tokenizer that is reversible, needs no vocabulary and works at the speed of copying.

Text is cut at special tokens, and what lies between into pieces of four UTF-8 bytes; a piece, read as a big-endian number, is a
token id. The last piece of a stretch is filled with 0xFF, a byte that UTF-8 never uses, so that nothing is lost; special tokens
are the ids from ``0xFFFFFF00`` on, which no text can make. About four bytes a token is what English comes to with real tokenizers.

Inside the core a sequence of tokens is ``bytes``, four per token: a block of sixteen is a slice of sixty-four, hashed as it is.
"""

from __future__ import annotations

import array
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from brickyard.sim.engine.core import errors

WIDTH: Final = 4
SPECIAL: Final[Mapping[str, bytes]] = {
    "<|begin|>": b"\xff\xff\xff\x00",
    "<|system|>": b"\xff\xff\xff\x01",
    "<|user|>": b"\xff\xff\xff\x02",
    "<|assistant|>": b"\xff\xff\xff\x03",
    "<|tool|>": b"\xff\xff\xff\x04",
    "<|developer|>": b"\xff\xff\xff\x05",
    "<|end|>": b"\xff\xff\xff\x06",
    "<|image|>": b"\xff\xff\xff\x07",
    "<|audio|>": b"\xff\xff\xff\x08",
}
BEGIN: Final = "<|begin|>"
END: Final = "<|end|>"
_NAMES: Final = {token: name for name, token in SPECIAL.items()}
_SPLIT: Final = re.compile("(" + "|".join(map(re.escape, SPECIAL)) + ")")
_FIND: Final = re.compile(b"\xff\xff\xff[\x00-\x08]")
_SWAP: Final = sys.byteorder == "little"
_MEDIA: Final[Mapping[str, str]] = {
    "image_url": "<|image|>",
    "image": "<|image|>",
    "input_image": "<|image|>",
    "video_url": "<|image|>",
    "input_audio": "<|audio|>",
    "audio_url": "<|audio|>",
}


def encode(text: str, *, begin: bool = False) -> bytes:
    """``text`` as tokens, ``<|begin|>`` first when asked. Equal texts give equal tokens, and no two texts the same."""
    head = SPECIAL[BEGIN] if begin else b""
    if "<|" not in text:
        return head + _fill(text.encode())
    parts = (SPECIAL.get(part) or _fill(part.encode()) for part in _SPLIT.split(text))
    return head + b"".join(parts)


def _fill(data: bytes) -> bytes:
    return data + b"\xff" * (-len(data) % WIDTH)


def decode(tokens: bytes) -> str:
    """The text of ``tokens``; what is no UTF-8 (pieces that were cut out of a text) is replaced."""
    found: list[bytes] = []
    start = 0
    for match in _FIND.finditer(tokens):
        if match.start() % WIDTH:
            continue
        found += (tokens[start : match.start()].replace(b"\xff", b""), _NAMES[match[0]].encode())
        start = match.end()
    found.append(tokens[start:].replace(b"\xff", b""))
    return b"".join(found).decode(errors="replace")


def ids(tokens: bytes) -> list[int]:
    """Token ids."""
    numbers = array.array("I", tokens)
    if _SWAP:
        numbers.byteswap()
    return numbers.tolist()


def from_ids(numbers: Sequence[int]) -> bytes:
    """The inverse of ``ids``.

    Raises:
        RejectedError: an item is no token id.
    """
    try:
        found = array.array("I", numbers)
    except (TypeError, OverflowError) as error:
        raise errors.RejectedError("a token id is a whole number from 0 to 4294967295", "prompt") from error
    if _SWAP:
        found.byteswap()
    return found.tobytes()


def count(tokens: bytes) -> int:
    """How many tokens."""
    return len(tokens) // WIDTH


def strings(tokens: bytes) -> list[str]:
    """Each token's own text."""
    return [decode(tokens[at : at + WIDTH]) for at in range(0, len(tokens), WIDTH)]


def render(messages: Iterable[Mapping[str, Any]], *, prompt: bool = True) -> str:
    """The chat template: ``<|begin|>`` and, per message, its role's token, its content and ``<|end|>``.

    A conversation that goes on begins with the very tokens of what it was, the assistant's answers included. ``prompt`` adds the
    token after which the assistant speaks.

    Raises:
        RejectedError: a message is no object, or its content neither text nor a list of parts.
    """
    parts = [BEGIN]
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise errors.RejectedError(f"messages[{number}] must be an object", "messages")
        role = f"<|{message.get('role', 'user')}|>"
        parts += (role if role in SPECIAL else "<|user|>", _content(message.get("content"), number), END)
    if prompt:
        parts.append("<|assistant|>")
    return "".join(parts)


def _content(content: Any, number: int) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, Mapping) for part in content):
        raise errors.RejectedError(f"messages[{number}].content must be text or a list of parts", "messages")
    return "".join(
        _MEDIA.get(str(part.get("type")), "") if part.get("type") in _MEDIA else str(part.get("text", ""))
        for part in content
    )
