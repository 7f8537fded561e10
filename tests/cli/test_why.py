"""How a request's end is told."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.cli import why

QUIET: dict[str, Any] = {
    "status": 200,
    "attempts": 1,
    "admission": None,
    "queue": None,
    "waking": None,
    "connect": None,
    "first_byte": None,
    "first_token": None,
    "duration": 0.2504,
    "error": "",
    "usage": None,
    "limits": {},
}


def used(**given: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "prompt_tokens": 820,
        "completion_tokens": 120,
        "cached_tokens": None,
        "cached_tokens_predicted": None,
        "estimated": False,
    }
    return told | given


def lines(**given: Any) -> list[str]:
    return list(why.ending(QUIET | given))


def test_what_is_not_known_is_not_told() -> None:
    assert lines() == ["status 200, done after 250 ms"]


def test_the_course_in_the_order_in_which_it_passed() -> None:
    told = lines(
        admission=0.0021,
        queue=0.5,
        waking=0.4,
        connect=0.0004,
        first_byte=0.51,
        first_token=0.6,
        attempts=2,
        error="cut off",
    )
    stages = (
        "admitted after 2.1 ms, queued for 500 ms, 400 ms of that until the model was awake, connected within 0.4 ms, "
        "first byte after 510 ms, first token after 600 ms"
    )
    assert told == [f"status 200, {stages}, done after 250 ms, 2 attempts: cut off"]


@pytest.mark.parametrize(
    ("usage", "line"),
    [
        (used(), "820 prompt tokens, 120 generated"),
        (used(cached_tokens=512), "820 prompt tokens (512 from the cache), 120 generated"),
        (
            used(cached_tokens=512, cached_tokens_predicted=540),
            "820 prompt tokens (512 from the cache, 540 foreseen), 120 generated",
        ),
        (used(cached_tokens_predicted=540), "820 prompt tokens (540 foreseen in the cache), 120 generated"),
        (used(estimated=True), "820 prompt tokens, 120 generated, guessed: the engine told nothing"),
    ],
)
def test_tokens(usage: dict[str, Any], line: str) -> None:
    assert lines(usage=usage)[1:] == [line]


def test_limits_by_name() -> None:
    told = lines(limits={"x-ratelimit-remaining-requests": "59", "x-ratelimit-limit-requests": "60"})
    assert told[1:] == ["limit-requests 60, remaining-requests 59"]


def test_an_older_gateway_tells_less() -> None:
    older = {key: QUIET[key] for key in ("status", "attempts", "first_byte", "duration", "error")}
    assert list(why.ending(older)) == ["status 200, done after 250 ms"]
