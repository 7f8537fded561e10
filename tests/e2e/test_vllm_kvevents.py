"""Two real vLLMs that publish their KV events, through the whole product: one manifest, and the gateway knows what each of them holds.

Both bind the same ports of one machine, as their manifest says, and have room for three prompts and a bit. Each computes in
one process, and not in two that poll for one another: they share this machine's cores.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import time
from typing import Any

import httpx2
import pytest
from tests.e2e import yard as yards

VLLM = yards.ROOT / ".venv-vllm" / "bin" / "vllm"
BLOCKS = 80
"""Of 32 tokens."""
START_WITHIN = 420

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not VLLM.exists(), reason="vLLM is not installed here: make vllm"),
]

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: tiny, namespace: default}}
spec:
  replicas: 2
  selector: {{matchLabels: {{model.aibrix.ai/name: tiny}}}}
  template:
    metadata:
      labels:
        model.aibrix.ai/name: tiny
        model.aibrix.ai/port: "8000"
        model.aibrix.ai/engine: vllm
        model.aibrix.ai/kv-events-enabled: "true"
    spec:
      terminationGracePeriodSeconds: 10
      containers:
        - name: vllm-openai
          image: vllm/vllm-openai:v0.10.0
          command:
            - vllm
            - serve
            - {model}
            - --served-model-name
            - tiny
            - --host
            - 0.0.0.0
            - --port
            - "8000"
            - --dtype
            - bfloat16
            - --max-model-len
            - "2048"
            - --enforce-eager
            - --distributed-executor-backend
            - uni
            - --enable-prompt-tokens-details
            - --enable-prefix-caching
            - --block-size
            - "32"
            - --num-gpu-blocks-override
            - "{blocks}"
            - --kv-events-config
            - '{{"enable_kv_cache_events":true,"publisher":"zmq","endpoint":"tcp://*:5557","replay_endpoint":"tcp://*:5558","topic":"kv"}}'
          env:
            - {{name: VLLM_CPU_KVCACHE_SPACE, value: "1"}}
            - {{name: HF_HUB_OFFLINE, value: "1"}}
            - {{name: VLLM_NO_USAGE_STATS, value: "1"}}
            - {{name: VLLM_ENABLE_V1_MULTIPROCESSING, value: "0"}}  # else a CPU's engine does not take "uni"
          ports: [{{containerPort: 8000}}]
          readinessProbe: {{httpGet: {{path: /health, port: 8000}}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 60}}
"""


def story(number: int) -> str:
    return "".join(
        f"Wall {number} has {line} bricks, and every brick carries the ones above it. " for line in range(28)
    )


def test_the_index_follows_what_engines_hold(yard: yards.Yard, tmp_path: pathlib.Path) -> None:
    start(yard, tmp_path)
    pods = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in yard.objects("pods")}
    assert set(heard(yard)) == set(pods), "one subscription each"

    home = ask(yard.gateway, story(0))
    yards.until(lambda: taught(yard) == 1, what="the request teaches which blocks its prompt lies in")
    assert ask(yard.gateway, story(0)) == home, "a prompt returns to where it lies"

    # Behind the gateway's back: the prompt comes to lie at the other one, and five others push it out of the first.
    (other,) = pods.keys() - {home}
    ask(f"http://{pods[other]}:8000", story(0))
    for number in range(1, 6):
        ask(f"http://{pods[home]}:8000", story(number))
    settled(yard, home, other)
    assert ask(yard.gateway, story(0)) == other, "it is known to lie there and nowhere else"
    assert re.search(r"\b(9\d|100) % of the prompt cached", yard.brickyard("why", "--last").stdout)

    yard.kubectl("delete", "pod", other, "--wait=false")
    yards.until(lambda: other not in heard(yard), what="nobody listens to a pod that is gone", within=90)
    assert ask(yard.gateway, story(0)) != other, "nobody is sent to a pod that is gone"


def start(yard: yards.Yard, folder: pathlib.Path) -> None:
    tool = yards.ROOT / "tools" / "make_tiny_llama.py"
    subprocess.run([VLLM.parent / "python", tool, folder], check=True, capture_output=True, timeout=120)
    yard.kubectl("apply", "-f", "-", stdin=MANIFEST.format(model=folder / "model", blocks=BLOCKS))
    wait = ("rollout", "status", "deployment/tiny", f"--timeout={START_WITHIN}s")
    yard.run(str(yards.BIN / "kubectl"), *wait, timeout=START_WITHIN + 30)
    yards.until(lambda: len(heard(yard)) == 2, what="the gateway listens to both")


def ask(url: str, text: str) -> str:
    """The name of the pod that the gateway chose; "" from an engine itself."""
    answer = httpx2.post(
        f"{url}/v1/chat/completions",
        json={"model": "tiny", "messages": [{"role": "user", "content": text}], "max_tokens": 4},
        headers={"routing-strategy": "prefix-cache"},
        trust_env=False,
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    return answer.headers.get("target-pod", "")


def heard(yard: yards.Yard) -> dict[str, dict[str, Any]]:
    """What the gateway knows of each publisher that it is connected to, by pod."""
    rows = httpx2.get(f"{yard.gateway}/debug/kv-events", trust_env=False, timeout=10).json()["items"]
    return {row["endpoint"].partition("/")[2].partition(":")[0]: row for row in rows if row["connected"]}


def taught(yard: yards.Yard) -> int:
    """Requests that taught the gateway where in an engine's blocks a prompt lies."""
    page = httpx2.get(f"{yard.gateway}/metrics", trust_env=False, timeout=10).text
    found = re.search(r'^gateway_kv_events_requests_total\{.*result="matched".*\} (\S+)$', page, re.MULTILINE)
    return int(float(found[1])) if found else 0


def settled(yard: yards.Yard, home: str, other: str) -> None:
    """Once ``home`` has told of what it dropped, ``other`` of what it stored, and neither tells more for a second."""

    def messages() -> int:
        rows = heard(yard)
        if not {home, other} <= rows.keys():
            return 0
        dropped, stored = (
            rows[home]["events"].get("BlockRemoved", 0),
            rows[other]["events"].get("BlockStored", 0),
        )
        return rows[home]["messages"] + rows[other]["messages"] if dropped and stored else 0

    seen: list[tuple[float, int]] = []

    def quiet() -> bool:
        now = time.monotonic()
        count = messages()
        if not seen or seen[-1][1] != count:
            seen.append((now, count))
        return bool(count) and now - seen[-1][0] > 1.0

    yards.until(quiet, what="engines tell what they hold", within=60)
