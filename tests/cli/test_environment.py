"""Variables for shells."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from brickyard.cli import environment


@pytest.mark.parametrize(
    ("shell", "value", "line"),
    [
        ("sh", "/data/kubeconfig", "export A=/data/kubeconfig"),
        ("sh", "it's $HOME", "export A='it'\"'\"'s $HOME'"),
        ("fish", "/data/kubeconfig", "set -gx A '/data/kubeconfig'"),
        ("fish", "it's \\ $HOME", "set -gx A 'it\\'s \\\\ $HOME'"),
    ],
)
def test_a_statement(shell: str, value: str, line: str) -> None:
    assert environment.statement(shell, "A", value) == line


@pytest.mark.parametrize("value", ["plain", "a b", "it's", '"$HOME" `id` \\', "two\nlines", ""])
@pytest.mark.parametrize("shell", ["sh", "fish"])
def test_the_shell_itself_reads_it_back(shell: str, value: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not on this machine")
    line = environment.statement(shell, "A", value)
    done = subprocess.run(
        [program, "-c", f"{line}\nprintenv A"], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == f"{value}\n"
