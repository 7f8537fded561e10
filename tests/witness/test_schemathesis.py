"""schemathesis reads our own OpenAPI and asks what it allows, and a little more: no answer is the server's fault, none is late."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import hypothesis
import pytest
import schemathesis
from schemathesis.core.result import Ok
from tests.witness import cluster as clusters
from tests.witness import test_hostile as hostile

pytestmark = pytest.mark.slow

GROUPS = [
    "api/v1",
    "apis/apps/v1",
    "apis/autoscaling.aibrix.ai/v1alpha1",
    "apis/authorization.k8s.io/v1",
    "apis/apiextensions.k8s.io/v1",  # last, since it deletes definitions
]
EXAMPLES = 4
BUDGET = 8.0
"""Seconds for each group; operations that are left then are not asked."""
FOLLOWING = ("watch", "follow")


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clusters.Cluster]:
    with clusters.running(tmp_path_factory.mktemp("schema")) as cluster:
        yield cluster


@pytest.mark.parametrize("group", GROUPS)
def test_every_operation(victim: clusters.Cluster, group: str) -> None:
    with hostile.connect(victim) as client:
        document = client.get(f"/openapi/v3/{group}").json()
        schema = schemathesis.openapi.from_dict(document)
        results = list(schema.get_all_operations())
        operations: list[Any] = [each.ok() for each in results if isinstance(each, Ok)]
        assert len(operations) == len(results), results
        assert len(operations) >= len(document["paths"])
        end = time.monotonic() + BUDGET
        asked = 0
        for operation in sorted(operations, key=lambda each: (len(each.path) * 7919) % 101):
            if time.monotonic() < end:
                asked += ask(client, operation)
        assert asked >= 2 * len(operations) or asked >= 20
        assert client.get("/readyz").text == "ok"


def ask(client: httpx2.Client, operation: Any) -> int:
    """Send a few cases of an operation; how many there were."""
    asked = 0

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy())
    def send(case: Any) -> None:
        nonlocal asked
        asked += 1
        wanted = case.as_transport_kwargs()
        params = {name: value for name, value in (wanted.get("params") or {}).items() if name not in FOLLOWING}
        request: dict[str, Any] = {"params": params, "headers": headers(wanted)}
        body = wanted.get("data")
        if wanted.get("json") is not None:
            request["json"] = wanted["json"]
        elif isinstance(body, bytes | str):
            request["content"] = body
        began = time.monotonic()
        reply = client.request(wanted["method"], wanted["url"], **request)
        hostile.answered(reply)
        assert time.monotonic() - began < hostile.SOON

    send()
    return asked


def headers(wanted: dict[str, Any]) -> dict[str, str]:
    """What the case says of its body; that it comes from a tester is no matter here."""
    found = {name.lower(): value for name, value in (wanted.get("headers") or {}).items()}
    return {name: found[name] for name in ("content-type",) if name in found}
