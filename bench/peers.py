"""Other people's routers, from their wheels, in a virtual environment of their own (``.venv-bench``)."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import sys
from collections.abc import Callable, Mapping

HOME = pathlib.Path(__file__).parent.parent / ".venv-bench"


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """``requirement`` as pip takes it; ``command`` from its port, the engine's port and a spare port to the command line."""

    name: str
    requirement: str
    command: Callable[[int, int, int], list[str]]


def _router(program: str) -> Callable[[int, int, int], list[str]]:
    def command(port: int, target: int, spare: int) -> list[str]:
        worker = f"http://127.0.0.1:{target}"
        return [
            str(HOME / "bin" / program),
            *(() if program == "vllm-router" else ("launch",)),
            *("--worker-urls", worker, "--policy", "cache_aware", "--host", "127.0.0.1", "--port", str(port)),
            *("--prometheus-port", str(spare), "--log-level", "warn"),
        ]

    return command


PEERS: Mapping[str, Peer] = {
    "smg": Peer("smg 1.13.0 (Rust)", "smg==1.13.0", _router("smg")),
    "sglang-router": Peer("sglang-router 0.3.2 (Rust)", "sglang-router==0.3.2", _router("sglang-router")),
    "vllm-router": Peer("vllm-router 0.1.17 (Rust)", "vllm-router==0.1.17", _router("vllm-router")),
}


def install(names: list[str]) -> None:
    """Put ``names`` into ``.venv-bench``; what is there already costs nothing.

    Raises:
        CalledProcessError: pip could not; its own words are on the terminal.
    """
    if not names:
        return
    if not (HOME / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
    wanted = [PEERS[name].requirement for name in names]
    pip = [str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *wanted], check=True)
