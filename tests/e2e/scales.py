"""For tests of autoscaling: workloads and what scales them, clients that keep them busy, and somebody who notes every size there was."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import json
import threading
import time
from typing import Any

import httpx2
import yaml
from tests.e2e import witnesses
from tests.e2e import yard as yards

from brickyard.api.kinds import resources
from brickyard.lib import tasks

PATIENCE = 120.0
"""Seconds that a client waits: the first engine may have a long queue when others come."""
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
LLAMA: dict[str, Any] = {
    "image": "ghcr.io/ggml-org/llama.cpp:server",
    "args": ["--model", yards.MODEL, "--ctx-size", "1024", "--parallel", "1", "--threads", "1"],
}
PAGE = {"metricSourceType": "pod", "protocolType": "http", "port": "8000", "path": "/metrics"}
"""What a source is that does not say."""
SIM: dict[str, Any] = {
    "image": "brickyard/sim:latest",
    "args": ["--any-model", "--preset", "demo", "--max-num-seqs", "1"],
}
"""One request at a time, 64 tokens in a second; its metrics page is vLLM's."""


def engines(name: str, engine: str, container: dict[str, Any]) -> str:
    """A Deployment of one replica and its Service, as a manifest."""
    labels = {"model.aibrix.ai/name": name, "model.aibrix.ai/port": "8000", "model.aibrix.ai/engine": engine}
    selector = {"model.aibrix.ai/name": name}
    ready = {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1, "failureThreshold": 10}
    main = {"name": "engine", "ports": [{"containerPort": 8000}], "readinessProbe": ready, **container}
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 2, "containers": [main]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": selector}, "template": template},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": selector},
        "spec": {"selector": selector, "ports": [{"name": "serve", "port": 8000, "targetPort": 8000}]},
    }
    return yaml.safe_dump_all([deployment, service])


def autoscaler(name: str, source: dict[str, str], *, windows: tuple[int, int], most: int, **said: str) -> str:
    """A PodAutoscaler of the Deployment ``name``, KPA, 1 to ``most``, by ``source``. ``windows`` (seconds): observed, and of panic."""
    annotations = {f"autoscaling.aibrix.ai/{key.replace('_', '-')}": value for key, value in said.items()}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "scalingStrategy": "KPA",
        "minReplicas": 1,
        "maxReplicas": most,
        "observeWindowSeconds": windows[0],
        "panicWindowSeconds": windows[1],
        "metricsSources": [source if "metricSourceType" in source else {**PAGE, **source}],
    }
    return yaml.safe_dump(
        {
            "apiVersion": resources.POD_AUTOSCALER.api_version,
            "kind": resources.POD_AUTOSCALER.kind,
            "metadata": {"name": name, "annotations": annotations},
            "spec": spec,
        }
    )


@dataclasses.dataclass(frozen=True)
class Noted:
    """From ``at`` (monotonic) on there were so many replicas."""

    at: float
    count: int


class Sizes:
    """Notes what the Deployment ``name`` is asked for, and how much of it is ready, as often as either changes."""

    def __init__(self, yard: yards.Yard, name: str) -> None:
        self.asked: list[Noted] = []
        self.ready: list[Noted] = []
        self._yard = yard
        self._path = f"{DEPLOYMENTS}/{name}"

    def watching(self) -> witnesses.Background:
        """It looks for as long as the block runs."""
        return witnesses.Background(self._watch)

    def are(self, asked: int, ready: int) -> bool:
        """Whether these are the latest sizes."""
        return bool(self.asked and self.ready) and (self.asked[-1].count, self.ready[-1].count) == (asked, ready)

    def steps(self, since: float = 0.0) -> list[int]:
        """Every size that was asked for, one after the other; the first is the one at ``since``."""
        later = [each.count for each in self.asked if each.at > since]
        return [*[each.count for each in self.asked if each.at <= since][-1:], *later]

    def shortest(self) -> float:
        """Seconds between the two changes that followed one another soonest."""
        moments = [each.at for each in self.asked[1:]]
        return min(after - before for before, after in itertools.pairwise(moments))

    def took(self, since: float, count: int) -> float:
        """Seconds from ``since`` until so many were ready."""
        return next(each.at for each in self.ready if each.at > since and each.count == count) - since

    def _watch(self, stop: threading.Event) -> None:
        with witnesses.api_client(self._yard) as api:
            while not stop.wait(0.1):
                with contextlib.suppress(httpx2.TransportError):
                    found = api.get(self._path)
                    if found.is_success:
                        self._note(found.json())

    def _note(self, found: dict[str, Any]) -> None:
        now = time.monotonic()
        ready = found.get("status", {}).get("readyReplicas", 0)
        for notes, count in ((self.asked, found["spec"]["replicas"]), (self.ready, ready)):
            if not notes or notes[-1].count != count:
                notes.append(Noted(now, count))


class Demand:
    """So many clients that each ask ``model`` for ``tokens`` tokens, again and again: as many requests are always open."""

    def __init__(self, yard: yards.Yard, model: str, *, clients: int, tokens: int, prompt: str = "a wall") -> None:
        self.answered = 0
        self.failed: collections.Counter[str] = collections.Counter()
        self._url = f"{yard.gateway}/v1/completions"
        self._bodies = [
            {"model": model, "prompt": f"{number}: {prompt}", "max_tokens": tokens, "ignore_eos": True}
            for number in range(clients)
        ]

    def working(self) -> witnesses.Background:
        """They ask for as long as the block runs, and then hang up: what still waits is nobody's any more."""
        return witnesses.Background(lambda stop: asyncio.run(self._work(stop)))

    async def _work(self, stop: threading.Event) -> None:
        limits = httpx2.Limits(max_connections=None)
        async with (
            httpx2.AsyncClient(timeout=PATIENCE, trust_env=False, limits=limits) as client,
            tasks.Scope("clients") as scope,
        ):
            for body in self._bodies:
                scope.start(self._ask(client, body), name="client")
            await asyncio.to_thread(stop.wait)

    async def _ask(self, client: httpx2.AsyncClient, body: dict[str, Any]) -> None:
        while True:
            try:
                answer = await client.post(self._url, json=body)
                trouble = "" if answer.is_success else f"{answer.status_code} {answer.text}"
            except httpx2.TransportError as error:
                trouble = type(error).__name__
            self.answered += not trouble
            if trouble:
                self.failed[trouble] += 1
                await asyncio.sleep(0.2)


def told(yard: yards.Yard, name: str) -> dict[str, Any]:
    """The status of the PodAutoscaler ``name``; empty before it has one."""
    found = json.loads(yard.kubectl("get", "podautoscaler", name, "-o", "json").stdout)
    status: dict[str, Any] = found.get("status", {})
    return status


def condition(yard: yards.Yard, name: str, kind: str) -> str:
    """Status and reason of a condition; "" where there is none."""
    found = [each for each in told(yard, name).get("conditions", []) if each["type"] == kind]
    return f"{found[0]['status']} {found[0]['reason']}" if found else ""


def events(yard: yards.Yard, name: str) -> list[tuple[str, str]]:
    """Reason and message of what was told of the PodAutoscaler ``name``, the oldest first."""
    found = [each for each in yard.objects("events") if each["involvedObject"]["kind"] == "PodAutoscaler"]
    mine = [each for each in found if each["involvedObject"]["name"] == name]
    return [(each["reason"], each["message"]) for each in sorted(mine, key=lambda each: str(each["lastTimestamp"]))]
