"""A model without replicas is asked for: its engine starts, the request is answered, and when nobody asks any more it sleeps again."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.e2e import yard

from brickyard.api import names

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

NAME = "sleepy"
PATIENCE = 30
"""Seconds that requests are held."""
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: sleepy, namespace: default}
spec:
  replicas: 0
  selector: {matchLabels: {app: sleepy}}
  template:
    metadata:
      labels: {app: sleepy, model.aibrix.ai/name: sleepy, model.aibrix.ai/engine: llamacpp}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: llama-server
          image: ghcr.io/ggml-org/llama.cpp:server
          args: [--model, "MODEL_PATH", --alias, sleepy, --ctx-size, "2048", --parallel, "2"]
          ports: [{containerPort: 8000}]
          readinessProbe: {httpGet: {path: /health, port: 8000}, periodSeconds: 1}
---
apiVersion: autoscaling.aibrix.ai/v1alpha1
kind: PodAutoscaler
metadata:
  name: sleepy
  namespace: default
  annotations: {autoscaling.aibrix.ai/scale-down-cooldown-window: 0s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: sleepy}
  scalingStrategy: KPA
  minReplicas: 0
  maxReplicas: 2
  observeWindowSeconds: 10
  panicWindowSeconds: 10
  metricsSources:
    - {metricSourceType: pod, protocolType: http, port: "8000", path: /metrics, targetMetric: num_requests_running, targetValue: "10"}
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, model: None) -> Iterator[yard.Yard]:
    patch = pytest.MonkeyPatch()
    patch.setenv("BRICKYARD_GATEWAY_WAKING_TIMEOUT", str(PATIENCE))
    patch.setenv("BRICKYARD_AUTOSCALER_PERIOD", "2")  # the usual ten would make the way to sleep long
    with yard.running(tmp_path_factory.mktemp("waking") / "data") as running:
        patch.undo()
        yield running


def manifest(name: str = NAME, model: str = yard.MODEL) -> str:
    return MANIFEST.replace("sleepy", name).replace("MODEL_PATH", model)


def replicas(up: yard.Yard) -> tuple[int, int]:
    """What the Deployment asks for, and how many pods there are."""
    (found,) = [each for each in up.objects("deployments") if each["metadata"]["name"] == NAME]
    return found["spec"]["replicas"], len(up.objects("pods", f"app={NAME}"))


def metrics(up: yard.Yard) -> str:
    return httpx.get(f"{up.gateway}/metrics", timeout=10).text


def ask(up: yard.Yard, model: str = NAME, timeout: float = 60, **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8, **more}
    return httpx.post(f"{up.gateway}/v1/chat/completions", json=body, timeout=timeout)


def listed(up: yard.Yard) -> dict[str, int]:
    found = httpx.get(f"{up.gateway}/v1/models", timeout=10).json()["data"]
    return {each["id"]: each["ready_endpoints"] for each in found}


def test_a_request_wakes_a_model_and_silence_puts_it_to_sleep(up: yard.Yard) -> None:
    up.kubectl("apply", "-f", "-", stdin=manifest())
    yard.until(lambda: listed(up) == {NAME: 0}, what="a model that sleeps is listed")
    assert replicas(up) == (0, 0)
    assert "asleep" in up.brickyard("status").stdout

    # Several at once: all are held, and all answered; one of them is a stream.
    with concurrent.futures.ThreadPoolExecutor(4) as crowd:
        began = time.monotonic()
        answers = list(crowd.map(lambda stream: ask(up, stream=stream), (False, True, False)))
    took = time.monotonic() - began
    assert [each.status_code for each in answers] == [200, 200, 200], [each.text for each in answers]
    assert listed(up)[NAME] >= 1

    told = httpx.get(f"{up.gateway}/debug/requests/{answers[0].headers['x-request-id']}", timeout=10).json()
    assert 0 < told["outcome"]["waking"] <= took
    assert "until the model was awake" in up.brickyard("why", answers[0].headers["x-request-id"]).stdout
    page = metrics(up)
    assert 'gateway_waking_ended_total{how="sent"} 3.0' in page
    assert "gateway_waking_seconds_count 1.0" in page

    # It is awake: the next request does not wait.
    assert ask(up).status_code == 200

    yard.until(lambda: replicas(up) == (0, 0), within=90, what="it sleeps again")
    assert listed(up) == {NAME: 0}
    said = up.brickyard("autoscaler", "explain", NAME).stdout
    assert "requests held at gateways" in said


def test_it_wakes_again(up: yard.Yard) -> None:
    assert replicas(up) == (0, 0)
    assert ask(up).status_code == 200
    (found,) = up.objects("podautoscalers")
    assert any(key.startswith(names.DEMAND_PREFIX) for key in found["metadata"]["annotations"])


def test_an_engine_that_cannot_start_is_told_to_who_waits(up: yard.Yard) -> None:
    up.kubectl("apply", "-f", "-", stdin=manifest("broken", "/nowhere/none.gguf"))
    yard.until(lambda: "broken" in listed(up), what="it is listed")
    with pytest.raises(httpx.ReadTimeout):
        ask(up, "broken", timeout=2)
    yard.until(lambda: 'gateway_waking_ended_total{how="gone"} 1.0' in metrics(up), what="its ticket left with it")
    began = time.monotonic()
    refused = ask(up, "broken")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    assert time.monotonic() - began == pytest.approx(PATIENCE, abs=3)
    error = refused.json()["error"]
    assert error["code"] == "model_not_ready"
    assert "not ready (ErrModelPull)" in error["message"]
    assert "PodAutoscaler default/broken says" in error["message"]
    assert 'gateway_waking_held{model="broken"}' not in metrics(up)
