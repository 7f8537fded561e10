"""Records to text."""

from __future__ import annotations

import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import logtext
from brickyard.embedded.kubelet.shim import framing

NOW = 1_700_000_000 * 10**9
RAW = logtext.Choice()


@given(st.lists(st.binary(max_size=50)), st.integers(1, 100))
def test_what_was_written_comes_back(chunks: list[bytes], step: int) -> None:
    records = b"".join(framing.frame(each, framing.STDOUT, NOW) for each in chunks)
    text = logtext.Text(RAW)
    pieces = [text.feed(records[start : start + step]) for start in range(0, len(records), step)]
    assert b"".join(pieces) + text.end() == b"".join(chunks)


def test_a_record_that_was_cut_off() -> None:
    text = logtext.Text(RAW)
    assert text.feed(framing.frame(b"whole\n", framing.STDOUT, NOW)[:-3]) == b""
    assert text.end() == b"who\n"
    assert text.end() == b""


def test_what_is_no_record_is_shown_as_it_is() -> None:
    text = logtext.Text(logtext.Choice(timestamps=True))
    assert text.feed(b"somebody wrote here\n\n") == b"somebody wrote here\n\n"


def test_a_record_without_end_is_not_waited_for() -> None:
    text = logtext.Text(RAW)
    said = text.feed(b"x" * (logtext.RECORD_LIMIT + 1))
    assert said == b"x" * (logtext.RECORD_LIMIT + 1) + b"\n"


@pytest.mark.parametrize(("record", "ends"), [(b"a\n", True), (b"a", False)])
def test_which_records_end_a_line(record: bytes, ends: bool) -> None:
    assert logtext.ends_line(framing.frame(record, framing.STDOUT, NOW)) is ends


# The end of a log.


def log(path: pathlib.Path, content: bytes) -> pathlib.Path:
    path.write_bytes(framing.frame(content, framing.STDOUT, NOW))
    return path


@given(st.binary(max_size=6000), st.integers(0, 90), st.integers(1, 3000))
def test_the_end_of_a_log_is_bounded(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, lines: int, size: int
) -> None:
    found = logtext.tail(log(tmp_path_factory.mktemp("logs") / "log", content), lines, size)
    assert len(found) <= size
    assert found.removesuffix(b"\n").count(b"\n") < max(1, lines)
    assert content.endswith(found)


def test_it_begins_with_a_whole_line(tmp_path: pathlib.Path) -> None:
    found = logtext.tail(log(tmp_path / "log", b"".join(b"line %d\n" % number for number in range(500))), 80, 100)
    assert found.startswith(b"line ")
    assert found.endswith(b"line 499\n")
    assert logtext.tail(tmp_path / "none", 80, 100) == b""


def test_one_line_that_is_too_long_is_cut_in_front(tmp_path: pathlib.Path) -> None:
    assert logtext.tail(log(tmp_path / "log", b"x" * 500 + b"end"), 80, 100) == b"x" * 97 + b"end"
