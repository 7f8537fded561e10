"""The access log: written elsewhere than on the loop, rotated, bounded."""

from __future__ import annotations

import json
import os
import pathlib
import sys
import time
from collections.abc import Callable

import pytest

from brickyard.gateway.proxy import accesslog


def wait(condition: Callable[[], bool], limit: float = 5.0) -> None:
    """Until the writing thread has come so far."""
    give_up = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.001)


def lines(path: pathlib.Path) -> list[int]:
    return [json.loads(line)["n"] for line in path.read_text().splitlines()] if path.exists() else []


def test_lines_come_in_order_and_the_last_ones_at_the_end(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "access.log"
    log = accesslog.AccessLog(str(path))
    for n in range(2000):
        log.write({"n": n})
    log.close()
    assert lines(path) == list(range(2000))


def test_a_file_that_was_moved_away_is_followed_by_a_new_one(tmp_path: pathlib.Path) -> None:
    path, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    log = accesslog.AccessLog(str(path))
    log.write({"n": 1})
    log.flush()
    wait(lambda: lines(path) == [1])
    path.rename(moved)
    log.write({"n": 2})
    log.flush()
    wait(lambda: lines(moved) == [1, 2])
    assert not path.exists()
    log.reopen()
    log.write({"n": 3})
    log.close()
    assert (lines(moved), lines(path)) == ([1, 2], [3])


def test_where_no_new_file_can_be_made_the_old_one_goes_on(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, moved = tmp_path / "logs", tmp_path / "gone"
    folder.mkdir()
    log = accesslog.AccessLog(str(folder / "access.log"))
    folder.rename(moved)
    log.reopen()
    log.write({"n": 1})
    log.close()
    assert lines(moved / "access.log") == [1]
    assert "access log stays where it was" in caplog.text


def test_a_reader_that_does_not_read_costs_lines_and_no_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accesslog, "CLOSES_WITHIN", 0.05)
    reads, writes = os.pipe()
    with os.fdopen(writes, "wb") as full, os.fdopen(reads, "rb") as reader:
        monkeypatch.setattr(sys, "stdout", type("Stdout", (), {"buffer": full}))
        log = accesslog.AccessLog("-")
        began = time.monotonic()
        for n in range(100_000):
            log.write({"n": n})
        assert log.lost > 0
        assert log.lost % 512 == 0
        log.close()
        assert time.monotonic() - began < 5
        assert caplog.text.count("is not written fast enough") == 1
        # What had found room comes through once somebody reads, and the thread ends with it.
        kept = 100_000 - log.lost
        seen = [json.loads(reader.readline())["n"] for _ in range(kept - 100_000 % 512)]
        assert seen == list(range(len(seen)))
        log._batches.put(None, timeout=5)
        wait(lambda: not log._writer.is_alive())
