"""How long a user waits: the command line, `up` to a serving API, and the first token of the demo's model.

Each figure is the wall time of a whole process or of a wait that a user has, several times over; the median is what counts.
"""

from __future__ import annotations

import json
import os
import pathlib
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator

BIN = pathlib.Path(sys.executable).parent
MANIFEST = pathlib.Path(__file__).parent.parent / "examples" / "demo" / "smollm2.yaml"
TARGETS = {"brickyard --help": 0.15, "up to API ready": 2.0, "apply to first token": 10.0}


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def command(*words: str) -> float:
    """Wall seconds of a command, from start to end."""
    began = time.perf_counter()
    subprocess.run([str(BIN / words[0]), *words[1:]], check=True, stdout=subprocess.DEVNULL, timeout=120)
    return time.perf_counter() - began


def first_token(gateway: str) -> float:
    """Seconds until the first streamed token, asking again until the model is served."""
    body = json.dumps(
        {"model": "smollm2", "messages": [{"role": "user", "content": "Hello"}], "stream": True, "max_tokens": 4}
    )
    request = urllib.request.Request(
        f"{gateway}/v1/chat/completions", body.encode(), {"content-type": "application/json"}
    )
    began = time.perf_counter()
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                for line in answer:
                    if b'"content":"' in line:
                        return time.perf_counter() - began
        except OSError:
            if time.perf_counter() - began > 60:
                raise
            time.sleep(0.02)


def whole() -> Iterator[tuple[str, float]]:
    """One life on an empty data directory: up, apply, first token, down."""
    with tempfile.TemporaryDirectory() as folder:
        ports = {"--api-port": free_port(), "--gateway-port": free_port(), "--services-port": free_port()}
        words = [word for name, port in ports.items() for word in (name, str(port))]
        began = time.perf_counter()
        machine = subprocess.Popen(
            [str(BIN / "brickyard"), "up", "--data-dir", folder, *words], stdout=subprocess.PIPE, text=True
        )
        try:
            yield "up to API ready", wait_ready(ports["--api-port"], began)
            assert machine.stdout is not None
            machine.stdout.readline()
            yield "up to everything ready", time.perf_counter() - began
            os.environ["KUBECONFIG"] = str(pathlib.Path(folder) / "kubeconfig")
            began = time.perf_counter()
            command("kubectl", "apply", "-f", str(MANIFEST))
            first_token(f"http://127.0.0.1:{ports['--gateway-port']}")
            yield "apply to first token", time.perf_counter() - began
            began = time.perf_counter()
        finally:
            machine.terminate()
            machine.communicate(timeout=90)
        yield "down", time.perf_counter() - began


def wait_ready(port: int, began: float) -> float:
    """Seconds since ``began`` until ``/readyz`` of the API server on ``port`` says ok."""

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    while True:
        try:
            with urllib.request.urlopen(f"https://127.0.0.1:{port}/readyz", timeout=5, context=context) as answer:
                if answer.status == 200:
                    return time.perf_counter() - began
        except OSError:
            if time.perf_counter() - began > 60:
                raise
            time.sleep(0.01)


def measure(runs: int = 5) -> dict[str, list[float]]:
    """Every figure, ``runs`` times."""
    commands: dict[str, Callable[[], float]] = {
        "brickyard --help": lambda: command("brickyard", "--help"),
        "brickyard version": lambda: command("brickyard", "version"),
        "python -c pass": lambda: command("python", "-c", "pass"),
    }
    figures: dict[str, list[float]] = {name: [each() for _ in range(runs)] for name, each in commands.items()}
    command("brickyard", "fetch", model())
    for _ in range(runs):
        for name, seconds in whole():
            figures.setdefault(name, []).append(seconds)
    return figures


def model() -> str:
    """The model reference in the demo's manifest."""
    return next(line.split("- ", 1)[1] for line in MANIFEST.read_text().splitlines() if "pypi://" in line)


def table(figures: dict[str, list[float]]) -> str:
    """The figures as Markdown."""
    rows = ["| what | median s | min | max | target |", "|---|---|---|---|---|"]
    for name, values in figures.items():
        target = f"≤ {TARGETS[name]}" if name in TARGETS else ""
        rows.append(f"| {name} | {statistics.median(values):.3f} | {min(values):.3f} | {max(values):.3f} | {target} |")
    return "\n".join(rows)


def main() -> None:
    """Measure and print."""
    print(table(measure()))


if __name__ == "__main__":
    main()
