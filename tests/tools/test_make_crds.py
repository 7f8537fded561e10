"""The files of ``deploy/crds`` are what the code says."""

from __future__ import annotations

import pathlib

import pytest
import yaml

from brickyard.api.kinds import crds
from tools import make_crds


def test_the_files_in_the_tree_are_current() -> None:
    assert make_crds.main(["--check"]) == 0


def test_each_file_is_one_definition_and_small() -> None:
    found = make_crds.documents()
    assert [yaml.safe_load(text) for text in found.values()] == crds.definitions()
    assert max(len(text) for text in found.values()) <= make_crds.LIMIT


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(make_crds, "FOLDER", tmp_path)
    return tmp_path


def test_check_names_what_differs_and_writes_nothing(folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_crds.main([]) == 0
    (folder / "model.aibrix.ai_modeladapters.yaml").write_text("old")
    (folder / "foreign.yaml").write_text("x")
    assert make_crds.main(["--check"]) == 1
    complaints = capsys.readouterr().err
    assert "model.aibrix.ai_modeladapters.yaml is out of date" in complaints
    assert "foreign.yaml is not one of ours" in complaints
    assert (folder / "model.aibrix.ai_modeladapters.yaml").read_text() == "old"
