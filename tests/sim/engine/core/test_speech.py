import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.sim.engine.core import speech, tokens

PIECES = [speech.TAPE[at : at + tokens.WIDTH] for at in range(0, len(speech.TAPE), tokens.WIDTH)]


def test_every_word_is_one_token_and_needs_no_escape() -> None:
    assert len(PIECES) == speech.LENGTH
    for piece in set(PIECES):
        assert len(piece) == tokens.WIDTH
        assert json.dumps(piece.decode()) == f'"{piece.decode()}"'


def test_the_tape_does_not_repeat_itself_soon() -> None:
    windows = {speech.TAPE[at : at + 32] for at in range(0, len(speech.TAPE) - 32, 4)}
    assert len(windows) == speech.LENGTH - 8


@given(st.integers(0, speech.LENGTH - 1), st.integers(0, 10_000))
def test_what_is_said_is_as_long_as_asked(start: int, length: int) -> None:
    said = speech.say(start, length)
    assert tokens.count(said) == length
    pieces = (PIECES[(start + at) % speech.LENGTH] for at in range(length))
    assert said == b"".join(pieces)


def test_an_answer_depends_on_prompt_seed_and_place() -> None:
    one = speech.offset(b"abcd")
    assert speech.offset(b"abcd") == one
    assert len({one, speech.offset(b"abce"), speech.offset(b"abcd", 1), speech.offset(b"abcd", 0, 1)}) == 4


def test_natural_lengths() -> None:
    lengths = [speech.natural_length(start) for start in range(2000)]
    assert speech.LEAST <= min(lengths) < 20
    assert 400 < max(lengths) <= speech.MOST
    assert sorted(lengths)[1000] < (speech.LEAST + speech.MOST) / 2  # short ones more often


@pytest.mark.parametrize(
    ("text", "stops", "found"),
    [
        # where the answer is cut, and with which token the stop text is complete
        (b" the dog ran", [b"dog"], (5, 2)),
        (b" the dog ran", [b" ran", b" dog"], (4, 2)),
        (b" the dog ran", [b"e d"], (3, 2)),
        (b" the dog ran", [b"cat"], None),
        (b" the dog ran", [b""], None),
        (b" the dog ran", [], None),
        (b" the dog ran", [b"the dog", b"og r"], (1, 2)),
    ],
)
def test_stop_texts(text: bytes, stops: list[bytes], found: tuple[int, int] | None) -> None:
    assert speech.stopped(text, stops) == found
