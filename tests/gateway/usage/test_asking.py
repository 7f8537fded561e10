"""The engine is asked, and the client sees nothing of it."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.gateway.usage import ask, strip

LEAST: dict[str, Any] = {"model": "m", "stream": True, "big": 2**60, "text": "ü"}


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ({}, {"include_usage": True}),
        ({"stream_options": None}, {"include_usage": True}),
        ({"stream_options": {}}, {"include_usage": True}),
        ({"stream_options": {"include_usage": False, "chunk": 5}}, {"include_usage": True, "chunk": 5}),
    ],
)
def test_the_body_asks_and_is_otherwise_what_it_was(change: dict[str, Any], options: dict[str, Any]) -> None:
    document = LEAST | change
    body = b"\n " + orjson.dumps(document)
    assert orjson.loads(ask.asking(body, document)) == document | {"stream_options": options}


def test_a_body_without_options_keeps_its_bytes() -> None:
    body = b'{"model": "m", "n": 1.0}'
    asked = ask.asking(body, {"model": "m", "n": 1.0})
    assert asked.endswith(b'"model": "m", "n": 1.0}')
    assert orjson.loads(asked)["stream_options"] == {"include_usage": True}


def event(document: object, border: bytes = b"\n\n") -> bytes:
    return b"data: " + orjson.dumps(document) + border


TOLD = event({"choices": [], "usage": {"prompt_tokens": 1}})
KEPT = (
    event({"choices": [{"delta": {"content": "a"}}], "usage": None})
    + event({"choices": [{"delta": {"content": '"usage"'}}], "usage": {"prompt_tokens": 1}})
    + b": a comment\n\n"
)
DONE = b"data: [DONE]\n\n"


def fed(body: bytes, cuts: list[int]) -> bytes:
    stripper = strip.Stripper()
    borders = [0, *sorted({cut for cut in cuts if cut < len(body)}), len(body)]
    passed = b"".join(stripper.feed(body[begin:end]) for begin, end in itertools.pairwise(borders))
    return passed + stripper.finish()


@given(st.lists(st.integers(1, 400), max_size=20), st.booleans())
def test_only_the_event_that_tells_usage_is_taken_out(cuts: list[int], wide: bool) -> None:
    body, kept = KEPT + TOLD + DONE, KEPT + DONE
    if wide:
        body, kept = body.replace(b"\n\n", b"\r\n\r\n"), kept.replace(b"\n\n", b"\r\n\r\n")
    assert fed(body, cuts) == kept


@given(st.binary(max_size=200), st.lists(st.integers(1, 200), max_size=8))
def test_what_is_no_such_event_passes_whole(body: bytes, cuts: list[int]) -> None:
    assert fed(body, cuts) == body


def test_complete_events_do_not_wait() -> None:
    stripper = strip.Stripper()
    assert stripper.feed(KEPT) == KEPT
    assert stripper.feed(DONE[:5]) == b""
    assert stripper.feed(DONE[5:]) == DONE
    assert stripper.finish() == b""


def test_what_is_too_long_to_hold_passes_and_the_next_is_looked_at_again() -> None:
    stripper = strip.Stripper()
    long = b"data: " + b"x" * strip.HELD
    assert stripper.feed(long + b"y") == long + b"y"
    assert stripper.feed(b"z") == b"z"
    assert stripper.feed(b"\n\n" + TOLD + DONE) == b"\n\n" + DONE


def test_an_unfinished_end_is_not_lost() -> None:
    assert fed(KEPT + b"data: {", [3]) == KEPT + b"data: {"
