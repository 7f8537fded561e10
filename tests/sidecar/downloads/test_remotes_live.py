"""Processes that want the same model of a web server, and one that is killed on the way."""

import asyncio
import os
import pathlib
import sys

import pytest

from brickyard.sidecar.downloads import store, testing_server

pytestmark = pytest.mark.slow

ASK = """
import asyncio, os, sys
from brickyard.sidecar.downloads import cache
print(asyncio.run(cache.ModelCache.configured(os.environ).fetch(sys.argv[1])))
"""
CONTENT = os.urandom(8 << 20)


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "cache"


async def begin(folder: pathlib.Path, reference: str) -> asyncio.subprocess.Process:
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "BRICKYARD_MODEL_CACHE": str(folder)}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ASK, reference), env=environ, stdout=asyncio.subprocess.PIPE
    )


async def place(process: asyncio.subprocess.Process) -> pathlib.Path:
    output, _ = await process.communicate()
    assert process.returncode == 0
    return pathlib.Path(output.decode().strip())


async def test_processes_share_a_download(folder: pathlib.Path) -> None:
    async with asyncio.timeout(60), testing_server.Server() as server:
        server.files["/a.gguf"] = testing_server.File(CONTENT)
        processes = [await begin(folder, f"{server.url}/a.gguf") for _ in range(3)]
        found = {await place(process) for process in processes}
    assert len(found) == 1
    assert found.pop().read_bytes() == CONTENT
    assert len(server.asked) == 1


async def test_a_killed_process_leaves_what_the_next_goes_on_with(folder: pathlib.Path) -> None:
    async with asyncio.timeout(60), testing_server.Server() as server:
        server.files["/a.gguf"] = testing_server.File(CONTENT)
        server.faults.append(testing_server.Fault(stall=5 << 20))
        first = await begin(folder, f"{server.url}/a.gguf")
        while not server.asked:
            await asyncio.sleep(0.02)
        waiting = await begin(folder, f"{server.url}/a.gguf")
        # What is written lies in the kernel's hands block by block.
        while await asyncio.to_thread(store.folder_size, folder / "tmp") < 4 << 20:
            await asyncio.sleep(0.02)
        first.kill()
        await first.communicate()
        found = await place(waiting)
    assert found.read_bytes() == CONTENT
    assert len(server.asked) == 2
    (resumed,) = [each for each in server.ranges() if each]
    assert int(resumed.removeprefix("bytes=").removesuffix("-")) >= 3 << 20
    assert server.sent < len(CONTENT) + (3 << 20)
