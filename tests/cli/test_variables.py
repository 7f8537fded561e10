"""Variables that nobody reads are told."""

from __future__ import annotations

import pathlib
import re

import pytest

import brickyard
from brickyard.cli import part, variables

SOURCE = pathlib.Path(brickyard.__file__).parent


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BRICKYARD_GATEWAY_PROT", "BRICKYARD_GATEWAY_PORT"),
        ("BRICKYARD_LOGLEVEL", "BRICKYARD_LOG_LEVEL"),
        ("BRICKYARD_SPEED", ""),
    ],
)
def test_one_that_nobody_reads(name: str, meant: str) -> None:
    assert variables.unread(["PATH", name, "BRICKYARD_GATEWAY_PORT", "AIBRIX_ANY"]) == {name: meant}


def test_every_name_in_the_source_is_known() -> None:
    written = {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r'"(BRICKYARD_[A-Z0-9_]*[A-Z0-9])"', path.read_text())
    }
    assert len(written) > 90
    assert variables.unread(written) == {}


def test_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRICKYARD_API_PROT", "1")
    monkeypatch.setenv("BRICKYARD_SPEED", "1")
    assert part.unread() == [
        "BRICKYARD_API_PROT is not read: did you mean BRICKYARD_API_PORT?",
        "BRICKYARD_SPEED is not read: no setting has this name",
    ]


def test_no_variable_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {"PATH": "/bin"})
    assert part.unread() == []
