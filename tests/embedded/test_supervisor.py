from __future__ import annotations

import asyncio
import gc
import os
import pathlib
import signal
import sys

import pytest

from brickyard.embedded import supervisor
from brickyard.embedded.kubelet.shim import files
from brickyard.lib import backoff, process

READY = "import os; os.write(int(os.environ['BRICKYARD_READY_FD']), b'ready\\n'); "
FOREVER = "import time; time.sleep(60)"


def part(tmp_path: pathlib.Path, code: str, *, ready_within: float = 30.0, patience: float = 10.0) -> supervisor.Part:
    return supervisor.Part("part", (sys.executable, "-c", code), tmp_path / "part.log", ready_within, patience)


def noted(note: pathlib.Path, name: str, *, slow: bool = False, after: str = "") -> supervisor.Part:
    """A part that writes into ``note`` when it starts and when it is ready; a slow one waits until ``fast`` is."""
    wait = f"while 'fast ready' not in open({str(note)!r}).read(): time.sleep(0.01)\n" if slow else ""
    code = (
        f"import os, time\ndef say(text): open({str(note)!r}, 'a').write(text + '\\n')\n"
        f"say('{name} starts')\n{wait}say('{name} ready')\n{READY}{FOREVER}"
    )
    return supervisor.Part(name, (sys.executable, "-c", code), note.with_name(f"{name}.log"), after=after)


async def test_parts_start_together_but_for_those_that_come_after_one(tmp_path: pathlib.Path) -> None:
    note = tmp_path / "note"
    note.touch()
    parts = [noted(note, "slow", slow=True), noted(note, "fast"), noted(note, "last", after="slow")]
    async with supervisor.Supervisor(parts):
        said = note.read_text().splitlines()
    assert said.index("fast ready") < said.index("slow ready") < said.index("last starts")


def note_pid(path: pathlib.Path) -> str:
    return f"import os; open({str(path)!r}, 'a').write(f'{{os.getpid()}}\\n'); "


async def pids(path: pathlib.Path, count: int) -> list[int]:
    async with asyncio.timeout(10):
        while not path.exists() or len(path.read_text().split()) < count:
            await asyncio.sleep(0.01)
    return [int(pid) for pid in path.read_text().split()]


async def test_the_body_runs_once_all_are_ready_and_nothing_is_left(tmp_path: pathlib.Path) -> None:
    note = tmp_path / "pids"
    async with supervisor.Supervisor([part(tmp_path, note_pid(note) + READY + FOREVER)]):
        (pid,) = await pids(note, 1)
        assert process.identity(pid) is not None
    assert process.identity(pid) is None


async def test_a_killed_part_comes_back(tmp_path: pathlib.Path) -> None:
    note = tmp_path / "pids"
    async with supervisor.Supervisor([part(tmp_path, note_pid(note) + READY + FOREVER)]):
        (first,) = await pids(note, 1)
        os.kill(first, signal.SIGKILL)
        _, second = await pids(note, 2)
        assert second != first
    assert process.identity(second) is None


async def test_a_part_whose_program_is_missing_for_a_while_comes_back(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    note, program = tmp_path / "pids", tmp_path / "program"

    def install() -> None:
        program.write_text(f"#!{sys.executable}\n{note_pid(note)}{READY}{FOREVER}\n")
        program.chmod(0o755)

    install()
    async with supervisor.Supervisor([supervisor.Part("part", (str(program),), tmp_path / "part.log")]):
        (first,) = await pids(note, 1)
        program.unlink()
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(10):
            while sum("part ended" in each.message for each in caplog.records) < 2:
                await asyncio.sleep(0.01)
        install()
        _, second = await pids(note, 2)
    assert process.identity(second) is None


async def test_a_part_without_a_program_says_so(tmp_path: pathlib.Path) -> None:
    with pytest.raises(supervisor.PartFailed, match=r"part cannot start: .*No such file or directory: .*nowhere"):
        async with supervisor.Supervisor([supervisor.Part("part", (f"{tmp_path}/nowhere",), tmp_path / "part.log")]):
            pytest.fail("the body ran")


@pytest.mark.slow
async def test_a_part_that_is_just_coming_back_is_stopped_too(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "RESTART", backoff.Backoff(0.001, 1, 0.001))
    note = tmp_path / "pids"
    for moment in range(10):
        async with supervisor.Supervisor([part(tmp_path, note_pid(note) + READY + FOREVER)]):
            started = await pids(note, 1)
            os.kill(started[-1], signal.SIGKILL)
            await asyncio.sleep(0.001 * moment)
        await asyncio.sleep(0.05)
        assert all(process.identity(each) is None for each in await pids(note, 1))
        note.unlink()


async def test_a_start_that_is_given_up_at_any_step_leaves_nothing_open(tmp_path: pathlib.Path) -> None:
    async def start() -> None:
        async with supervisor.Supervisor([part(tmp_path, FOREVER)]):
            pytest.fail("the body ran")

    before = sorted(os.listdir("/proc/self/fd"))
    for steps in range(16):
        starting = asyncio.ensure_future(start())
        for _ in range(steps):
            await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting], timeout=5)
        assert starting.cancelled()
        gc.collect()  # A file that was left open warns here, and warnings are errors.
    await asyncio.sleep(0.05)
    assert sorted(os.listdir("/proc/self/fd")) == before


async def test_a_part_that_cannot_start_says_why_in_its_own_words(tmp_path: pathlib.Path) -> None:
    code = "import sys; print('error: port 6443 is taken', file=sys.stderr); sys.exit(2)"
    with pytest.raises(supervisor.PartFailed, match="part cannot start: port 6443 is taken"):
        async with supervisor.Supervisor([part(tmp_path, code)]):
            pytest.fail("the body ran")


async def test_a_part_that_is_never_ready_is_given_up(tmp_path: pathlib.Path) -> None:
    note = tmp_path / "pids"
    with pytest.raises(supervisor.PartFailed, match="not ready within 0 s"):
        async with supervisor.Supervisor([part(tmp_path, note_pid(note) + FOREVER, ready_within=0.3)]):
            pytest.fail("the body ran")
    for pid in await pids(note, 1):
        assert process.identity(pid) is None


async def test_words_from_before_it_was_started_are_not_its_own(tmp_path: pathlib.Path) -> None:
    (tmp_path / "part.log").write_text("an older run\n")
    with pytest.raises(supervisor.PartFailed, match="part cannot start: no output"):
        async with supervisor.Supervisor([part(tmp_path, "raise SystemExit(2)")]):
            pytest.fail("the body ran")


async def test_a_part_that_fails_again_and_again_is_given_up_with_its_last_words(tmp_path: pathlib.Path) -> None:
    code = "import sys; sys.stdout.write('x\\n' * 50_000); sys.exit('no more room')"
    with pytest.raises(supervisor.PartFailed, match="not ready within 1 s: x x no more room"):
        async with supervisor.Supervisor([part(tmp_path, code, ready_within=0.9)]):
            pytest.fail("the body ran")


async def test_a_part_that_will_not_end_is_killed(tmp_path: pathlib.Path) -> None:
    note = tmp_path / "pids"
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    async with supervisor.Supervisor([part(tmp_path, deaf + note_pid(note) + READY + FOREVER, patience=0.2)]):
        (pid,) = await pids(note, 1)
    assert process.identity(pid) is None


async def test_parts_stop_in_reverse_order(tmp_path: pathlib.Path) -> None:
    ends = tmp_path / "ends"

    def polite(name: str) -> supervisor.Part:
        code = (
            f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: (open({str(ends)!r}, 'a').write('{name} '), sys.exit()));"
            + READY
            + "signal.pause()"
        )
        return supervisor.Part(name, (sys.executable, "-c", code), tmp_path / f"{name}.log")

    async with supervisor.Supervisor([polite("first"), polite("second")]):
        pass
    assert ends.read_text().split() == ["second", "first"]


async def test_no_descriptor_is_left_open(tmp_path: pathlib.Path) -> None:
    async with supervisor.Supervisor([part(tmp_path, READY + FOREVER)]):
        pass
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        async with supervisor.Supervisor([part(tmp_path, READY + FOREVER)]):
            pass
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_log_that_grows_is_rotated_and_nothing_is_lost(tmp_path: pathlib.Path) -> None:
    code = "\n".join(["for n in range(60_000): print(f'line {n}')", READY, FOREVER])
    wanted = part(tmp_path, code)
    async with supervisor.Supervisor([wanted], log_limit=8000):
        pass
    kept = [pathlib.Path(name) for _, name in files.generations(str(wanted.log))]
    assert len(kept) == supervisor.LOG_FILES - 1
    lines = b"".join(each.read_bytes() for each in [*kept, wanted.log]).splitlines()
    whole = [int(each.split()[1]) for each in lines[1:]]  # the oldest file may begin within a line
    assert whole == list(range(whole[0], 60_000))


async def test_a_part_that_is_killed_while_it_comes_back_comes_back_again(tmp_path: pathlib.Path) -> None:
    note = tmp_path / "pids"
    code = note_pid(note) + "import time; time.sleep(0.2); " + READY + FOREVER
    loop = asyncio.get_running_loop()
    async with supervisor.Supervisor([part(tmp_path, code)]):
        for count in range(1, 5):
            last = (await pids(note, count))[-1]
            os.kill(last, signal.SIGKILL)
        began = loop.time()
        last = (await pids(note, 5))[-1]
        assert loop.time() - began < 5
        assert process.identity(last) is not None


def test_no_part_waits_longer_than_it_may() -> None:
    assert max(supervisor.RESTART.delay(failures) for failures in range(100)) < 5


async def test_output_that_somebody_else_goes_on_with_keeps_nothing_from_ending(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "OUTPUT_PATIENCE", 0.05)
    note = tmp_path / "pids"
    child = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {note_pid(note) + FOREVER!r}], start_new_session=True); "
    async with supervisor.Supervisor([part(tmp_path, child + READY + "import signal; signal.pause()")]):
        (left,) = await pids(note, 1)
    os.kill(left, signal.SIGKILL)
