"""The page shows code that is: each block that names a file is in that file, word for word."""

from __future__ import annotations

import pathlib
import re
import textwrap

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "controllers.md").read_text()
BLOCKS = re.findall(r"```python\n# (\S+\.py)\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_shows_code() -> None:
    assert len(BLOCKS) >= 6
    assert len(BLOCKS) == PAGE.count("```python")


@pytest.mark.parametrize(("path", "code"), BLOCKS, ids=[path for path, _ in BLOCKS])
def test_what_is_shown_is_in_the_file(path: str, code: str) -> None:
    file = (ROOT / path).read_text()
    assert any(textwrap.indent(code, " " * indent) in file for indent in (0, 4))


def test_the_reconciler_is_short() -> None:
    assert len((ROOT / "examples/controller/reconciler.py").read_text().splitlines()) <= 60
