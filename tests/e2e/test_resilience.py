"""What is killed comes back, what is running goes on, and nothing is left behind."""

from __future__ import annotations

import collections
import contextlib
import json
import pathlib
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import psutil
import pytest
from tests.e2e import yard as yards

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SELECTOR = "model.aibrix.ai/name=smollm2"


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


def ready_pods(yard: yards.Yard) -> list[dict[str, object]]:
    def ready(pod: dict[str, object]) -> bool:
        status = pod["status"]
        assert isinstance(status, dict)
        return any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", []))

    return [pod for pod in yard.objects("pods", SELECTOR) if ready(pod)]


@pytest.fixture
def served(yard: yards.Yard) -> yards.Yard:
    yard.kubectl("apply", "-f", str(yards.DEMO))
    yard.kubectl("rollout", "status", "deployment/smollm2", "--timeout=60s")
    yards.until(lambda: ask(yard) == "ok", what="the first answer")
    return yard


def test_a_killed_replica_costs_no_request_and_comes_back(served: yards.Yard) -> None:
    victim = served.objects("pods", SELECTOR)[0]
    with load(served) as answers:
        yards.until(lambda: answers["ok"] > 10)
        yards.container_process(victim).kill()
        seen = answers["ok"]
        yards.until(lambda: answers["ok"] > seen + 20)
        yards.until(lambda: len(ready_pods(served)) == 2, within=60, what="the replica is back")
    failed = {kind: count for kind, count in answers.items() if kind != "ok"}
    # A request whose answer had begun cannot be asked again elsewhere: at most those in flight on the victim may break.
    assert sum(failed.values()) <= 4, failed
    again = next(
        pod for pod in served.objects("pods", SELECTOR) if pod["metadata"]["name"] == victim["metadata"]["name"]
    )
    assert again["status"]["containerStatuses"][0]["restartCount"] == 1


def test_a_killed_gateway_is_back_within_five_seconds(served: yards.Yard) -> None:
    gateway = served.part("gateway")
    with load(served) as answers:
        yards.until(lambda: answers["ok"] > 10)
        gateway.kill()
        seen, began = answers["ok"], time.monotonic()
        yards.until(lambda: answers["ok"] > seen + 5, within=10)
        assert time.monotonic() - began < 5
    assert served.part("gateway").pid != gateway.pid


def test_a_killed_machine_adopts_its_engines(served: yards.Yard) -> None:
    before = {yards.container_process(pod).pid for pod in served.objects("pods", SELECTOR)}
    revision = served.objects("deployments")[0]["metadata"]["uid"]
    machine = served.part("machine")
    with load(served) as answers:
        yards.until(lambda: answers["ok"] > 5)
        machine.kill()
        machine.wait(5)
        yards.until(lambda: served.kubectl("get", "nodes", check=False).returncode == 0, what="the API is back")
        yards.until(lambda: len(ready_pods(served)) == 2)
    assert {kind for kind in answers if kind != "ok"} == set(), "requests do not pass through the machine process"
    assert {yards.container_process(pod).pid for pod in served.objects("pods", SELECTOR)} == before
    assert served.objects("deployments")[0]["metadata"]["uid"] == revision
    served.kubectl("scale", "deployment/smollm2", "--replicas=1")
    yards.until(lambda: len(served.objects("pods", SELECTOR)) == 1, what="adopted containers can be stopped")


def test_state_is_kept_across_down_and_up(served: yards.Yard) -> None:
    uid = served.objects("deployments")[0]["metadata"]["uid"]
    served.down()
    assert served.processes() == []
    served.up()
    assert served.objects("deployments")[0]["metadata"]["uid"] == uid
    yards.until(lambda: len(ready_pods(served)) == 2, what="the replicas run again")
    yards.until(lambda: ask(served) == "ok", what="the model answers again")


def test_the_supervisor_killed_leaves_parts_dead_and_the_next_up_takes_over(served: yards.Yard) -> None:
    before = {yards.container_process(pod).pid for pod in served.objects("pods", SELECTOR)}
    parts = [served.part("machine"), served.part("gateway")]
    served.part("up").kill()
    _, alive = psutil.wait_procs(parts, timeout=10)
    assert alive == [], "the parts die with their supervisor"
    served.up()
    yards.until(lambda: ask(served) == "ok", what="the model answers again")
    assert {yards.container_process(pod).pid for pod in served.objects("pods", SELECTOR)} == before


def test_down_after_a_killed_supervisor_still_cleans_up(served: yards.Yard) -> None:
    parts = [served.part("machine"), served.part("gateway")]
    served.part("up").kill()
    psutil.wait_procs(parts, timeout=10)
    assert served.processes() != [], "the engines run on"
    served.down()
    assert served.processes() == []


def test_load_leaks_no_descriptor(served: yards.Yard) -> None:
    gateway = served.part("gateway")
    with load(served, clients=8) as answers:
        yards.until(lambda: answers["ok"] > 20)
    settled = gateway.num_fds()
    with load(served, clients=8) as answers:
        yards.until(lambda: answers["ok"] > 60)
    yards.until(
        lambda: gateway.num_fds() <= settled + 2, what=f"{gateway.num_fds()} descriptors after, {settled} before"
    )


def test_a_decision_is_asked_for_before_there_is_one(yard: yards.Yard) -> None:
    early = yard.brickyard("why", "--last", check=False)
    assert early.returncode == 1
    assert "no request has been routed yet" in early.stderr


def test_a_second_up_says_that_it_already_runs(yard: yards.Yard) -> None:
    second = yard.brickyard("up", check=False)
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
