"""A process killed with -9 in a storm of writes: everything it acknowledged is there afterwards."""

import asyncio
import pathlib
import signal
import subprocess
import sys

import pytest

from brickyard.embedded.apiserver import records, store

STORM = """
import asyncio, pathlib, sys
from brickyard.embedded.apiserver import records, store

async def writer(opened, number):
    last, count = None, 0
    key = records.Key("/pods", "default", f"p{number}")
    while True:
        count += 1
        body = {"metadata": {"name": key.name, "namespace": "default"}, "count": count, "fill": "x" * 2000}
        last = await opened.put(key, body, last)
        sys.stdout.write(f"{key.name} {count} {last.revision}\\n")

async def main():
    async with store.Store.open(pathlib.Path(sys.argv[1])) as opened:
        await asyncio.gather(*(writer(opened, number) for number in range(8)))

asyncio.run(main())
"""


def storm(directory: pathlib.Path, lines: int) -> dict[str, tuple[int, int]]:
    """Start the storm, kill it after ``lines`` acknowledgements; name → (count, revision) that was acknowledged last."""
    acknowledged: dict[str, tuple[int, int]] = {}
    command = [sys.executable, "-u", "-c", STORM, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for number, line in enumerate(process.stdout):
            if number == lines:
                process.send_signal(signal.SIGKILL)
            if line.endswith("\n"):
                name, count, revision = line.split()
                acknowledged[name] = (int(count), int(revision))
    assert process.returncode == -signal.SIGKILL
    return acknowledged


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 700, 3000])
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: pathlib.Path, lines: int) -> None:
    acknowledged = storm(tmp_path, lines)
    assert acknowledged

    async def check() -> None:
        async with store.Store.open(tmp_path) as opened:
            assert opened.revision >= max(revision for _, revision in acknowledged.values())
            for name, (count, revision) in acknowledged.items():
                record = opened.get(records.Key("/pods", "default", name))
                assert record is not None
                assert record.revision >= revision
                assert record.decode()["count"] >= count

    asyncio.run(check())
