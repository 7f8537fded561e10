"""What the double says: words of four bytes, so that one word is one token and an answer read back is the tokens that were written.

An answer depends on its prompt, its seed and its place among several alone: asked again, the engine says the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from brickyard.sim.engine.core import tokens

_WORDS: Final = (
    "the and for you are not but can all one out day get has him his how man new now old see two way who boy did its let put "
    "say she too use add air ask big box car cut dog eat end eye far few got had her hot job key law lay lie low map men own "
    "pay red run sea set sit sky son sun ten top try war wet win yes yet act age ago art bad bed buy"
)
LENGTH: Final = 4096
"""Tokens before the tape repeats itself."""
LEAST: Final = 10
MOST: Final = 500


def _tape() -> bytes:
    """A fixed sequence without a visible period: each word is chosen by a hash of its place."""
    words = _WORDS.split()
    places = (int.from_bytes(hashlib.blake2b(b"%d" % place, digest_size=2).digest()) for place in range(LENGTH))
    return b"".join(b" " + words[place % len(words)].encode() for place in places)


TAPE: Final = _tape()


def offset(prompt: bytes, seed: int = 0, index: int = 0) -> int:
    """Where on the tape the answer to ``prompt`` begins, 0..LENGTH-1."""
    key = b"%d/%d" % (seed, index)
    return int.from_bytes(hashlib.blake2b(prompt, digest_size=8, key=key).digest()) % LENGTH


def natural_length(start: int, seed: int = 0) -> int:
    """How long an answer is when nobody says: LEAST..MOST tokens, short ones more often."""
    draw = int.from_bytes(hashlib.blake2b(b"%d/%d" % (start, seed), digest_size=4).digest()) / 2**32
    return LEAST + int((MOST - LEAST) * draw * draw)


def say(start: int, length: int) -> bytes:
    """``length`` tokens from ``start`` on."""
    if start + length <= LENGTH:
        return TAPE[tokens.WIDTH * start : tokens.WIDTH * (start + length)]
    rounds = TAPE * (1 + (start + length) // LENGTH)
    return rounds[tokens.WIDTH * start : tokens.WIDTH * (start + length)]


def stopped(text: bytes, stops: Sequence[bytes]) -> tuple[int, int] | None:
    """Where the first of ``stops`` begins in ``text`` and with which token it is complete; None when there is none.

    The engine notices a stop text when its last token is out, and cuts the answer where it begins.
    """
    found = [(text.find(stop), len(stop)) for stop in stops if stop]
    hits = [(at + length, at) for at, length in found if at >= 0]
    if not hits:
        return None
    complete, begin = min(hits)
    return begin, -(-complete // tokens.WIDTH)
