from __future__ import annotations

import os
import pathlib
import stat

import pytest

from brickyard.embedded import home
from brickyard.lib import errors, process


@pytest.fixture
def place(tmp_path: pathlib.Path) -> home.Home:
    place = home.Home(tmp_path / "data")
    place.prepare()
    return place


def test_folders_are_their_owners_only(place: home.Home) -> None:
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o700


def test_a_place_that_cannot_be_made_says_what_to_do(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.UsageError, match="cannot use data directory") as caught:
        home.Home(tmp_path / "file" / "data").prepare()
    assert "--data-dir" in caught.value.hint


def test_the_second_is_told_who_is_first(place: home.Home) -> None:
    with place.locked():
        place.write_state(home.Running(process.me(), "https://127.0.0.1:6443", "http://127.0.0.1:8888"))
        with (
            pytest.raises(home.AlreadyRunning, match=f"process {os.getpid()}, gateway http://127.0.0.1:8888") as caught,
            place.locked(),
        ):
            pass
        assert "brickyard down" in caught.value.hint
    assert place.running() is None


def test_the_lock_is_free_again_afterwards(place: home.Home) -> None:
    with place.locked():
        pass
    with place.locked():
        pass


def test_a_dead_supervisor_is_not_running(place: home.Home) -> None:
    mine = process.me()
    place.write_state(home.Running(process.Identity(mine.pid, mine.start_time - 1), "a", "b"))
    assert place.running() is None


def test_a_torn_state_is_no_state(place: home.Home) -> None:
    (place.path / "run" / "state.json").write_text("{")
    assert place.running() is None


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"BRICKYARD_DATA_DIR": "/x"}, "/x"),
        ({"XDG_DATA_HOME": "/y"}, "/y/brickyard"),
        ({"BRICKYARD_DATA_DIR": "", "XDG_DATA_HOME": ""}, os.path.expanduser("~/.local/share/brickyard")),
    ],
)
def test_where_it_lives(environ: dict[str, str], path: str) -> None:
    assert home.default_path(environ) == pathlib.Path(path)


def test_nothing_runs_in_a_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    assert home.Home(tmp_path / "file").running() is None
