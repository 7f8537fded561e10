"""Logs of our own parts."""

from __future__ import annotations

import asyncio
import pathlib

import pytest

from brickyard.embedded import home, partlogs
from brickyard.embedded.kubelet.shim import files
from brickyard.lib import process


@pytest.fixture
def place(tmp_path: pathlib.Path) -> home.Home:
    found = home.Home(tmp_path)
    found.prepare()
    return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partlogs, "PAUSE", 0.005)


async def whole(place: home.Home, *, follow: bool = False, tail: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in partlogs.read(place, "gateway", follow=follow, tail=tail)])


async def test_a_part_that_never_spoke(place: home.Home) -> None:
    with pytest.raises(partlogs.NoLog, match=r"no log at .*gateway\.log"):
        await whole(place)


async def test_what_was_rotated_comes_first(place: home.Home) -> None:
    (place.logs / "gateway.log.1").write_bytes(b"one\ntwo\n")
    (place.logs / "gateway.log").write_text("three\n")
    assert await whole(place) == b"one\ntwo\nthree\n"
    assert await whole(place, tail=2) == b"two\nthree\n"


async def test_following_where_nothing_runs_ends(place: home.Home) -> None:
    (place.logs / "gateway.log").write_text("one\n")
    assert await asyncio.wait_for(whole(place, follow=True), 10) == b"one\n"


async def test_following_goes_on_until_nothing_runs(place: home.Home) -> None:
    log = place.logs / "gateway.log"
    log.write_text("one\n")
    place.write_state(home.Running(process.me(), "https://api", "http://gateway"))
    chunks = partlogs.read(place, "gateway", follow=True, tail=None)
    assert await anext(chunks) == b"one\n"
    with log.open("a") as file:
        file.write("two\n")
    assert await asyncio.wait_for(anext(chunks), 10) == b"two\n"
    (place.path / "run" / "state.json").unlink()
    assert [chunk async for chunk in chunks] == []


async def test_following_loses_nothing_to_rotations(place: home.Home) -> None:
    log = files.RotatingFile(str(place.logs / "gateway.log"), 10, 3, lambda *_: b"")
    place.write_state(home.Running(process.me(), "https://api", "http://gateway"))
    chunks, said, written = partlogs.read(place, "gateway", follow=True, tail=None), b"", b""
    reading = asyncio.ensure_future(anext(chunks))
    for number in range(12):
        line = f"line {number}\n".encode()
        log.write(line)
        written += line
        while said != written:
            said += await asyncio.wait_for(reading, 10)
            reading = asyncio.ensure_future(anext(chunks))
    (place.path / "run" / "state.json").unlink()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(reading, 10)
    log.close()
    assert len(list(place.logs.glob("gateway.log*"))) == 3


async def test_generations_come_in_the_order_they_were_closed(place: home.Home) -> None:
    for number in (10, 9, "new"):
        (place.logs / f"gateway.log.{number}").write_text(f"{number}\n")
    (place.logs / "gateway.log").write_text("now\n")
    assert await whole(place) == b"9\n10\nnow\n"
