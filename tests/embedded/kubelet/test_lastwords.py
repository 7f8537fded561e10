"""Termination messages, by policy."""

from __future__ import annotations

import pathlib

import pytest

from brickyard.embedded.kubelet import lastwords
from brickyard.embedded.kubelet.shim import framing

FALL_BACK = {"terminationMessagePolicy": "FallbackToLogsOnError"}
FILE = {"terminationMessagePolicy": "File"}


@pytest.fixture
def files(tmp_path: pathlib.Path) -> lastwords.Files:
    return lastwords.Files(tmp_path / "message", tmp_path / "log")


def log(files: lastwords.Files, lines: int) -> None:
    text = b"".join(b"line %d\n" % number for number in range(lines))
    files.log.write_bytes(framing.frame(text, framing.STDERR, 0))


# file      log    policy      code   what is said
ROWS = [
    ("said", 0, FILE, 0, "said"),
    ("said", 5, FILE, 1, "said"),
    ("said", 5, FALL_BACK, 1, "said"),
    ("", 5, FALL_BACK, 0, ""),
    ("", 5, FILE, 0, ""),
    ("", 2, FALL_BACK, 1, "line 0\nline 1"),
    ("", 2, FILE, 1, "line 0\nline 1"),
    ("", 0, FALL_BACK, 1, ""),
]


@pytest.mark.parametrize(("message", "lines", "container", "code", "expected"), ROWS)
def test_the_table(
    files: lastwords.Files, message: str, lines: int, container: dict[str, str], code: int, expected: str
) -> None:
    files.message.write_text(message)
    log(files, lines)
    assert lastwords.read(files, container, code, 4096) == expected


def test_how_much_of_the_log(files: lastwords.Files) -> None:
    log(files, 1000)
    asked = lastwords.read(files, FALL_BACK, 1, 4096).splitlines()
    assert (len(asked), asked[-1]) == (80, "line 999")
    unasked = lastwords.read(files, {}, 1, 4096).splitlines()
    assert (len(unasked), unasked[-1]) == (10, "line 999")


def test_a_message_is_bounded_and_need_not_be_text(files: lastwords.Files) -> None:
    files.message.write_bytes(b"\xff" + b"x" * 9000)
    assert lastwords.read(files, FILE, 0, 4096) == "\ufffd" + "x" * 4095


def test_a_pod_of_many_containers_says_no_more_than_one_of_three() -> None:
    assert [lastwords.share(count) for count in (0, 1, 3, 4, 12)] == [4096, 4096, 4096, 3072, 1024]


def test_neither_file_nor_log(files: lastwords.Files) -> None:
    assert lastwords.read(files, FALL_BACK, 1, 4096) == ""
