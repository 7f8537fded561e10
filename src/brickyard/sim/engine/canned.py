"""What the double answers where there is nothing to compute: vectors, ranks, images, speech. Checked input, plausible output.

Vectors and scores follow from a hash of the text, so that equal texts are alike and others are not.
"""

from __future__ import annotations

import array
import base64
import hashlib
import math
import struct
import sys
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from brickyard.sim.engine import bodies, http, prompts
from brickyard.sim.engine.core import errors, tokens

MAX_INPUTS: Final = 2048
MAX_INPUT_TOKENS: Final = 8192
DIMENSIONS: Final = 1536
LARGE: Final = 3072
VOICES: Final = ("alloy", "ash", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse")


def inputs(body: Mapping[str, Any]) -> list[bytes]:
    """The texts of an ``/v1/embeddings`` body, as tokens.

    Raises:
        RejectedError: there are none, too many, or one is too long.
    """
    found = prompts.texts(body.get("input"), "input")
    if len(found) > MAX_INPUTS:
        raise errors.RejectedError(f"input holds {len(found)} texts: send {MAX_INPUTS} at most", "input")
    longest = max(map(tokens.count, found))
    if longest > MAX_INPUT_TOKENS:
        raise errors.RejectedError(f"an input has {longest} tokens: send {MAX_INPUT_TOKENS} at most", "input")
    if not all(found):
        raise errors.RejectedError("an input is empty", "input")
    return found


def embeddings(body: Mapping[str, Any], found: Sequence[bytes], model: str) -> http.Answer:
    """OpenAI's list of unit vectors."""
    size = body.get("dimensions")
    if size is None:
        size = LARGE if "large" in model else DIMENSIONS
    if type(size) is not int or not 1 <= size <= 16384:
        raise errors.RejectedError("dimensions must be a whole number from 1 to 16384", "dimensions")
    form = body.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise errors.RejectedError("encoding_format is float or base64", "encoding_format")
    used = sum(map(tokens.count, found))
    data = [
        {"object": "embedding", "index": index, "embedding": _written(vector(each, size), form)}
        for index, each in enumerate(found)
    ]
    return http.json(
        {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": used, "total_tokens": used}}
    )


def _written(values: array.array[float], form: str) -> list[float] | str:
    if form == "float":
        return values.tolist()
    if sys.byteorder == "big":
        values.byteswap()
    return base64.b64encode(values.tobytes()).decode()


def vector(text: bytes, size: int) -> array.array[float]:
    """A unit vector, the same for the same text."""
    raw = hashlib.shake_128(text).digest(2 * size)
    values = [value - 32767.5 for value in struct.unpack(f"<{size}H", raw)]
    length = math.sqrt(math.fsum(value * value for value in values))
    return array.array("f", [value / length for value in values])


def rerank(body: Mapping[str, Any], model: str) -> http.Answer:
    """Documents by how many of the query's words they hold.

    Raises:
        RejectedError: query or documents are missing.
    """
    query = bodies.text(body, "query")
    given = body.get("documents")
    if not isinstance(given, list) or not given:
        raise errors.RejectedError("documents must be a list of at least one text", "documents")
    texts = [each.get("text", "") if isinstance(each, Mapping) else each for each in given]
    if not all(isinstance(each, str) for each in texts):
        raise errors.RejectedError("each of documents must be text, or an object with a text", "documents")
    words = set(query.lower().split())
    rows = [
        {"index": index, "document": {"text": text}, "relevance_score": _relevance(words, text)}
        for index, text in enumerate(texts)
    ]
    rows.sort(key=lambda row: (-float(row["relevance_score"]), row["index"]))  # type: ignore[arg-type]  # a mixed dict
    limit = body.get("top_n")
    used = sum(tokens.count(tokens.encode(query + text)) for text in texts)
    shown = rows[:limit] if type(limit) is int and limit > 0 else rows
    return http.json(
        {"id": f"rerank-{_digest(query)}", "model": model, "usage": {"total_tokens": used}, "results": shown}
    )


def _relevance(words: set[str], text: str) -> float:
    own = set(text.lower().split())
    overlap = len(words & own) / math.sqrt(max(1, len(words)) * max(1, len(own)))
    return round(0.01 + 0.98 * min(1.0, overlap), 6)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


# Images, video, speech.


def image(body: Mapping[str, Any], created: int) -> http.Answer:
    """``/v1/images/generations``: plain pictures of the size asked for, 64 at most on a side."""
    prompt = bodies.text(body, "prompt")
    number = body.get("n") or 1
    if type(number) is not int or not 1 <= number <= 10:
        raise errors.RejectedError("n must be 1 to 10", "n")
    pictures = [base64.b64encode(png(f"{prompt}/{index}")).decode() for index in range(number)]
    return http.json({"created": created, "data": [{"b64_json": each, "revised_prompt": prompt} for each in pictures]})


def png(seed: str, side: int = 64) -> bytes:
    """A picture of one colour."""
    colour = hashlib.blake2b(seed.encode(), digest_size=3).digest()
    rows = (b"\0" + colour * side) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _part(b"IHDR", head) + _part(b"IDAT", zlib.compress(rows)) + _part(b"IEND", b"")


def _part(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def video(fields: Mapping[str, Any], created: int) -> http.Answer:
    """``/v1/videos`` and ``/v1/video/generations``: a job that is already done."""
    prompt = bodies.text(fields, "prompt")
    return http.json(
        {
            "id": f"video-{_digest(prompt)}",
            "object": "video",
            "created_at": created,
            "status": "completed",
            "progress": 100,
            "prompt": prompt,
            "data": [{"url": f"https://example.com/video-{_digest(prompt)}.mp4"}],
        }
    )


def speech(body: Mapping[str, Any]) -> http.Answer:
    """``/v1/audio/speech``: silence, 60 ms a character, ten seconds at most, as WAV."""
    text = bodies.text(body, "input")
    voice = body.get("voice") or VOICES[0]
    if voice not in VOICES:
        raise errors.RejectedError(f"there is no voice {voice!r}: there are {', '.join(VOICES)}", "voice")
    return http.Answer(200, wav(min(10.0, 0.06 * len(text))), "audio/wav")


def wav(seconds: float, rate: int = 8000) -> bytes:
    """Silence."""
    data = b"\0\0" * int(seconds * rate)
    head = struct.pack("<4sI8sIHHIIHH", b"RIFF", 36 + len(data), b"WAVEfmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return head + struct.pack("<4sI", b"data", len(data)) + data


def voices() -> http.Answer:
    """``/v1/audio/voices``."""
    return http.json({"voices": list(VOICES)})


def transcription(fields: Mapping[str, bytes], task: str) -> http.Answer:
    """``/v1/audio/transcriptions`` and ``/translations``: what was said is that so many bytes came."""
    if not fields.get("file"):
        raise errors.RejectedError("file is missing: send the audio as a file", "file")
    said = f"{len(fields['file'])} bytes of audio"
    form = fields.get("response_format", b"json").decode(errors="replace")
    if form == "text":
        return http.Answer(200, said.encode(), "text/plain; charset=utf-8")
    if form == "verbose_json":
        return http.json({"task": task, "language": "english", "duration": 1.0, "text": said, "segments": []})
    if form != "json":
        raise errors.RejectedError("response_format is json, verbose_json or text", "response_format")
    return http.json({"text": said})
