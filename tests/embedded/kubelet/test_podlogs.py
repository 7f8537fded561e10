"""Which log is meant, and reading and following it."""

from __future__ import annotations

import asyncio
import itertools
import pathlib

import pytest

from brickyard.api.kinds import podlogs as contract
from brickyard.embedded.kubelet import podlogs
from brickyard.embedded.kubelet.plan import messages
from brickyard.embedded.kubelet.shim import files, framing
from brickyard.embedded.kubelet.testing import World, container, pod


class Desk:
    """One pod's machine and log folder."""

    def __init__(self, folder: pathlib.Path, world: World | None = None) -> None:
        self.folder = folder
        self.world = world or World(pod())
        self.logs = podlogs.KubeletLogs(self._find)
        self.seconds = itertools.count(1_700_000_000)

    def _find(self, namespace: str, name: str) -> podlogs.Pod | None:
        here = (namespace, name) == ("default", "a")
        return podlogs.Pod(name, self.world.machine, self.log) if here else None

    def log(self, name: str, attempt: int) -> pathlib.Path:
        return self.folder / f"{name}-{attempt}.log"

    def write(self, text: str, name: str = "web", attempt: int = 0, stream: bytes = framing.STDOUT) -> None:
        """One chunk of output, a second after the one before."""
        with self.log(name, attempt).open("ab") as file:
            file.write(framing.frame(text.encode(), stream, next(self.seconds) * 10**9 + 5))

    def rotate(self, keep: int = 5) -> None:
        """As a shim does when the next byte is too much."""
        log = files.RotatingFile(str(self.log("web", 0)), 1, keep, lambda *_: b"")
        log.write(framing.frame(b"rotated\n", framing.STDERR, next(self.seconds) * 10**9))
        log.close()

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


async def test_all_that_is_kept_is_read_across_rotations(desk: Desk) -> None:
    desk.rotate()
    desk.write("four\n")
    desk.rotate()
    assert await desk.read() == "one\ntwo\nthree\nrotated\nfour\nrotated\n"
    assert await desk.read(tail_lines=4) == "three\nrotated\nfour\nrotated\n"
    assert await desk.read(tail_lines=3) == "rotated\nfour\nrotated\n"


async def test_times_are_shown_once_a_line(desk: Desk) -> None:
    desk.write("begun ")
    desk.write("and ended\nnext\n")
    assert await desk.read(timestamps=True, tail_lines=3) == (
        "2023-11-14T22:13:20.000000005Z three\n"
        "2023-11-14T22:13:21.000000005Z begun and ended\n"
        "2023-11-14T22:13:22.000000005Z next\n"
    )


@pytest.mark.parametrize(
    ("since", "expected"),
    [(0.0, "one\ntwo\nthree\nfour\nfive\n"), (1_700_000_001.0, "four\nfive\n"), (1_700_000_001.5, "five\n"), (2e9, "")],
)
async def test_since_a_time(desk: Desk, since: float, expected: str) -> None:
    desk.write("four\n")
    desk.write("five\n")
    assert await desk.read(since=since) == expected


async def test_the_tail_is_counted_before_times_are_looked_at(desk: Desk) -> None:
    desk.write("four\n")
    assert await desk.read(since=1_700_000_001.0, tail_lines=3) == "four\n"


async def test_one_stream_of_two(desk: Desk) -> None:
    desk.write("oops\n", stream=framing.STDERR)
    assert await desk.read(stream="Stderr") == "oops\n"
    assert await desk.read(stream="Stdout") == "one\ntwo\nthree\n"
    assert await desk.read() == "one\ntwo\nthree\noops\n"


async def test_following_with_times_from_a_time_on(desk: Desk) -> None:
    follower = Follower(desk, since=1_700_000_001.0, timestamps=True)
    desk.write("four\n")
    desk.rotate()
    desk.write("five\n")
    await follower.until("five\n")
    desk.world.exited()
    await asyncio.wait_for(follower.task, 5)
    assert [line.split(" ")[1] for line in follower.text.splitlines()] == ["four", "rotated", "five"]


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
    for number in range(5):
        desk.write(f"before {number}\n")
        desk.rotate()
        desk.write(f"after {number}\n")
    await follower.until("after 4\n")
    desk.world.exited()
    await asyncio.wait_for(follower.task, 5)
    assert follower.text == "one\ntwo\nthree\n" + "".join(f"before {n}\nrotated\nafter {n}\n" for n in range(5))


async def test_closing_a_follower_closes_its_files(desk: Desk) -> None:
    before = len(list(pathlib.Path("/proc/self/fd").iterdir()))
    follower = Follower(desk)
    await follower.until("three\n")
    follower.task.cancel()
    await asyncio.gather(follower.task, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    assert len(list(pathlib.Path("/proc/self/fd").iterdir())) == before
