from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from brickyard.lib import process


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def test_a_process_is_itself_until_it_ends() -> None:
    with sleeper() as child:
        seen = process.identity(child.pid)
        assert seen is not None
        assert seen.alive()
        assert seen.signal(signal.SIGKILL)
        child.wait(5)
        assert not seen.alive()
        assert not seen.signal(signal.SIGTERM)


def test_a_number_used_again_is_somebody_else() -> None:
    mine = process.identity(os.getpid())
    assert mine is not None
    before = process.Identity(mine.pid, mine.start_time - 1)
    assert not before.alive()
    assert not before.signal(signal.SIGKILL), "the wrong process would have been killed"


def test_the_end_is_waited_for() -> None:
    with sleeper() as child:
        seen = process.identity(child.pid)
        assert seen is not None
        assert not seen.wait(0.01)
        assert not seen.wait(-1.0)
        child.kill()
        assert seen.wait(5.0)
        child.wait(5)
        assert seen.wait(0.0), "long gone"
    assert process.Identity(os.getpid(), 1).wait(0.0), "this number is somebody else's"


def test_nothing_stays_open() -> None:
    mine = process.me()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        mine.wait(0.0)
        mine.signal(signal.SIGCONT)
        process.Identity(mine.pid, 1).signal(signal.SIGKILL)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_zombie_is_gone() -> None:
    with sleeper() as child:
        seen = process.identity(child.pid)
        assert seen is not None
        child.kill()
        # WNOWAIT: look at the exit without reaping, so that the zombie stays while it is asked about.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not seen.alive()


def test_a_name_with_blanks_and_brackets_does_not_confuse(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.symlink_to(os.path.realpath(sys.executable))
    with subprocess.Popen([str(program), "-c", "import time; time.sleep(60)"]) as child:
        seen = process.identity(child.pid)
        assert seen is not None
        assert seen.alive()
        child.kill()


def test_ready_is_announced_once() -> None:
    read_end, write_end = os.pipe()
    environ = {process.READY_FD: str(write_end)}
    process.announce_ready(environ)
    assert os.read(read_end, 100) == b"ready\n"
    assert os.read(read_end, 100) == b"", "the pipe is closed after the announcement"
    os.close(read_end)
    process.announce_ready({})


def test_without_a_supervisor_nothing_happens() -> None:
    process.die_with_supervisor({})


@pytest.mark.parametrize(("handling", "end"), [("SIG_DFL", signal.SIGHUP), ("SIG_IGN", signal.SIGKILL)])
def test_an_orphan_ends_at_once(handling: str, end: signal.Signals) -> None:
    code = (
        f"import os, signal; from brickyard.lib import process; signal.signal(signal.SIGHUP, signal.{handling});"
        "process.die_with_supervisor(os.environ); print('still here')"
    )
    environ = {**os.environ, process.SUPERVISOR_PID: "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (-end, b"")


@pytest.mark.parametrize("handling", ["SIG_DFL", "SIG_IGN"])  # nohup has children ignore it
def test_a_child_dies_with_its_supervisor(tmp_path: pathlib.Path, handling: str) -> None:
    note = tmp_path / "pid"
    child = (
        "import os, sys, time; from brickyard.lib import process; process.die_with_supervisor(os.environ);"
        f"open({str(note)!r} + '.new', 'w').write(str(os.getpid())); os.rename({str(note)!r} + '.new', {str(note)!r}); time.sleep(60)"
    )
    parent = (
        f"import os, signal, subprocess, sys; signal.signal(signal.SIGHUP, signal.{handling});"
        "environ = {**os.environ, 'BRICKYARD_SUPERVISOR_PID': str(os.getpid())};"
        f"subprocess.run([sys.executable, '-c', {child!r}], env=environ)"
    )
    with subprocess.Popen([sys.executable, "-c", parent]) as started:
        deadline = time.monotonic() + 10
        while not note.exists():
            assert time.monotonic() < deadline
            os.sched_yield()
        seen = process.identity(int(note.read_text()))
        assert seen is not None
        started.kill()
        started.wait(5)
        while seen.alive():
            assert time.monotonic() < deadline
            os.sched_yield()


def test_an_orphan_is_one_whose_supervisor_is_not_its_parent() -> None:
    assert not process.orphaned({})
    assert not process.orphaned({process.SUPERVISOR_PID: str(os.getppid())})
    assert process.orphaned({process.SUPERVISOR_PID: str(os.getpid())})
