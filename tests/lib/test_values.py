from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import sys

import pytest

from brickyard.lib import values


@values.value
class Point:
    x: int
    y: int = 2


def test_a_value_is_a_dataclass() -> None:
    assert Point(1) == Point(1, 2)
    assert dataclasses.replace(Point(1), y=3) == Point(1, 3)
    assert not hasattr(Point(1), "__dict__")


def test_a_value_is_no_key() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(1))


@pytest.mark.slow
def test_the_type_checker_keeps_the_promise(tmp_path: pathlib.Path) -> None:
    module = tmp_path / "breach.py"
    module.write_text(
        "from brickyard.lib import values\n\n\n@values.value\nclass Point:\n    x: int\n\n\nPoint(1).x = 2\nPoint('a')\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(module)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert 'Property "x" defined in "Point" is read-only' in done.stdout
    assert "incompatible type" in done.stdout
