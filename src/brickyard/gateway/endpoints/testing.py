"""Pods, engines' readers and a page source with plain-field knobs."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from brickyard.api import names, serving
from brickyard.api.kinds import resources
from brickyard.lib import pages


@dataclasses.dataclass
class FakePod:
    """Writes a pod object as the API server would show it."""

    name: str = "demo-a"
    namespace: str = "default"
    uid: str = "u1"
    model: str = "demo"
    address: str = "10.0.0.1"
    ready: bool = True
    terminating: bool = False
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    annotations: dict[str, str] = dataclasses.field(default_factory=dict)
    env: dict[str, str] = dataclasses.field(default_factory=dict)

    def object(self) -> resources.Object:
        """The pod; its model label is left out when ``model`` is "", its address when ``address`` is."""
        labels = ({names.MODEL_NAME: self.model} if self.model else {}) | self.labels
        meta: dict[str, Any] = {
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "labels": labels,
            "annotations": self.annotations,
            "creationTimestamp": "2026-01-02T03:04:05Z",
        }
        if self.terminating:
            meta["deletionTimestamp"] = "2026-01-02T04:00:00Z"
        status: dict[str, Any] = {
            "phase": "Running" if self.address else "Pending",
            "conditions": [{"type": "Ready", "status": "True" if self.ready else "False"}],
        }
        if self.address:
            status["podIP"] = self.address
        env = [{"name": name, "value": value} for name, value in self.env.items()]
        return {"metadata": meta, "spec": {"containers": [{"name": "engine", "env": env}]}, "status": status}


@dataclasses.dataclass
class FakeReader:
    """Takes a page as the number of running requests; ``parsed`` counts how often it had to."""

    path: str = "/metrics"
    parsed: int = 0

    def parse(self, page: bytes) -> serving.EngineLoad:
        self.parsed += 1
        return serving.EngineLoad(running=float(page))


@dataclasses.dataclass
class FakePages:
    """Serves ``page`` after ``delay`` seconds, or misses while ``down``; keeps the URLs asked for and how many at once."""

    page: bytes = b"1"
    down: bool = False
    delay: float = 0.0
    asked: list[str] = dataclasses.field(default_factory=list)
    open: int = 0

    async def get(self, url: str) -> bytes:
        self.asked.append(url)
        self.open += 1
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.open -= 1
        if self.down:
            raise pages.PageMissed(f"{url} is down")
        return self.page
