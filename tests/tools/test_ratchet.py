"""The size ratchet catches what it says it catches."""

from __future__ import annotations

import pathlib

import pytest

from tools import ratchet


def write(root: pathlib.Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_clean_tree_has_nothing_to_say(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "src/a.py", "def f() -> int:\n    return 1\n")
    assert ratchet.judge(ratchet.measure(tmp_path), {}) == []


def test_a_long_file_and_a_long_function_are_named(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "src/long.py", "x = 1\n" * (ratchet.FILE_LINES + 1))
    write(tmp_path, "src/deep.py", "def f() -> None:\n" + "    x = 1\n" * ratchet.FUNCTION_LINES)
    report = ratchet.measure(tmp_path)
    assert report.over == {"src/long.py": ratchet.FILE_LINES + 1, "src/deep.py::f": ratchet.FUNCTION_LINES + 1}
    assert len(ratchet.judge(report, {})) == 2


def test_a_docstring_does_not_count(tmp_path: pathlib.Path) -> None:
    body = "    x = 1\n" * (ratchet.FUNCTION_LINES - 1)
    write(tmp_path, "src/a.py", 'def f() -> None:\n    """One.\n\n    Two.\n    """\n' + body)
    assert ratchet.measure(tmp_path).over == {}


@pytest.mark.parametrize(
    ("allowed", "word"),
    [({"src/a.py": 700}, None), ({"src/a.py": 650}, "grew"), ({"src/a.py": 800}, "shrank"), ({}, "over the limit")],
)
def test_the_ledger_may_only_shrink(tmp_path: pathlib.Path, allowed: dict[str, int], word: str | None) -> None:
    write(tmp_path, "src/a.py", "x = 1\n" * 700)
    complaints = ratchet.judge(ratchet.measure(tmp_path), allowed)
    assert complaints == [] if word is None else word in complaints[0]


def test_an_entry_that_is_no_longer_needed_must_go(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "src/a.py", "x = 1\n")
    assert "within limits" in ratchet.judge(ratchet.measure(tmp_path), {"src/a.py": 700})[0]


def test_escapes_need_a_code_and_are_counted(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "src/a.py", "import x  # no" + "qa\n" + ("import y  # no" + "qa: F401\n") * 3)
    faults = ratchet.measure(tmp_path).faults
    assert any("without a code" in fault for fault in faults)
    assert any("escapes in" in fault for fault in faults)


def test_broad_excepts_are_counted(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "src/a.py", "try:\n    x = 1\nexcept Exception:\n    pass\n" * 2)
    assert any("broad excepts" in fault for fault in ratchet.measure(tmp_path).faults)
