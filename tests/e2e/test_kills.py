"""`kill -9` of every part at random moments under load: nothing acknowledged is lost, nobody is orphaned, service is back in seconds."""

from __future__ import annotations

import contextlib
import os
import random
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import httpx2
import psutil
import pytest
from tests.e2e import witnesses
from tests.e2e import yard as yards

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SEED = 20
BACK = 5.0
"""Seconds within which service is to be back after any kill."""
MODEL = "smollm2"
CHURN = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: churn}
spec:
  selector: {matchLabels: {app: churn}}
  template:
    metadata: {labels: {app: churn}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: brickyard/host, command: [sleep, "600"]}]
"""
SCALE = "/apis/apps/v1/namespaces/default/deployments/churn/scale"
BROKEN = {"APIConnectionError", "RemoteProtocolError", "ReadError"}
"""What a client sees whose connection ends under it."""


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory, model: None) -> Iterator[yards.Yard]:
    """One for all kills: what an earlier one damaged, a later one finds."""
    with yards.running(tmp_path_factory.mktemp("kills") / "data") as own:
        own.kubectl("apply", "-f", str(yards.DEMO))
        own.kubectl("apply", "-f", "-", stdin=CHURN)
        own.kubectl("rollout", "status", "deployment/smollm2", "--timeout=60s")
        yield own


@pytest.fixture(scope="module")
def writer(yard: yards.Yard) -> witnesses.Writer:
    return witnesses.Writer(yard)


def churn(yard: yards.Yard, chance: random.Random) -> witnesses.Background:
    """Pods come and go, so that a kill finds some on their way."""

    def work(stop: threading.Event) -> None:
        with witnesses.api_client(yard) as api:
            while not stop.wait(0.3):
                size = {"spec": {"replicas": chance.randint(0, 4)}}
                with contextlib.suppress(httpx2.TransportError):
                    api.patch(SCALE, json=size, headers=witnesses.MERGE)

    return witnesses.Background(work)


def answers(url: str, context: ssl.SSLContext | None = None) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def patience() -> float:
    """``BACK``, and in proportion longer on a machine that others keep busy: asked before this test adds its own load."""
    return BACK * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class Victims:
    """Who is killed, by the name of the kind."""

    def __init__(self, yard: yards.Yard) -> None:
        self._yard = yard

    def find(self, kind: str, turn: int) -> list[psutil.Process]:
        if kind in {"engine", "shim"}:
            pods = sorted(self.engines(), key=lambda pod: str(pod["metadata"]["name"]))
            engine = yards.container_process(pods[turn % len(pods)])
            parent = engine.parent()
            assert parent is not None
            return [engine if kind == "engine" else parent]
        if kind == "everything but engines":
            return [self._yard.part(each) for each in ("machine", "services", "gateway")]
        return [self._yard.part("up" if kind == "supervisor" else kind)]

    def engines(self) -> list[dict[str, Any]]:
        return self._yard.objects("pods", f"model.aibrix.ai/name={MODEL}")

    def ready(self) -> list[dict[str, Any]]:
        return [pod for pod in self.engines() if ready(pod)]

    def identities(self) -> set[tuple[str, int]]:
        """Every run of an engine: its process and how often its container was started again."""
        states = [pod["status"]["containerStatuses"][0] for pod in self.engines()]
        return {(state.get("containerID", ""), state["restartCount"]) for state in states}


def kill(yard: yards.Yard, kind: str, turn: int) -> float:
    """Kill; the moment from which service is missed. Nobody restores a supervisor but its user, so that is when `up` is through."""
    victims = Victims(yard).find(kind, turn)
    parts = [yard.part(each) for each in ("machine", "services", "gateway")]
    moment = time.monotonic()
    for each in victims:
        each.kill()
    _, alive = psutil.wait_procs(victims, timeout=2)
    assert alive == []
    if kind == "supervisor":
        _, alive = psutil.wait_procs(parts, timeout=6 * BACK)
        assert alive == [], "the parts die with their supervisor"
        yard.up()
        moment = time.monotonic()
    return moment


def served(yard: yards.Yard, crowd: witnesses.Crowd, writer: witnesses.Writer) -> None:
    """Return once every service was of use after now."""
    answered, acknowledged = crowd.answered(), writer.acknowledged
    yards.until(lambda: answers(f"http://127.0.0.1:{yard.services_port}/readyz"), what="the services are back")
    yards.until(lambda: answers(f"{yard.gateway}/readyz"), what="the gateway is back")
    yards.until(lambda: crowd.answered() > answered, what="a model answers")
    yards.until(lambda: writer.acknowledged > acknowledged, what="the API server acknowledges")


def wanted(yard: yards.Yard) -> list[str]:
    """The marks that there are to be: one process for each container that runs, and nobody else."""
    return sorted(
        f"{pod['metadata']['uid']}/{state['name']}/{state['restartCount']}"
        for pod in yard.objects("pods")
        for state in pod["status"].get("containerStatuses", [])
    )


def ready(pod: dict[str, Any]) -> bool:
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def settled(yard: yards.Yard) -> bool:
    pods = yard.objects("pods")
    return len(pods) == 4 and all(ready(each) for each in pods) and yard.marks() == wanted(yard)


def tolerable(kind: str, began: bool, trouble: str) -> bool:
    """Which failures of requests a kill of this kind may cause: the gateway's cut all, an engine's only what had begun."""
    if kind in {"gateway", "supervisor", "everything but engines"}:
        return trouble in BROKEN | {"503"}
    if kind in {"engine", "shim"}:
        return began and trouble in BROKEN | {"APIError"}
    return False


@pytest.mark.parametrize(
    "kind", ["machine", "gateway", "services", "everything but engines", "supervisor", "engine", "shim"]
)
def test_service_is_back_and_nothing_is_lost(yard: yards.Yard, writer: witnesses.Writer, kind: str) -> None:
    chance = random.Random(f"{SEED} {kind}")
    victims = Victims(yard)
    crowd = witnesses.Crowd(yard, MODEL, streaming=2, plain=1)
    before, limit = victims.identities(), patience()
    with crowd.working(), writer.working(), churn(yard, chance):
        served(yard, crowd, writer)
        for turn in range(1 if kind == "shim" else 2):
            yards.until(lambda: len(victims.ready()) == 2, what="a replica stays when one is killed")
            time.sleep(chance.uniform(0, 1))
            moment = kill(yard, kind, turn)
            served(yard, crowd, writer)
            took = time.monotonic() - moment
            assert took < limit, f"{kind}: {took:.1f} s of {limit:.1f} s"
            if kind not in {"engine", "shim"}:
                assert victims.identities() == before, "engines are adopted, not started again"
    intolerable = {each: n for each, n in crowd.troubles().items() if not tolerable(kind, *each)}
    assert intolerable == {}
    yard.kubectl("scale", "deployment/churn", "--replicas=2")
    yards.until(lambda: settled(yard), what="two pods of each deployment, a process for each and nobody else")
    writer.check()
    started = sum(count for _, count in victims.identities()) - sum(count for _, count in before)
    assert started == {"engine": 2, "shim": 1}.get(kind, 0), "who was killed is started again, once, and nobody else"
