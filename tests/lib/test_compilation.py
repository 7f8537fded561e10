"""Whether the hot path is compiled is told by what Python would import."""

from __future__ import annotations

import importlib.machinery
import pathlib

import pytest

from brickyard.lib import compilation


@pytest.fixture
def hot(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(compilation, "_HOT", tmp_path / "client")
    return tmp_path


def test_python_alone(hot: pathlib.Path) -> None:
    (hot / "client.py").touch()
    assert not compilation.compiled()
    assert compilation.words() == "interpreted"


def test_an_extension_of_this_python(hot: pathlib.Path) -> None:
    (hot / f"client{importlib.machinery.EXTENSION_SUFFIXES[0]}").touch()
    assert compilation.compiled()
    assert compilation.words() == "compiled"


def test_an_extension_of_another_python_is_none(hot: pathlib.Path) -> None:
    (hot / "client.cpython-27-x86_64-linux-gnu.so").touch()
    assert not compilation.compiled()
