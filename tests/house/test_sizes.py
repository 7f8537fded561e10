"""Complexity, arguments and generated files are held to the house numbers: each check fails when it is broken on purpose."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

import pytest

from tools import generated

ROOT = pathlib.Path(__file__).parents[2]
BRANCHES = "\n".join(f"    if x == {number}:\n        return {number}" for number in range(11))

TOO_MUCH = {
    "C901": f'"""M."""\n\n\ndef f(x: int) -> int:\n    """D."""\n{BRANCHES}\n    return x\n',
    "PLR0913": '"""M."""\n\n\ndef f(a: int, b: int, c: int, d: int, e: int, f: int, g: int) -> int:\n    """D."""\n    return a\n',
    "ANN001": '"""M."""\n\n\ndef f(a) -> int:\n    """D."""\n    return a\n',
    "BLE001": '"""M."""\n\ntry:\n    X = 1\nexcept Exception:\n    X = 2\n',
    "D103": '"""M."""\n\n\ndef f() -> int:\n    return 1\n',
}


@pytest.mark.parametrize("rule", TOO_MUCH)
def test_the_linter_refuses(tmp_path: pathlib.Path, rule: str) -> None:
    module = tmp_path / "module.py"
    module.write_text(TOO_MUCH[rule])
    ruff = pathlib.Path(sys.executable).parent / "ruff"
    command = [
        str(ruff),
        "check",
        "--no-cache",
        "--config",
        str(ROOT / "pyproject.toml"),
        "--output-format",
        "concise",
        str(module),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert rule in done.stdout


def test_a_settings_page_that_is_out_of_date_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    monkeypatch.setattr(generated, "ROOT", tmp_path)
    assert generated.settings_page(check=True) == 0
    with (tmp_path / "docs" / "settings.md").open("a") as page:
        page.write("more\n")
    assert generated.settings_page(check=True) == 1
    assert "make generated" in capsys.readouterr().err
    generated.settings_page(check=False)
    assert generated.settings_page(check=True) == 0
