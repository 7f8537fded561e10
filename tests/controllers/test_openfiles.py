"""The limit of open files, raised where that is allowed."""

from __future__ import annotations

import resource

import pytest

from brickyard.controllers import openfiles

INFINITY = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "holds", "told"),
    [
        (1024, 1_048_576, 17_408, False),
        (1024, INFINITY, 17_408, False),
        (1024, 4096, 4096, True),
        (4096, 4096, 4096, True),
        (20_000, 20_000, 20_000, False),
        (INFINITY, INFINITY, 17_408, False),
    ],
)
def test_as_far_as_needed_and_allowed(
    soft: int, hard: int, holds: int, told: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    limits = [soft, hard]

    def setrlimit(which: int, wanted: tuple[int, int]) -> None:
        assert which == resource.RLIMIT_NOFILE
        limits[:] = wanted

    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    assert openfiles.allow() == holds
    assert limits[1] == hard
    assert limits[0] in (holds, soft)
    assert (limits[0] == INFINITY) == (soft == INFINITY)
    assert bool(caplog.records) is told


def test_on_this_machine() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        assert openfiles.allow(512) == 512
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (512, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
