"""pip itself, against wheels in a folder; and a program in its place for what the network does."""

import asyncio
import os
import pathlib
import select
import stat
import sys

import psutil
import pytest

from brickyard.sidecar.downloads import errors, pypi, references, testing

FILE = references.PackageFile("tiny-model", "1.0", "tiny/model.gguf")
CONTENT = os.urandom(200_000)
OFFLINE = """\
WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)': /simple/tiny-model/
ERROR: Could not find a version that satisfies the requirement tiny-model==1.0 (from versions: none)
ERROR: No matching distribution found for tiny-model==1.0
"""


def unheard(done: int, total: int | None) -> None:
    del done, total


@pytest.fixture
def environ(tmp_path: pathlib.Path) -> dict[str, str]:
    """pip sees one folder of wheels, and no network."""
    shelf = tmp_path / "shelf"
    testing.build_wheel(shelf, "tiny-model", "1.0", {"tiny/model.gguf": CONTENT})
    testing.build_wheel(shelf, "tiny-model", "1.1", {"tiny/model.gguf": b"newer"})
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(shelf),
        "PIP_CONFIG_FILE": os.devnull,
    }


@pytest.mark.slow
async def test_the_wheel_of_that_version(tmp_path: pathlib.Path, environ: dict[str, str]) -> None:
    wheel = await pypi.Pip(environ=environ).wheel(FILE, tmp_path / "work", unheard)
    assert wheel.name == "tiny_model-1.0-py3-none-any.whl"
    assert wheel.is_relative_to(tmp_path / "work")
    assert wheel.read_bytes() == (tmp_path / "shelf" / wheel.name).read_bytes()
    assert not (tmp_path / "work" / "partial").exists()


@pytest.mark.slow
async def test_a_version_that_is_not_there(tmp_path: pathlib.Path, environ: dict[str, str]) -> None:
    file = references.PackageFile("tiny-model", "9", "a")
    with pytest.raises(
        errors.ModelNotFoundError, match=r"no wheel of tiny-model==9: versions with a wheel: 1\.0, 1\.1"
    ):
        await pypi.Pip(environ=environ).wheel(file, tmp_path / "work", unheard)


@pytest.mark.slow
async def test_a_package_that_is_not_there(tmp_path: pathlib.Path, environ: dict[str, str]) -> None:
    file = references.PackageFile("no-such-model", "1", "a")
    with pytest.raises(errors.ModelNotFoundError, match="no package of that name has a wheel there"):
        await pypi.Pip(environ=environ).wheel(file, tmp_path / "work", unheard)


@pytest.mark.slow
async def test_only_wheels_are_taken(tmp_path: pathlib.Path, environ: dict[str, str]) -> None:
    (tmp_path / "shelf" / "danger-1.0.tar.gz").write_bytes(b"a source package would run its setup.py")
    with pytest.raises(errors.ModelNotFoundError):
        await pypi.Pip(environ=environ).wheel(references.PackageFile("danger", "1.0", "a"), tmp_path / "work", unheard)


def script(tmp_path: pathlib.Path, body: str) -> str:
    """A program that stands for Python, called ``-m pip download … -d FOLDER REQUIREMENT``."""
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\nimport os, pathlib, sys, time\nfolder = pathlib.Path(sys.argv[-2])\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


async def fetch(tmp_path: pathlib.Path, body: str, progress: pypi.Progress = unheard) -> pathlib.Path:
    return await pypi.Pip(python=script(tmp_path, body), environ={}).wheel(FILE, tmp_path / "work", progress)


@pytest.mark.parametrize(
    ("output", "kind", "said"),
    [
        (
            OFFLINE,
            errors.UnreachableError,
            "check the network, the proxy.*Retrying",
        ),
        ("ERROR: HTTP error 503 while getting x", errors.UnreachableError, "cannot reach the package index"),
        ("ERROR: Could not install: [Errno 28] No space left on device", errors.OutOfSpaceError, "the disk is full"),
        ("/usr/bin/python3: No module named pip", errors.CacheUnusableError, "python -m ensurepip"),
        ("one\n\ntwo\nthree\nfour\n", errors.DownloadError, "pip could not fetch tiny-model==1.0: two / three / four"),
        ("", errors.DownloadError, "it said nothing"),
    ],
)
async def test_what_pip_says_in_our_words(
    tmp_path: pathlib.Path, output: str, kind: type[errors.DownloadError], said: str
) -> None:
    with pytest.raises(errors.DownloadError, match=said) as caught:
        await fetch(tmp_path, f"sys.stderr.write({output!r})\nsys.exit(1)")
    assert type(caught.value) is kind


async def test_success_without_a_wheel_is_none(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.DownloadError, match="could not fetch"):
        await fetch(tmp_path, "pass")


async def test_endless_output_is_bounded(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.DownloadError) as caught:
        await fetch(tmp_path, "sys.stdout.write('x' * 5_000_000)\nsys.exit(1)")
    assert len(str(caught.value)) < 20_000


async def test_progress_follows_the_file_and_the_announced_size(tmp_path: pathlib.Path) -> None:
    body = """
print("Downloading tiny_model-1.0-py3-none-any.whl (3.0 kB)", flush=True)
part = pathlib.Path(os.environ["TMPDIR"]) / "part"
part.write_bytes(b"x" * 1000)
go = folder.parent / "go"
while not go.exists():
    time.sleep(0.01)
part.write_bytes(b"x" * 3500)
part.rename(folder / "tiny_model-1.0-py3-none-any.whl")
"""
    seen: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None) -> None:
        seen.append((done, total))
        if (done, total) == (1000, 3000):
            (tmp_path / "work" / "go").touch()

    async with asyncio.timeout(10):
        await fetch(tmp_path, body, progress)
    assert (1000, 3000) in seen
    assert seen[-1] == (3500, 3500)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


async def test_a_wheel_left_complete_is_not_fetched_again(tmp_path: pathlib.Path) -> None:
    ready = tmp_path / "work" / "wheel" / "tiny_model-1.0-py3-none-any.whl"
    ready.parent.mkdir(parents=True)
    ready.write_bytes(b"complete")
    assert await fetch(tmp_path, "sys.exit(1)") == ready


async def test_a_part_left_behind_is_thrown_away(tmp_path: pathlib.Path) -> None:
    part = tmp_path / "work" / "partial" / "old"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    await fetch(tmp_path, "(folder / 'a.whl').write_bytes(b'' if list(folder.parent.glob('partial/*')) else b'clean')")
    assert (tmp_path / "work" / "wheel" / "a.whl").read_bytes() == b"clean"
    assert not part.exists()


async def test_cancelling_ends_pip_and_its_children(tmp_path: pathlib.Path) -> None:
    body = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
(pathlib.Path(os.environ["TMPDIR"]) / str(os.getpid())).touch()
time.sleep(60)
"""
    ends: list[int] = []
    started = asyncio.Event()

    def progress(done: int, total: int | None) -> None:
        del done, total
        names = [int(path.name) for path in (tmp_path / "work" / "partial").glob("*")]
        if len(names) == 2 and not started.is_set():
            ends[:] = [os.pidfd_open(pid) for pid in names]
            started.set()

    work = asyncio.create_task(fetch(tmp_path, body, progress))
    await asyncio.wait_for(started.wait(), 10)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(work, 10)
    for end in ends:
        assert select.select([end], [], [], 5)[0], "still running"
        os.close(end)
    assert not (tmp_path / "work" / "partial").exists()


async def test_cancelling_before_pip_is_started_leaves_nothing(tmp_path: pathlib.Path) -> None:
    work = asyncio.create_task(fetch(tmp_path, "time.sleep(60)"))
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(work, 10)
    assert not [
        each for each in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(each.info["cmdline"] or [])
    ]
