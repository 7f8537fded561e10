"""Usage is read from the end of any answer, cut anywhere, in every wire's words."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.gateway.usage import contract, reading, tail

USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17, "prompt_tokens_details": {"cached_tokens": 8}}
EXPECTED = contract.Usage(12, 5, 17, 8)


def events(*documents: object, border: bytes = b"\n\n", done: bool = True) -> bytes:
    parts = [b"data: " + orjson.dumps(each) for each in documents]
    return border.join([*parts, *([b"data: [DONE]"] if done else []), b""])


def delta(text: str, **more: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": text}}], **more}


CHAT = events(
    delta("a", usage=None), delta('he said \\"usage\\": {"total_tokens": 1}'), {"choices": [], "usage": USAGE}
)
WHOLE = orjson.dumps(
    {"id": "x", "choices": [{"message": {"content": '"usage": {"prompt_tokens": 99}'}}], "usage": USAGE}
)
RESPONSES = events(
    {"type": "response.created", "response": {"usage": None}},
    {
        "type": "response.completed",
        "response": {
            "output": [],
            "usage": {
                "input_tokens": 12,
                "input_tokens_details": {"cached_tokens": 8},
                "output_tokens": 5,
                "total_tokens": 17,
            },
            "user": None,
        },
    },
    done=False,
)
ANTHROPIC = b"event: message_start\n" + events(
    {
        "type": "message_start",
        "message": {"usage": {"input_tokens": 3, "cache_read_input_tokens": 8, "output_tokens": 1}},
    },
    {"type": "content_block_delta", "delta": {"text": "usage"}},
    {"type": "message_delta", "usage": {"output_tokens": 5}},
    done=False,
)


def seen(body: bytes, cuts: Sequence[int] = (), *, framed: bool = False) -> tail.Tail:
    found = tail.Tail()
    borders = [0, *sorted(set(cuts)), len(body)]
    for begin, end in itertools.pairwise(borders):
        piece = body[begin:end]
        if piece:
            found.feed(b"%x\r\n%b\r\n" % (len(piece), piece) if framed else piece)
    if framed:
        found.feed(b"0\r\n\r\n")
    return found


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (CHAT, EXPECTED),
        (WHOLE, EXPECTED),
        (RESPONSES, EXPECTED),
        (ANTHROPIC, contract.Usage(11, 5, 16, 8)),
        (orjson.dumps({"usage": {"input_tokens": 3, "output_tokens": 4}}), contract.Usage(3, 4, 7)),
        (orjson.dumps({"usage": {"prompt_tokens": 0, "input_tokens": 9, "total_tokens": 0}}), contract.Usage(0, 0, 0)),
        (orjson.dumps({"usage": {"total_tokens": 9, "prompt_tokens": 9}}), contract.Usage(9, 0, 9)),
        (orjson.dumps({"usage": {"total_tokens": 9, "completion_tokens": 4}}), contract.Usage(5, 4, 9)),
        (b'{"usage" :\n {"prompt_tokens" : 1, "completion_tokens": 2}}', contract.Usage(1, 2, 3)),
        (orjson.dumps({"usage": {"input_tokens": 5, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 7, "output_tokens": 1}}),
         contract.Usage(12, 1, 13, 0)),
        (b"", None),
        (b"data: [DONE]\n\n", None),
        (orjson.dumps({"usage": None}), None),
        (orjson.dumps({"usage": {}}), None),
        (orjson.dumps({"usage": {"prompt_tokens": "12", "completion_tokens": -1, "total_tokens": True}}), None),
        (b'{"usage": {"prompt_tokens": 1', None),
        (b'{"usage": {' + b'"a": {' * 2000, None),
        (orjson.dumps({"name": "usage", "x": {"prompt_tokens": 4}}), None),
    ],
)  # fmt: skip
def test_what_engines_tell(body: bytes, expected: contract.Usage | None) -> None:
    assert reading.used(seen(body), chunked=False) == expected


def test_the_last_word_counts_where_a_stream_tells_all_along() -> None:
    body = events(
        *(delta("a", usage={"prompt_tokens": 7, "completion_tokens": n, "total_tokens": 7 + n}) for n in range(1, 500))
    )
    assert reading.used(seen(body, range(0, len(body), 97)), chunked=False) == contract.Usage(7, 499, 506)


@given(st.sampled_from([CHAT, WHOLE, RESPONSES, ANTHROPIC]), st.lists(st.integers(1, 2000), max_size=30), st.booleans())
def test_however_it_is_cut(body: bytes, cuts: list[int], framed: bool) -> None:
    cuts = [cut for cut in cuts if cut < len(body)]
    assert reading.used(seen(body, cuts, framed=framed), chunked=framed) == reading.used(seen(body), chunked=False)


def test_a_usage_that_framing_cuts_is_not_taken_from_another_place() -> None:
    """Each pair of cuts around the first usage of a stream that tells twice, and around the only one of others."""
    for body in (ANTHROPIC, CHAT, RESPONSES, WHOLE):
        at = body.index(b'"usage"')
        expected = reading.used(seen(body), chunked=False)
        for begin in range(at - 3, at + 40):
            for length in (1, 3, 11):
                cut = seen(body, [begin, begin + length], framed=True)
                assert reading.used(cut, chunked=True) == expected, (begin, length)


@given(st.binary(max_size=300), st.booleans())
def test_nonsense_tells_nothing_and_breaks_nothing(body: bytes, chunked: bool) -> None:
    assert reading.used(seen(b'{"usage": {' + body), chunked=chunked) is None or b'"' in body


def test_only_the_end_is_kept_and_it_is_enough() -> None:
    body = events(*(delta("word " * 20) for _ in range(5000))) + events({"choices": [], "usage": USAGE})
    found = seen(body, range(0, len(body), 1400))
    assert tail.LIMIT <= len(found.end) < tail.LIMIT + 1400
    assert found.end == body[-len(found.end) :]
    assert found.head == body[: tail.HEAD]
    assert (found.whole, found.total) == (False, len(body))
    assert reading.used(found, chunked=False) == EXPECTED


def test_what_engines_do_not_tell_is_guessed_and_marked() -> None:
    stream = events(*(delta("token") for _ in range(3000)))
    told = reading.estimated(4001, seen(stream, range(0, len(stream), 500)), events=True)
    assert (told.prompt, told.estimated, told.total) == (1001, True, told.prompt + told.completion)
    assert abs(told.completion - 3000) < 30
    assert reading.estimated(0, seen(b"x" * 10), events=False) == contract.Usage(0, 3, 3, None, True)
    assert reading.estimated(0, seen(b""), events=True) == contract.Usage(0, 0, 0, None, True)
