"""Which container a process belongs to, and what it uses: real processes."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from brickyard.embedded.kubelet import procfs
from brickyard.embedded.kubelet.usage import survey
from brickyard.lib import process

MEBI = 2**20
# Its command line is its own; what a test wants of it comes as code.
SAY_READY = "import sys; sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read()"


@contextlib.contextmanager
def running(code: str, mark: str = "", *, session: bool = True) -> Iterator[int]:
    """A Python process that has got as far as saying so; it and its session are ended."""
    env = {"PATH": os.environ["PATH"], **({procfs.COOKIE: mark} if mark else {})}
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=session,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield child.pid
    finally:
        # Whoever reads the pipe ends by itself; children of its children read it too.
        child.communicate(timeout=30)


@pytest.fixture
def mark(tmp_path: pathlib.Path) -> str:
    """Nobody else's on this machine."""
    return f"{tmp_path.name}-{os.getpid()}-{time.monotonic_ns()}/web/0"


def pids(found: dict[str, survey.Family], mark: str) -> set[int]:
    return {each.identity.pid for each in found[mark].members} if mark in found else set()


def test_a_process_is_its_cookies(mark: str) -> None:
    with running(SAY_READY, mark) as one, running(SAY_READY, mark) as other, running(SAY_READY) as stranger:
        found = survey.Survey().take()
    assert pids(found, mark) == {one, other}
    assert all(stranger not in pids(found, each) for each in found)
    assert "" not in found


def test_without_a_cookie_it_is_its_parents(mark: str) -> None:
    """A child that has left the session and lost the environment."""
    inner = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, '-c', {SAY_READY!r}], env={{}}, stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
print(child.pid, file=sys.stderr)
sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read()
child.wait()
"""
    with running(inner, mark) as parent:
        found = survey.Survey().take()
        assert parent in pids(found, mark)
        assert len(pids(found, mark)) == 2


def test_a_cookie_that_was_seen_is_not_lost(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some programs write a title over their environment."""
    with running(SAY_READY, mark) as one:
        looking = survey.Survey()
        looking.take()
        monkeypatch.setattr(procfs, "cookie", lambda pid: "")
        assert pids(looking.take(), mark) == {one}
        assert mark not in survey.Survey().take()
    assert mark not in looking.take()


def test_cpu_of_children_moves_to_the_parent(mark: str) -> None:
    burn = f"""
import os, sys, time
child = os.fork()
if not child:
    while time.process_time() < 0.3: pass
    os._exit(0)
os.waitpid(child, 0)
{SAY_READY}
"""
    with running(burn, mark):
        family = survey.Survey().take()[mark]
    assert len(family.members) == 1
    assert 0.25 < family.cpu < 5.0


def test_memory_of_one_process(mark: str) -> None:
    with running(f"held = bytearray(b'x' * {64 * MEBI}); {SAY_READY}", mark):
        family = survey.Survey().take()[mark]
        assert 64 * MEBI < family.resident() < 128 * MEBI
        assert 64 * MEBI < family.unreclaimable(10**12) <= family.resident()


def test_pages_that_are_shared_count_once(mark: str) -> None:
    """Four processes of 64 MiB that were forked from one: 64 MiB and not 256."""
    forked = f"""
import os, sys
held = bytearray(b'x' * {64 * MEBI})
for _ in range(3):
    if not os.fork():
        sys.stdin.read()
        os._exit(0)
{SAY_READY}
"""
    with running(forked, mark):
        family = survey.Survey().take()[mark]
        assert len(family.members) == 4
        assert family.resident() < 128 * MEBI
        # Only above the limit is the exact figure asked for.
        assert family.unreclaimable(10**12) > 200 * MEBI
        assert family.unreclaimable(1) < 128 * MEBI


def test_mapped_files_are_used_and_can_be_taken_back(mark: str, tmp_path: pathlib.Path) -> None:
    """A model's weights: shown, and no reason to kill."""
    weights = tmp_path / "weights"
    weights.write_bytes(b"w" * 64 * MEBI)
    code = f"""
import mmap, sys
file = open({str(weights)!r}, 'rb')
view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
total = sum(view[at] for at in range(0, len(view), 4096))
{SAY_READY}
"""
    with running(code, mark):
        family = survey.Survey().take()[mark]
        assert family.resident() > 64 * MEBI
        assert family.unreclaimable(1) < 64 * MEBI


def test_a_process_that_is_gone_uses_nothing(mark: str) -> None:
    with running(SAY_READY, mark):
        family = survey.Survey().take()[mark]
    gone = survey.Family([*family.members, *family.members])
    assert (gone.resident(), gone.unreclaimable(0)) == (0, 0)


def test_what_may_not_be_read_is_taken_from_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    member = survey.Member(process.Identity(1, 2), 0, 1, 0.0, 5 * MEBI)

    def refuse(self: pathlib.Path, **_: object) -> str:
        raise PermissionError(str(self))

    monkeypatch.setattr(pathlib.Path, "read_text", refuse)
    assert survey.Family([member, member]).resident() == 10 * MEBI
