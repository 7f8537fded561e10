"""Real processes: started, ended with all they started, taken over, never mistaken for others."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest

from brickyard.embedded.kubelet import errors, logtext, processes, procfs, shims
from brickyard.lib import process

ENV = {"PATH": os.environ["PATH"]}
FOREVER = "import time\nprint('up', flush=True)\ntime.sleep(60)"


class Box:
    """Starts marked processes and knows whether anything of them is left."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.started: list[processes.Process] = []
        self.attempts = itertools.count()

    @property
    def uid(self) -> str:
        return f"{self.folder.name}-{os.getpid()}"

    def command(self, *argv: str, env: dict[str, str] | None = None) -> shims.Command:
        attempt = next(self.attempts)
        mark, end = f"{self.uid}/web/{attempt}", self.folder / "ends" / str(attempt)
        return shims.Command(argv, {**ENV, **(env or {})}, self.folder, self.folder / "log", mark, end)

    async def python(self, code: str, *args: str) -> processes.Process:
        process = await processes.start(self.command(sys.executable, "-c", code, *args))
        self.started.append(process)
        return process

    def log(self) -> str:
        """What was written, without the frame."""
        text = logtext.Text(logtext.Choice())
        return (text.feed((self.folder / "log").read_bytes()) + text.end()).decode()

    async def until_logged(self, text: str) -> None:
        async with asyncio.timeout(10):
            while not (self.folder / "log").exists() or text not in self.log():
                await asyncio.sleep(0.005)

    def left(self) -> list[int]:
        return [each.identity.pid for each in procfs.strays({self.uid}, ())]

    def shims(self) -> list[int]:
        return [each.identity.pid for each in procfs.shims({self.uid})]


@pytest.fixture
async def box(tmp_path: pathlib.Path) -> AsyncIterator[Box]:
    box = Box(tmp_path)
    yield box
    for each in box.started:
        await each.kill()
        if each._shim_fd >= 0:
            await each.wait()
    assert box.left() == []
    assert box.shims() == []


async def test_exit_code_and_output(box: Box) -> None:
    process = await box.python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (await process.wait()).exit_code == 3
    assert sorted(box.log().split()) == ["err", "out"]


async def test_output_is_appended(box: Box) -> None:
    for word in ("one", "two"):
        await (await box.python(f"print({word!r})")).wait()
    assert box.log() == "one\ntwo\n"


async def test_death_by_signal_is_128_and_the_signal(box: Box) -> None:
    process = await box.python("import os; os.kill(os.getpid(), 11)")
    assert (await process.wait()).exit_code == 139


async def test_environment_is_only_what_was_given(box: Box) -> None:
    script = "import os; print(sorted(name for name in os.environ if name != 'LC_CTYPE'))"
    await (await box.python(script)).wait()
    assert box.log().strip() == str([procfs.COOKIE, "PATH"])


def test_little_of_the_agents_environment_is_inherited() -> None:
    given = {"PATH": "/bin", "HOME": "/root", "AWS_SECRET_ACCESS_KEY": "x", "BRICKYARD_TOKEN": "y"}
    assert processes.inherited(given) == {"PATH": "/bin", "HOME": "/root"}


async def test_terminate_reaches_the_whole_group(box: Box) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print('up', flush=True); child.wait()"
    )
    process = await box.python(code)
    await box.until_logged("up")
    assert len(box.left()) == 2
    await process.terminate()
    assert (await process.wait()).exit_code == 143
    assert box.left() == []


async def test_kill_ends_what_ignores_term(box: Box) -> None:
    process = await box.python(f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{FOREVER}")
    await box.until_logged("up")
    await process.terminate()
    await process.kill()
    assert (await process.wait()).exit_code == 137


DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print('daemon up', flush=True)
        time.sleep(60)
    os._exit(0)
os.wait()
"""


async def test_a_daemon_that_left_group_and_parent_dies_with_its_container(box: Box) -> None:
    process = await box.python(DAEMON)
    await box.until_logged("daemon up")
    assert (await process.wait()).exit_code == 0
    assert box.left() == []


async def test_children_without_the_mark_die_too(box: Box) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(61)'], env={}, start_new_session=True)\n"
        "print(child.pid, flush=True); print('up', flush=True); time.sleep(60)"
    )
    process = await box.python(code)
    await box.until_logged("up")
    child = int(box.log().split()[0])
    await process.kill()
    await process.wait()
    async with asyncio.timeout(5):
        while (found := procfs.entry(child)) is not None and not found.dead:
            await asyncio.sleep(0.005)


# Programs that cannot be run.


async def test_a_program_that_is_not_on_the_path(box: Box) -> None:
    with pytest.raises(errors.NoProgram, match="'no-such-program': executable file not found in \\$PATH"):
        await processes.start(box.command("no-such-program"))


async def test_a_path_that_does_not_exist(box: Box) -> None:
    with pytest.raises(errors.NoProgram, match="/no/such/program"):
        await processes.start(box.command("/no/such/program"))


async def test_a_file_that_is_not_executable(box: Box) -> None:
    (box.folder / "script").write_text("#!/bin/sh\n")
    with pytest.raises(errors.NoProgram, match="not executable"):
        await processes.start(box.command("./script"))


async def test_an_interpreter_that_does_not_exist(box: Box) -> None:
    (box.folder / "script").write_text("#!/no/such/interpreter\n")
    (box.folder / "script").chmod(0o700)
    with pytest.raises(errors.NoProgram, match="script"):
        await processes.start(box.command("./script"))


async def test_a_file_that_is_no_program(box: Box) -> None:
    (box.folder / "data").write_bytes(b"\0\1\2")
    (box.folder / "data").chmod(0o700)
    with pytest.raises(errors.NotStarted, match="cannot be run"):
        await processes.start(box.command("./data"))


async def test_a_word_that_no_process_can_be_given(box: Box) -> None:
    with pytest.raises(errors.NotStarted, match="'echo' cannot be run: embedded null byte"):
        await processes.start(box.command("echo", "a\0b"))


async def test_a_program_is_looked_for_on_the_containers_own_path(box: Box) -> None:
    (box.folder / "bin").mkdir()
    (box.folder / "bin/tool").write_text("#!/bin/sh\nexit 7\n")
    (box.folder / "bin/tool").chmod(0o700)
    process = await processes.start(box.command("tool", env={"PATH": f"{box.folder}/bin"}))
    assert (await process.wait()).exit_code == 7


# Adoption.


async def test_a_released_process_is_adopted_and_watched(box: Box) -> None:
    process = await box.python(FOREVER)
    await box.until_logged("up")
    process.release()
    adopted = processes.adopt(process.identity, process.shim, process._mark, process._end)
    assert adopted is not None
    box.started.append(adopted)
    await adopted.terminate()
    assert (await adopted.wait()).exit_code == 143


async def test_the_end_of_somebody_elses_child_is_known(box: Box) -> None:
    process = await box.python(f"{FOREVER}\n".replace("60", "0.1") + "raise SystemExit(5)")
    process.release()
    adopted = processes.adopt(process.identity, process.shim, process._mark, process._end)
    assert adopted is not None
    assert (await adopted.wait()).exit_code == 5


async def test_a_container_that_is_gone_is_not_adopted_but_tells_of_its_end(box: Box) -> None:
    process = await box.python("raise SystemExit(6)")
    began = time.time()
    await process.wait()
    assert processes.adopt(process.identity, process.shim, process._mark, process._end) is None
    end = processes.ended(process._end)
    assert end is not None
    assert end.exit_code == 6
    assert end.finished_at == pytest.approx(began, abs=10)


def test_reused_pids_are_not_adopted(tmp_path: pathlib.Path) -> None:
    own = process.me()
    other = process.Identity(own.pid, own.start_time - 1)
    assert processes.adopt(other, other, "x", tmp_path / "end") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"exitCode": "x", "signal": 0, "finishedAt": 0}'])
def test_an_end_that_cannot_be_read_is_unknown(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "end").write_text(text)
    assert processes.ended(tmp_path / "end") is None


# Shims.


async def test_a_signal_to_the_shim_does_nothing_but_sigkill_ends_both(box: Box) -> None:
    process = await box.python(FOREVER)
    await box.until_logged("up")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE, signal.SIGQUIT):
        assert procfs.send(process.shim, number)
    assert process.shim.alive()
    assert procfs.send(process.shim, signal.SIGKILL)
    end = await process.wait()
    assert (end.exit_code, end.known, end.message) == (137, False, processes.UNSERVED)


UNBOUND = f"import ctypes; ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)\n{FOREVER}"
"""A leader whose death the kernel no longer ties to its shim's, as after gaining rights."""


async def test_a_container_that_outlives_its_shim_is_ended_by_the_agent(box: Box) -> None:
    process = await box.python(UNBOUND)
    await box.until_logged("up")
    procfs.send(process.shim, signal.SIGKILL)
    assert not (await process.wait()).known
    assert not process.identity.alive()


async def test_a_container_that_outlived_its_shim_is_ended_by_the_next_agent(box: Box) -> None:
    process = await box.python(UNBOUND)
    await box.until_logged("up")
    procfs.send(process.shim, signal.SIGKILL)
    await asyncio.to_thread(process.shim.wait, 10)
    processes._reap(process._shim_fd)
    process.release()
    assert process.identity.alive()
    adopted = processes.adopt(process.identity, process.shim, process._mark, process._end)
    assert adopted is not None
    assert (await adopted.wait()).message == processes.UNSERVED
    assert not process.identity.alive()


async def test_a_container_has_none_of_its_shims_signal_settings(box: Box) -> None:
    code = "print([line.split()[1] for line in open('/proc/self/status') if line[:7] in ('SigBlk:', 'SigIgn:')])"
    await (await processes.start(box.command("sh", "-c", f'exec "{sys.executable}" -c "{code}"'))).wait()
    blocked, ignored = [int(each, 16) for each in box.log().replace("'", "").strip("[]\n ").split(", ")]
    assert blocked == 0
    own = pathlib.Path("/proc/self/status").read_text().partition("SigIgn:")[2].split()[0]
    python = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)  # what Python itself ignores
    assert ignored & ~(python | int(own, 16)) == 0  # and what whoever runs this test had ignored before


async def test_what_leaves_its_parent_and_hides_its_mark_dies_with_the_container(box: Box) -> None:
    """Nothing marks it but its shim, whose child it has become."""
    code = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0: os.execve(sys.executable, [sys.executable, '-c', 'import time; time.sleep(62)'], {})\n"
        "    os._exit(0)\n"
        "os.wait(); print('up', flush=True); time.sleep(60)"
    )
    process = await box.python(code)
    await box.until_logged("up")
    hidden = {each.identity for each in procfs.family(process.identity, "", process.shim)} - {process.identity}
    assert len(hidden) == 1
    procfs.send(process.identity, signal.SIGKILL)
    assert (await process.wait()).exit_code == 137
    assert not any(each.alive() for each in hidden)


async def test_output_up_to_the_last_byte_is_in_the_log_when_the_end_is_told(box: Box) -> None:
    process = await box.python("import sys; sys.stdout.write('x' * 3_000_000 + 'end')")
    assert (await process.wait()).exit_code == 0
    assert box.log() == "x" * 3_000_000 + "end"


async def test_a_folder_that_is_not_there(box: Box) -> None:
    with pytest.raises(errors.NoProgram, match="nowhere"):
        await processes.start(dataclasses.replace(box.command("true"), cwd=box.folder / "nowhere"))


async def test_a_shim_that_cannot_begin_says_why(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shims, "ROOT", box.folder)
    with pytest.raises(errors.NotStarted, match="No module named 'brickyard'"):
        await processes.start(box.command("true"))


async def test_a_shim_that_does_not_answer_is_given_up(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shims, "BOOT", "import time; time.sleep(60)")
    monkeypatch.setattr(shims, "PATIENCE", 0.1)
    with pytest.raises(errors.NotStarted, match="did not answer"):
        await processes.start(box.command("true"))


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2000, reason="so many may not be open here")
async def test_an_agent_with_very_many_descriptors_starts_and_watches_containers(box: Box) -> None:
    held = [os.open(os.devnull, os.O_RDONLY)]
    try:
        held += [os.dup(held[0]) for _ in range(1100)]
        one = await box.python(FOREVER)
        assert not one.identity.wait(0.0)
        await one.kill()
        assert (await one.wait()).exit_code == 137
        assert one.identity.wait(0.0)
    finally:
        for each in held:
            os.close(each)


async def test_a_shim_is_light(box: Box) -> None:
    process = await box.python(FOREVER)
    await box.until_logged("up")
    rollup = pathlib.Path(f"/proc/{process.shim.pid}/smaps_rollup").read_text().split()
    private = int(rollup[rollup.index("Private_Dirty:") + 1])
    assert private < 6 * 1024, f"{private} kB that nobody shares"
    modules = pathlib.Path(f"/proc/{process.shim.pid}/maps").read_text()
    assert "libssl" not in modules


# Who is who.


def test_signals_never_reach_a_process_with_another_start_time() -> None:
    child = subprocess.Popen([sys.executable, "-c", FOREVER], stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        found = procfs.entry(child.pid)
        assert found is not None
        impostor = process.Identity(child.pid, found.identity.start_time + 1)
        assert not procfs.send(impostor, signal.SIGKILL)
        assert not procfs.send_group(impostor, signal.SIGKILL)
        assert procfs.family(impostor, "") == []
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_names_with_parentheses_do_not_confuse(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "a) R (b"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([str(program), "60"])
    try:
        found = procfs.entry(child.pid)
        assert found is not None
        assert found.parent == os.getpid()
    finally:
        child.kill()
        child.wait()


def test_a_process_that_is_gone_is_no_error() -> None:
    nobody = process.Identity(2**22 + 1, 1)
    assert procfs.entry(nobody.pid) is None
    assert not procfs.send(nobody, signal.SIGKILL)
    assert not procfs.send_group(nobody, signal.SIGKILL)
    assert procfs.cookie(nobody.pid) == ""


async def test_fifty_lives_leak_neither_descriptors_nor_processes(box: Box) -> None:
    for _ in range(3):
        await (await box.python("")).wait()
    before = len(os.listdir("/proc/self/fd"))
    began = time.monotonic()
    for _ in range(25):
        pair = await asyncio.gather(processes.start(box.command("true")), processes.start(box.command("sleep", "60")))
        await pair[1].terminate()
        assert [each.exit_code for each in await asyncio.gather(*(each.wait() for each in pair))] == [0, 143]
    assert len(os.listdir("/proc/self/fd")) == before
    assert box.left() == []
    assert time.monotonic() - began < 20
