"""Reads what was used from the end of an answer, whatever its framing.

The bytes may be a JSON object, server-sent events, or either of them with the framing of a chunked body between; they may begin
anywhere. What is looked for is the last ``"usage": {…}``: inside a text its quotes would be escaped, so that where these bytes stand, they
are a field. A usage that is null, as streams have it before their end, is passed over.

| wire | read | written | cached |
|---|---|---|---|
| OpenAI, vLLM, SGLang, llama.cpp | prompt_tokens | completion_tokens | prompt_tokens_details.cached_tokens |
| Responses | input_tokens | output_tokens | input_tokens_details.cached_tokens |
| Anthropic | input_tokens + both below | output_tokens | cache_read_input_tokens (and cache_creation_input_tokens) |

Anthropic's streams tell the first half at their beginning and the second at their end: later numbers win over earlier ones.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson

from brickyard.gateway.usage import contract, tail

_KEY: Final = b'"usage"'
_USUAL: Final = b'"usage":{'
_OPENS: Final = re.compile(rb'"usage"\s*:\s*(?=\{)')
_FRAMING: Final = re.compile(rb"\r\n[0-9a-fA-F]{1,16}[^\r\n]{0,64}\r\n")
_BARE: Final = frozenset(("prompt_tokens", "completion_tokens", "total_tokens"))
_LONGEST: Final = 4096
"""Bytes of the largest usage object that is read."""
_DECODER: Final = json.JSONDecoder()
_MOST: Final = 1 << 53
BYTES_A_TOKEN: Final = 4
"""What texts have, more or less, by which tokens are guessed."""


def used(seen: tail.Tail, *, chunked: bool) -> contract.Usage | None:
    """What the answer that passed through ``seen`` says it used; None when it does not say.

    ``chunked``: its bytes carry the framing of a chunked body.
    """
    end = _unframed(seen.end) if chunked else seen.end
    told = _found(end, -1)
    if not seen.whole or end.count(_KEY) > 1:
        told = {**_found(_unframed(seen.head) if chunked else seen.head, 0), **told}
    return _usage(told) if told else None


def estimated(prompt_bytes: int, seen: tail.Tail, *, events: bool) -> contract.Usage:
    """A guess where the engine told nothing. ``events``: the answer is a stream, of one token an event."""
    prompt = -(-prompt_bytes // BYTES_A_TOKEN)
    if events:
        end = seen.end
        count = end.count(b"data:") - end.count(b"data: [DONE]")
        completion = round(count * seen.total / len(end)) if end else 0
    else:
        completion = -(-seen.total // BYTES_A_TOKEN)
    return contract.Usage(prompt, completion, prompt + completion, None, True)


def _unframed(data: bytes) -> bytes:
    """``data`` without what looks like chunks' framing; as it is where that would take a usage with it."""
    plain = _FRAMING.sub(b"", b"\r\n" + data)  # the first chunk's size has no end of a chunk before it
    return plain if plain.count(_KEY) >= data.count(_KEY) else data


def _found(data: bytes, which: int) -> dict[str, Any]:
    if which and (begin := data.rfind(_USUAL)) >= 0:
        # As most write it: no need to look at every place where it could stand.
        last = _object(data, begin + len(_USUAL) - 1)
        if last and _KEY not in data[begin + len(_USUAL) :]:
            return last
    if _KEY not in data:
        return {}
    begins = [match.end() for match in _OPENS.finditer(data)]
    # One is read and not all: some engines tell usage with every event of a stream.
    ordered = reversed(begins) if which else begins
    return next((told for told in (_object(data, begin) for begin in ordered) if told), {})


def _object(data: bytes, begin: int) -> dict[str, Any] | None:
    return _flat(data, begin) or _nested(data, begin)


def _flat(data: bytes, begin: int) -> dict[str, Any] | None:
    """An object without another in it, as most are: it ends at the first brace, and a faster parser can have it."""
    closes = data.find(b"}", begin, begin + _LONGEST)
    if closes < 0 or data.find(b"{", begin + 1, closes) >= 0:
        return None
    try:
        value = orjson.loads(data[begin : closes + 1])
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _nested(data: bytes, begin: int) -> dict[str, Any] | None:
    try:
        value, _ = _DECODER.raw_decode(data[begin : begin + _LONGEST].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _usage(told: dict[str, Any]) -> contract.Usage | None:
    prompt, completion, total = told.get("prompt_tokens"), told.get("completion_tokens"), told.get("total_tokens")
    if type(prompt) is type(completion) is type(total) is int and 0 <= prompt <= total < _MOST and completion >= 0:
        # As nearly all write it.
        return contract.Usage(prompt, completion, total, _cached(told) if len(told) > len(_BARE) else None)
    prompt = _count(told, "prompt_tokens")
    cached = _cached(told) if len(told) > len(_BARE) or told.keys() != _BARE else None
    if prompt is None:
        prompt = _count(told, "input_tokens")
        # Anthropic counts apart what was read from the cache and what was written to it; the others include it.
        if prompt is not None and "cache_read_input_tokens" in told:
            prompt += (cached or 0) + (_count(told, "cache_creation_input_tokens") or 0)
    completion = _count(told, "completion_tokens")
    if completion is None:
        completion = _count(told, "output_tokens")
    total = _count(told, "total_tokens")
    if prompt is None and completion is None and total is None:
        return None
    if prompt is None:
        prompt = max(0, (total or 0) - (completion or 0))
    if completion is None:
        completion = max(0, (total or 0) - prompt)
    return contract.Usage(prompt, completion, prompt + completion if total is None else total, cached)


def _cached(told: dict[str, Any]) -> int | None:
    for name in ("prompt_tokens_details", "input_tokens_details"):
        details = told.get(name)
        if isinstance(details, dict) and (count := _count(details, "cached_tokens")) is not None:
            return count
    return _count(told, "cache_read_input_tokens")


def _count(told: dict[str, Any], name: str) -> int | None:
    count = told.get(name)
    return count if type(count) is int and 0 <= count < _MOST else None
