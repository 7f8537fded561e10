"""The READMEs of examples, as things to run: their command lines, in a shell, against a yard."""

from __future__ import annotations

import os
import re
import subprocess

from tests.e2e import yard as yards

EXAMPLES = yards.ROOT / "examples"


def script(name: str, *, without: str = "") -> str:
    """The command lines of an example's README; those that begin with ``without`` are left out."""
    text = (EXAMPLES / name / "README.md").read_text()
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).splitlines()
    return "\n".join(line for line in lines if not without or not line.startswith(without))


def run(yard: yards.Yard, text: str, *, timeout: float = 120) -> str:
    """Run lines in one shell, as a person would who works in this folder; what they print on either channel."""
    environ = {
        **yard.environ,
        "PATH": f"{yards.BIN}:{os.environ['PATH']}",
        "BRICKYARD_DATA_DIR": str(yard.path),
        "BRICKYARD_API_PORT": str(yard.api_port),
        "BRICKYARD_GATEWAY_PORT": str(yard.gateway_port),
        "BRICKYARD_SERVICES_PORT": str(yard.services_port),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", text],
        env=environ, cwd=yards.ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout
