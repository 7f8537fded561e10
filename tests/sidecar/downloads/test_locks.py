import asyncio
import pathlib
import subprocess
import sys

import pytest

from brickyard.sidecar.downloads import locks


async def nothing() -> None:
    pass


async def never() -> None:
    pytest.fail("waited for a free lock")


async def test_holders_exclude_each_other(tmp_path: pathlib.Path) -> None:
    inside = 0
    most = 0
    waited: list[int] = []

    async def hold(number: int) -> None:
        nonlocal inside, most

        async def waiting() -> None:
            waited.append(number)

        async with locks.held(tmp_path / "lock", waiting):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    async with asyncio.timeout(10):
        await asyncio.gather(*(hold(number) for number in range(4)))
    assert most == 1
    assert len(set(waited)) == 3


async def test_different_locks_do_not(tmp_path: pathlib.Path) -> None:
    async with (
        asyncio.timeout(5),
        locks.held(tmp_path / "one", nothing),
        locks.held(tmp_path / "two", never),
    ):
        pass


async def test_it_is_free_after_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(RuntimeError):
        async with locks.held(tmp_path / "lock", nothing):
            raise RuntimeError
    async with asyncio.timeout(5), locks.held(tmp_path / "lock", never):
        pass


async def test_waiting_can_be_cancelled(tmp_path: pathlib.Path) -> None:
    async with locks.held(tmp_path / "lock", nothing):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), locks.held(tmp_path / "lock", nothing):
                pytest.fail("entered")
    async with asyncio.timeout(5), locks.held(tmp_path / "lock", nothing):
        pass


async def test_a_killed_process_leaves_it_free(tmp_path: pathlib.Path) -> None:
    code = (
        "import fcntl,sys; f=open(sys.argv[1],'w'); fcntl.flock(f,fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, str(tmp_path / "lock")), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    waited = asyncio.Event()

    async def waiting() -> None:
        waited.set()

    async def take() -> None:
        async with locks.held(tmp_path / "lock", waiting):
            pass

    async with asyncio.timeout(10):
        taker = asyncio.create_task(take())
        await waited.wait()
        process.kill()
        await process.communicate()
        await taker


async def test_a_folder_that_is_not_there(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        async with locks.held(tmp_path / "none" / "lock", nothing):
            pass
