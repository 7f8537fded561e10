"""Nothing is left behind, and what cannot be is said. What is killed under load: ``test_kills``; what stays: ``test_restarts``."""

from __future__ import annotations

import collections
import contextlib
import json
import pathlib
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import psutil
import pytest
from tests.e2e import yard as yards

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def ask(yard: yards.Yard, *, timeout: float = 30.0) -> str:
    """One tiny completion: ``ok``, or the name of what went wrong."""
    body = json.dumps({"model": "smollm2", "prompt": "a", "max_tokens": 1}).encode()
    request = urllib.request.Request(f"{yard.gateway}/v1/completions", body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            json.load(answer)
            return "ok"
    except urllib.error.HTTPError as error:
        with error:
            return str(error.code)
    except OSError as error:
        return type(error).__name__


@contextlib.contextmanager
def load(yard: yards.Yard, clients: int = 4) -> Iterator[collections.Counter[str]]:
    """Clients that ask again and again for as long as the block runs; what they got."""
    answers: collections.Counter[str] = collections.Counter()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            answers[ask(yard)] += 1

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def test_down_after_a_killed_supervisor_still_cleans_up(yard: yards.Yard) -> None:
    yard.brickyard("serve", "brick", "--engine", "sim")
    parts = [yard.part("machine"), yard.part("gateway")]
    yard.part("up").kill()
    _, alive = psutil.wait_procs(parts, timeout=30)
    assert alive == [], "the parts die with their supervisor"
    assert yard.marks() != [], "the engine runs on"
    yard.down()
    assert yard.processes() == []
    assert yard.marks() == []


def test_load_leaks_no_descriptor(shared: yards.Yard) -> None:
    gateway = shared.part("gateway")
    with load(shared, clients=8) as answers:
        yards.until(lambda: answers["ok"] > 20)
    settled = gateway.num_fds()
    with load(shared, clients=8) as answers:
        yards.until(lambda: answers["ok"] > 60)
    yards.until(
        lambda: gateway.num_fds() <= settled + 2, what=f"{gateway.num_fds()} descriptors after, {settled} before"
    )


def test_a_decision_is_asked_for_before_there_is_one(yard: yards.Yard) -> None:
    early = yard.brickyard("why", "--last", check=False)
    assert early.returncode == 1
    assert "no request has been routed yet" in early.stderr


def test_a_second_up_says_that_it_already_runs(shared: yards.Yard) -> None:
    second = shared.brickyard("up", check=False)
    assert second.returncode == 2
    assert "already runs" in second.stderr
    assert "brickyard down" in second.stderr


@pytest.mark.parametrize("flag", ["--api-port", "--gateway-port", "--services-port"])
@pytest.mark.parametrize("mode", [(), ("--detach",)])
def test_a_port_in_use_is_named_with_the_way_out(tmp_path: pathlib.Path, flag: str, mode: tuple[str, ...]) -> None:
    yard = yards.Yard(tmp_path / "data", yards.free_port(), yards.free_port())
    ports = {
        "--api-port": yard.api_port,
        "--gateway-port": yard.gateway_port,
        "--services-port": yard.services_port,
    }
    with socket.create_server(("127.0.0.1", ports[flag])):
        words = [word for name, port in ports.items() for word in (name, str(port))]
        refused = yard.brickyard("up", *mode, *words, check=False)
    assert refused.returncode != 0
    assert str(ports[flag]) in refused.stderr
    assert flag in refused.stderr
    assert yard.processes() == []
