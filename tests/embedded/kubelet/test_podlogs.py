"""Reading, following and rotating logs."""

from __future__ import annotations

import asyncio
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import podlogs as contract
from brickyard.embedded.kubelet import podlogs
from brickyard.embedded.kubelet.plan import messages
from brickyard.embedded.kubelet.testing import World, container, pod


class Desk:
    """One pod's machine and log folder."""

    def __init__(self, folder: pathlib.Path, world: World | None = None) -> None:
        self.folder = folder
        self.world = world or World(pod())
        self.logs = podlogs.KubeletLogs(self._find)

    def _find(self, namespace: str, name: str) -> podlogs.Pod | None:
        here = (namespace, name) == ("default", "a")
        return podlogs.Pod(name, self.world.machine, self.log) if here else None

    def log(self, name: str, attempt: int) -> pathlib.Path:
        return self.folder / f"{name}-{attempt}.log"

    def write(self, text: str, name: str = "web", attempt: int = 0) -> None:
        with self.log(name, attempt).open("a") as file:
            file.write(text)

    async def read(self, **fields: object) -> str:
        query = contract.PodLogQuery("default", "a", **fields)  # type: ignore[arg-type] # by name
        return b"".join([each async for each in await self.logs.open(query)]).decode()


@pytest.fixture
def desk(tmp_path: pathlib.Path) -> Desk:
    one = Desk(tmp_path)
    one.world.started()
    one.write("one\ntwo\nthree\n")
    return one


async def test_the_whole_log(desk: Desk) -> None:
    assert await desk.read() == "one\ntwo\nthree\n"


@pytest.mark.parametrize(("tail", "expected"), [(0, ""), (1, "three\n"), (2, "two\nthree\n"), (9, "one\ntwo\nthree\n")])
async def test_the_tail(desk: Desk, tail: int, expected: str) -> None:
    assert await desk.read(tail_lines=tail) == expected


async def test_a_last_line_without_end_counts(desk: Desk) -> None:
    desk.write("fo")
    assert await desk.read(tail_lines=2) == "three\nfo"


@pytest.mark.parametrize(("limit", "expected"), [(1, "o"), (5, "one\nt"), (999, "one\ntwo\nthree\n")])
async def test_a_limit_of_bytes(desk: Desk, limit: int, expected: str) -> None:
    assert await desk.read(limit_bytes=limit) == expected


async def test_an_empty_log_is_no_error(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path)
    desk.world.started()
    desk.write("")
    assert await desk.read() == ""
    assert await desk.read(tail_lines=5) == ""


# Which run.


async def test_previous_is_the_run_before(desk: Desk) -> None:
    desk.world.exited()
    desk.world.started()
    desk.write("second\n", attempt=1)
    assert await desk.read(previous=True) == "one\ntwo\nthree\n"
    assert await desk.read() == "second\n"


async def test_a_container_that_is_down_shows_its_last_run(desk: Desk) -> None:
    desk.world.exited()
    desk.world.started()
    desk.write("second\n", attempt=1)
    desk.world.exited()
    assert await desk.read() == "second\n"
    assert await desk.read(previous=True) == "one\ntwo\nthree\n"


async def refused(desk: Desk, **fields: object) -> str:
    with pytest.raises(contract.LogsUnavailable) as caught:
        await desk.read(**fields)
    return str(caught.value)


async def test_no_previous_run(desk: Desk) -> None:
    assert await refused(desk, previous=True) == 'previous terminated container "web" in pod "a" not found'


async def test_a_log_that_was_cleared_away(desk: Desk) -> None:
    desk.log("web", 0).unlink()
    assert "is not kept any more" in await refused(desk)


async def test_a_program_that_could_not_be_run_has_no_log_but_a_reason(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path)
    for attempt in range(2):
        desk.world.give(messages.Exited("web", attempt, 128, "exec: 'x': not found", "StartError"))
        desk.world.wait(30.0)
    told = 'container "web" in pod "a" never ran: exec: \'x\': not found'
    assert await refused(desk) == await refused(desk, previous=True) == told


async def test_a_container_that_waits(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path)
    assert await refused(desk) == 'container "web" in pod "a" is waiting to start: ContainerCreating'
    desk.world.start_failed("ErrImageNeverPull", "add a line")
    assert (await refused(desk)).endswith("is waiting to start: ErrImageNeverPull: add a line")


async def test_a_container_that_waits_for_others(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path, World(pod(init=[container("one")])))
    assert (await refused(desk)).endswith("is waiting to start: PodInitializing")


async def test_times_are_not_recorded(desk: Desk) -> None:
    assert "leave out --timestamps" in await refused(desk, timestamps=True)


async def test_a_pod_that_is_not_here(desk: Desk) -> None:
    with pytest.raises(contract.LogsUnavailable, match='pod "b" has not been started'):
        await desk.logs.open(contract.PodLogQuery("default", "b"))


async def test_the_choice_of_a_container(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path, World(pod(container(), container("log"), init=[container("one")])))
    said = await refused(desk)
    assert said == (
        "a container name must be specified for pod a, choose one of: [web log] or one of the init containers: [one]"
    )
    assert await refused(desk, container="nope") == "container nope is not valid for pod a"
    desk.world.started("one")
    desk.write("init\n", "one")
    assert await desk.read(container="one") == "init\n"


# Following.


class Follower:
    """Collects what a follow yields."""

    def __init__(self, desk: Desk, **fields: object) -> None:
        self.text = ""
        self.task = asyncio.create_task(self._run(desk, fields))

    async def _run(self, desk: Desk, fields: dict[str, object]) -> None:
        query = contract.PodLogQuery("default", "a", follow=True, **fields)  # type: ignore[arg-type] # by name
        async for each in await desk.logs.open(query):
            self.text += each.decode()

    async def until(self, text: str) -> None:
        async with asyncio.timeout(5):
            while text not in self.text:
                await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podlogs, "FOLLOW_PAUSE", 0.005)


async def test_following_goes_on_until_the_container_ends(desk: Desk) -> None:
    follower = Follower(desk)
    await follower.until("three\n")
    desk.write("four\n")
    await follower.until("four\n")
    assert not follower.task.done()
    desk.write("last words\n")
    desk.world.exited()
    await asyncio.wait_for(follower.task, 5)
    assert follower.text == "one\ntwo\nthree\nfour\nlast words\n"


async def test_following_from_the_tail(desk: Desk) -> None:
    follower = Follower(desk, tail_lines=1)
    await follower.until("three\n")
    desk.write("four\n")
    desk.world.exited()
    await asyncio.wait_for(follower.task, 5)
    assert follower.text == "three\nfour\n"


async def test_following_a_run_ends_with_it_even_if_another_begins(desk: Desk) -> None:
    follower = Follower(desk)
    await follower.until("three\n")
    desk.world.exited()
    desk.world.started()
    desk.write("second\n", attempt=1)
    await asyncio.wait_for(follower.task, 5)
    assert "second" not in follower.text


async def test_following_survives_rotation(desk: Desk) -> None:
    follower = Follower(desk)
    await follower.until("three\n")
    desk.write("before\n")
    assert podlogs.rotate(desk.log("web", 0), 12)
    desk.write("after\n")
    await follower.until("after\n")
    desk.world.exited()
    await asyncio.wait_for(follower.task, 5)
    assert follower.text == "one\ntwo\nthree\nbefore\nafter\n"


async def test_closing_a_follower_closes_its_files(desk: Desk) -> None:
    before = len(list(pathlib.Path("/proc/self/fd").iterdir()))
    follower = Follower(desk)
    await follower.until("three\n")
    follower.task.cancel()
    await asyncio.gather(follower.task, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    assert len(list(pathlib.Path("/proc/self/fd").iterdir())) == before


# Rotation.


async def test_rotation_keeps_one_old_generation(desk: Desk) -> None:
    path = desk.log("web", 0)
    assert not podlogs.rotate(path, 100)
    assert podlogs.rotate(path, 10)
    assert path.read_text() == ""
    desk.write("four\n")
    assert await desk.read() == "one\ntwo\nthree\nfour\n"
    assert await desk.read(tail_lines=2) == "three\nfour\n"
    desk.write("five\nsix\n")
    assert podlogs.rotate(path, 10)
    assert await desk.read() == "four\nfive\nsix\n"


def test_a_process_goes_on_appending_after_rotation(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "log"
    with path.open("ab", buffering=0) as process:
        process.write(b"x" * 50)
        assert podlogs.rotate(path, 10)
        process.write(b"new\n")
    assert path.read_bytes() == b"new\n"


async def test_of_a_log_that_grew_too_fast_only_the_end_is_kept(desk: Desk) -> None:
    path = desk.log("web", 0)
    with path.open("w") as file:
        file.writelines(f"line {number:06}\n" for number in range(100_000))
    assert podlogs.rotate(path, 60_000)
    old = podlogs.old_generation(path).stat()
    assert old.st_blocks * 512 <= 120_000 + 4096
    text = await desk.read()
    assert text.startswith("line 090000\n")
    assert text.endswith("line 099999\n")
    assert len(text) == 120_000


async def test_a_follower_that_is_behind_finds_its_place_in_the_old_generation(desk: Desk) -> None:
    follower = Follower(desk)
    await follower.until("three\n")
    desk.write("".join(f"line {number:06}\n" for number in range(10_000)))
    assert podlogs.rotate(desk.log("web", 0), 60_000)
    desk.write("after\n")
    await follower.until("after\n")
    assert follower.text == "one\ntwo\nthree\n" + "".join(f"line {number:06}\n" for number in range(10_000)) + "after\n"
    desk.world.exited()
    await asyncio.wait_for(follower.task, 5)


async def test_a_log_that_somebody_else_cut_is_followed_on(desk: Desk) -> None:
    follower = Follower(desk)
    await follower.until("three\n")
    desk.log("web", 0).write_text("")
    desk.write("new\n")
    await follower.until("new\n")
    desk.world.exited()
    await asyncio.wait_for(follower.task, 5)


def test_rotating_what_is_not_there(tmp_path: pathlib.Path) -> None:
    assert not podlogs.rotate(tmp_path / "log", 10)


# Last words.


def test_last_words_of_a_short_log(tmp_path: pathlib.Path) -> None:
    (tmp_path / "log").write_text("a\nb\n\n")
    assert podlogs.last_words(tmp_path / "log") == "a\nb"
    assert podlogs.last_words(tmp_path / "none") == ""


@given(st.binary(max_size=6000))
def test_last_words_are_bounded_and_whole_lines(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("logs") / "log"
    path.write_bytes(content)
    words = podlogs.last_words(path)
    assert len(words.splitlines()) <= podlogs.LAST_WORDS_LINES
    assert len(words) <= podlogs.LAST_WORDS_BYTES


def test_last_words_begin_with_a_whole_line(tmp_path: pathlib.Path) -> None:
    (tmp_path / "log").write_text("".join(f"line {number}\n" for number in range(5000)))
    lines = podlogs.last_words(tmp_path / "log").splitlines()
    assert lines[0].startswith("line ")
    assert lines[-1] == "line 4999"
    assert len(lines) == podlogs.LAST_WORDS_LINES
