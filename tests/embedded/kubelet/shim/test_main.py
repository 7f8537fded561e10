"""A shim as a process: what the agent's side never shows."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from brickyard.embedded.kubelet import logtext, procfs, shims
from brickyard.embedded.kubelet.shim import main, spec
from brickyard.lib import process


class Shim:
    """One shim, started as an agent would, but looked at from outside."""

    def __init__(self, folder: pathlib.Path, code: str, **fields: object) -> None:
        self.log, self.end = folder / "log", folder / "end.json"
        self.mark = f"{folder.name}-{os.getpid()}/web/0"
        wanted: spec.Spec = {
            "argv": [sys.executable.encode(), b"-u", b"-c", code.encode()],
            "env": {procfs.COOKIE.encode(): self.mark.encode()},
            "log": str(self.log),
            "log_limit": 10_000_000,
            "log_files": 5,
            "exit": str(self.end),
        }
        wanted.update(fields)  # type: ignore[typeddict-item] # by name
        memory = os.memfd_create("spec")
        os.write(memory, spec.dump(wanted))
        os.lseek(memory, 0, os.SEEK_SET)
        argv = [sys.executable, "-I", "-S", "-c", shims.BOOT, str(shims.ROOT), self.mark]
        self.child = subprocess.Popen(argv, env={}, cwd=folder, stdin=memory, stdout=subprocess.PIPE)
        os.close(memory)

    def said(self) -> str:
        """The report; the agent's end of the pipe is closed after it."""
        assert self.child.stdout is not None
        with self.child.stdout as pipe:
            return pipe.readline().decode()

    def text(self) -> str:
        text = logtext.Text(logtext.ALL)
        return (text.feed(self.log.read_bytes()) + text.end()).decode()

    def over(self) -> bool:
        """Whether nothing of the container is left."""
        return not self.left()

    def left(self) -> list[process.Identity]:
        return [each.identity for each in procfs.strays({self.mark.partition("/")[0]}, ())]


@pytest.fixture
def shim(tmp_path: pathlib.Path) -> Iterator[Callable[..., Shim]]:
    made = []

    def make(code: str, **fields: object) -> Shim:
        made.append(Shim(tmp_path, code, **fields))
        return made[-1]

    yield make
    for each in made:
        each.child.kill()
        each.child.wait()
        if each.child.stdout is not None:
            each.child.stdout.close()
        until(each.over)


def until(what: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.005)


Make = Callable[..., Shim]


def test_a_life(shim: Make) -> None:
    one = shim("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    word, pid, start = one.said().split()
    assert (word, int(pid) > 1, int(start) > 1) == (spec.STARTED, True, True)
    assert one.child.wait(10) == 0
    assert sorted(one.text().split()) == ["err", "out"]
    told = json.loads(one.end.read_bytes())
    assert (told["exitCode"], told["signal"]) == (3, 0)
    assert told["finishedAt"] == pytest.approx(time.time(), abs=20)
    assert [each.name for each in one.end.parent.iterdir() if ".new" in each.name] == []


def test_death_by_signal(shim: Make) -> None:
    one = shim("import os; os.kill(os.getpid(), 15)")
    one.said()
    one.child.wait(10)
    told = json.loads(one.end.read_bytes())
    assert (told["exitCode"], told["signal"]) == (0, 15)


def test_a_program_that_is_not_there(shim: Make) -> None:
    one = shim("", argv=[b"/no/such/program"])
    assert one.said() == "refused 2 /no/such/program\n"
    assert one.child.wait(10) == 0
    assert not one.end.exists()


def test_a_log_that_cannot_be_opened(shim: Make, tmp_path: pathlib.Path) -> None:
    (tmp_path / "folder").mkdir()
    one = shim("", log=str(tmp_path / "folder"))
    assert one.said() == f"refused 21 {tmp_path}/folder\n"


def test_nobody_to_report_to_is_the_end_of_the_container(shim: Make) -> None:
    one = shim("import time; time.sleep(60)")
    assert one.child.stdout is not None
    one.child.stdout.close()
    one.child.wait(10)
    assert json.loads(one.end.read_bytes())["signal"] == 9
    assert one.over()


def test_when_the_shim_is_killed_the_kernel_ends_the_container(shim: Make) -> None:
    one = shim("import time; time.sleep(60)")
    one.said()
    assert len(one.left()) == 1
    one.child.kill()
    one.child.wait()
    until(one.over)
    assert not one.end.exists()


def test_what_the_leader_leaves_behind_is_ended_without_any_agent(shim: Make) -> None:
    code = (
        "import subprocess, sys\n"
        "for number in range(3):\n"
        "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(63)'], start_new_session=bool(number), env={})\n"
        "print('done')"
    )
    one = shim(code)
    one.said()
    one.child.wait(20)
    assert one.text() == "done\n"
    running = [pathlib.Path(f"/proc/{each.identity.pid}/cmdline") for each in procfs.table() if not each.dead]
    assert not any(b"time.sleep(63)" in words for words in map(_words, running))


def _words(path: pathlib.Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


def test_orphans_are_reaped_while_the_leader_lives(shim: Make) -> None:
    code = (
        "import os, sys, time\n"
        "for _ in range(20):\n"
        "    if os.fork() == 0:\n"
        "        if os.fork() == 0: time.sleep(0.01)\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
        "print('forked')\n"
        "time.sleep(60)"
    )
    one = shim(code)
    one.said()
    until(lambda: one.log.exists() and one.text() == "forked\n")
    until(lambda: len([each for each in procfs.table() if each.parent == one.child.pid]) == 1)


def test_a_container_waits_while_its_log_cannot_be_written(shim: Make, tmp_path: pathlib.Path) -> None:
    """Nothing grows meanwhile but the pipe, which is full after 64 KiB."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    code = "import os\nfor n in range(100): os.write(1, b'x' * 65536); open('n', 'w').write(str(n))"
    one = shim(code, log=str(tmp_path / "pipe"))
    one.said()
    last, settled = "", 0
    while settled < 20:
        time.sleep(0.01)
        now = (tmp_path / "n").read_text() if (tmp_path / "n").exists() else ""
        settled, last = (settled + 1, last) if now == last else (0, now)
    assert last == "" or int(last) < 10
    assert one.child.poll() is None
    os.set_blocking(reader, True)
    total = 0
    while chunk := os.read(reader, 1 << 20):
        total += len(chunk)
    os.close(reader)
    assert total > 100 * 65536
    assert one.child.wait(10) == 0


def test_how_an_end_is_written() -> None:
    assert json.loads(main.end_text(3, 0, 1.5)) == {"exitCode": 3, "signal": 0, "finishedAt": 1.5}


def test_a_processs_start_time_is_that_of_its_identity() -> None:
    me = process.me()
    assert main.start_time(me.pid) == me.start_time
