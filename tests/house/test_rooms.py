"""The rooms are law: each import contract fails when it is broken on purpose.

The package is copied, one forbidden line is added, and the linter must name the contract that it breaks.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]

VIOLATIONS = {
    # file to append to (or make), the line, the contract that must break
    "a lower room imports a higher one": (
        "lib/clock.py",
        "import brickyard.kube.client.contract",
        "The rooms are stacked",
    ),
    "a core imports a shell": ("routing/contract.py", "import brickyard.gateway.contract", "The rooms are stacked"),
    "an unannounced room": ("attic/__init__.py", '"""Attic."""', "exhaustive"),
    "kube's floors are mixed": (
        "kube/objects/selectors.py",
        "import brickyard.kube.client.contract",
        "The Kubernetes floor is stacked",
    ),
    "strangers meet": (
        "embedded/kubelet/processes.py",
        "import brickyard.embedded.apiserver.contract",
        "API server, kubelet",
    ),
    "a decision reads a clock": ("routing/pipeline.py", "import time", "What decides does no I/O"),
    "a plan does I/O": ("embedded/builtin/replicaset/plan.py", "import asyncio", "What decides does no I/O"),
    "policies know each other": (
        "routing/policies/random/__init__.py",
        "import brickyard.routing.policies.least_request",
        "Routing policies are strangers",
    ),
}


def lint(source: pathlib.Path) -> subprocess.CompletedProcess[str]:
    command = [
        str(pathlib.Path(sys.executable).parent / "lint-imports"),
        "--no-logo",
        "--no-cache",
        "--config",
        str(ROOT / "pyproject.toml"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    return subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def copy(tmp_path: pathlib.Path) -> pathlib.Path:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "src"


@pytest.mark.slow
def test_the_house_stands(copy: pathlib.Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_is_caught(copy: pathlib.Path, name: str) -> None:
    file, line, contract = VIOLATIONS[name]
    path = copy / "brickyard" / file
    path.parent.mkdir(exist_ok=True)
    before = path.read_text() if path.exists() else ""
    path.write_text(f"{before}\n{line}\n")
    done = lint(copy)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    if contract == "exhaustive":
        assert "attic" in said
    else:
        assert f"{contract}" in said
        assert "BROKEN" in said
