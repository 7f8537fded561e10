"""`brickyard user`: against real services in a process of their own."""

from __future__ import annotations

import json
import os
import pathlib
import select
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer import testing

from brickyard.cli import main, servicecalls
from brickyard.embedded import home
from brickyard.lib import errors, process


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[home.Home]:
    """A home whose services run, on a port that they chose."""
    place = home.Home(tmp_path_factory.mktemp("home"))
    place.prepare()
    port = free_port()
    read_end, write_end = os.pipe()
    command = [sys.executable, "-m", "brickyard.cli.main", "services", "--store", place.accounts, "--port", str(port)]
    environ = {**os.environ, process.READY_FD: str(write_end)}
    with subprocess.Popen(command, env=environ, pass_fds=(write_end,), stderr=subprocess.DEVNULL) as running:
        try:
            os.close(write_end)
            assert select.select([read_end], [], [], 20)[0]
            url = f"http://127.0.0.1:{port}"
            place.write_state(home.Running(process.me(), "https://127.0.0.1:1", "http://127.0.0.1:1", url))
            yield place
        finally:
            os.close(read_end)
            running.terminate()
            assert running.wait(20) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(place: home.Home, *words: str) -> testing.Result:
    done = testing.CliRunner().invoke(main.app, ["user", *words, "--data-dir", str(place.path)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_the_life_of_a_user(services: home.Home) -> None:
    assert run(services, "create", "ada", "--rpm", "3").output == "Created User: ada\n"
    assert run(services, "update", "ada", "--tpm", "70").output == "Updated User: ada\n"
    assert run(services, "list").output.splitlines() == [
        "NAME   REQUESTS/MIN   TOKENS/MIN",
        "ada    3              70",
    ]
    listed = json.loads(run(services, "list", "-o", "json").output)
    assert listed == [{"name": "ada", "rpm": 3, "tpm": 70, "limits": {"rpm": 3, "tpm": 70}}]
    assert run(services, "delete", "ada").output == "Deleted User: ada\n"
    assert "No users" in run(services, "list").stderr


def test_the_life_of_a_key(services: home.Home) -> None:
    run(services, "create", "org/bob")
    made = run(services, "keys", "create", "org/bob", "--label", "the laptop")
    token = made.stdout.strip()
    assert token.startswith("bk-")
    listed = run(services, "keys", "list", "org/bob")
    head, row = listed.stdout.splitlines()
    assert head.split() == ["ID", "CREATED", "LABEL"]
    assert row.endswith("the laptop")
    assert token not in listed.stdout
    assert run(services, "keys", "revoke", "org/bob", row.split()[0]).exit_code == 0
    assert "no API keys" in run(services, "keys", "list", "org/bob").stderr
    run(services, "delete", "org/bob")


def test_what_is_refused_is_told(services: home.Home) -> None:
    run(services, "create", "eve")
    with pytest.raises(errors.BrickyardError, match="User: eve exists") as taken:
        run(services, "create", "eve")
    assert "user update" in taken.value.hint
    run(services, "delete", "eve")
    for words in (
        ["update", "eve", "--rpm", "1"],
        ["delete", "eve"],
        ["keys", "list", "eve"],
        ["keys", "create", "eve"],
    ):
        with pytest.raises(servicecalls.CallRefused, match="does not exist") as refused:
            run(services, *words)
        assert refused.value.status == 404
    with pytest.raises(servicecalls.CallRefused, match="printable"):
        run(services, "create", "a\tb")
    with pytest.raises(errors.UsageError, match="unknown output"):
        run(services, "list", "-o", "xml")
    assert run(services, "create", "eve", "--rpm", "-1").exit_code == 2


def test_all_pages_are_read(services: home.Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        run(services, "create", f"page{number}")
    pages: list[str] = []
    call = servicecalls.Services.call

    def small(
        self: servicecalls.Services, method: str, path: str, body: None = None, **query: str
    ) -> dict[str, object]:
        pages.append(query["after"])
        return call(self, method, path, body, limit="1", **query)

    monkeypatch.setattr(servicecalls.Services, "call", small)
    listed = json.loads(run(services, "list", "-o", "json").output)
    monkeypatch.undo()
    assert [each["name"] for each in listed] == ["page0", "page1", "page2"]
    assert pages == ["", "page0", "page1"]
    for number in range(3):
        run(services, "delete", f"page{number}")


def test_where_nothing_runs(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UsageError, match="does not run"):
        run(home.Home(tmp_path), "list")


def test_what_runs_without_services_says_so(tmp_path: pathlib.Path) -> None:
    place = home.Home(tmp_path)
    place.prepare()
    place.write_state(home.Running(process.me(), "https://127.0.0.1:1", "http://127.0.0.1:1"))
    with pytest.raises(errors.UsageError, match="without services"):
        run(place, "list")


@pytest.mark.parametrize("url", ["127.0.0.1:8090", "ftp://x"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(errors.UsageError, match="no URL"):
        testing.CliRunner().invoke(main.app, ["user", "list", "--url", url], catch_exceptions=False)


def test_nobody_there() -> None:
    with pytest.raises(servicecalls.ServicesUnreachable, match="no services answer"):
        testing.CliRunner().invoke(main.app, ["user", "list", "--url", "http://127.0.0.1:1"], catch_exceptions=False)


def test_the_token_is_shown_to_the_services_and_not_to_people() -> None:
    calls = servicecalls.Services("http://127.0.0.1:1", {servicecalls.TOKEN: "hush"})
    with calls:
        assert calls._client.headers["authorization"] == "Bearer hush"
        assert "hush" not in repr(calls)
