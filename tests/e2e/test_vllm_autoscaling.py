"""Real vLLMs by the use of their KV caches: one, three while many long prompts are open, one again.

Each has room for three such prompts with their answers and a bit. They have to share this machine's cores, which engines do not otherwise
do: so each computes in one process, and not in two that poll for one another.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import time

import pytest
from tests.e2e import scales
from tests.e2e import yard as yards

VLLM = yards.ROOT / ".venv-vllm" / "bin" / "vllm"
START_WITHIN = 420
"""Seconds for one engine, or two at once, on a machine that is busy."""
BLOCKS, BLOCK = 40, 32
ONE_PROCESS = ("--enforce-eager", "--distributed-executor-backend", "uni")
ENVIRON = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # else a CPU's engine does not take "uni"
}
COOLDOWN = "autoscaling.aibrix.ai/scale-down-cooldown-window"
READY = {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 2, "timeoutSeconds": 10, "failureThreshold": 60}
"""Patient: two engines that start leave the one that serves little of a small machine."""
PROMPT = "A wall is made of bricks, and every brick carries the ones above it. " * 9

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not VLLM.exists(), reason="vLLM is not installed here: make vllm"),
]


def test_vllm_by_the_use_of_its_kv_cache(yard: yards.Yard, tmp_path: pathlib.Path) -> None:
    start(yard, tmp_path)
    source = {"targetMetric": "gpu_cache_usage_perc", "targetValue": "30"}
    scaler = scales.autoscaler("tiny", source, windows=(30, 10), most=3)
    yard.kubectl("apply", "-f", "-", stdin=scaler)
    yards.until(lambda: scales.condition(yard, "tiny", "Ready") == "True AsExpected", what="the autoscaler is content")
    sizes, demand = scales.Sizes(yard, "tiny"), scales.Demand(yard, "tiny", clients=8, tokens=160, prompt=PROMPT)
    with sizes.watching():
        with demand.working():
            began = time.monotonic()
            yards.until(lambda: sizes.are(asked=3, ready=3), within=2 * START_WITHIN, what="three are ready")
            yards.until(lambda: "3 pods measured" in explained(yard), what="three are measured")
            assert re.search(r"gpu_cache_usage_perc is a share of 1 and its target 30 percent", explained(yard))
        # The usual five minutes, which outlast the dips while two engines start, are long for a test.
        yard.kubectl("annotate", "podautoscaler", "tiny", f"{COOLDOWN}=10s")
        ended = time.monotonic()
        yards.until(lambda: sizes.are(asked=1, ready=1), within=240, what="one is left")
    assert [each.count for each in sizes.asked if each.at < ended] == [1, 2, 3]
    assert sorted(sizes.steps(ended), reverse=True) == sizes.steps(ended)
    assert demand.answered > 5
    assert [each for each in scales.events(yard, "tiny") if "from 2 to 3: gpu_cache_usage_perc" in each[1]]
    print(
        f"third ready after {sizes.took(began, 3):.1f} s, one left {sizes.took(ended, 1):.1f} s after the last request"
    )


def explained(yard: yards.Yard) -> str:
    return yard.brickyard("autoscaler", "explain", "tiny").stdout


def start(yard: yards.Yard, folder: pathlib.Path) -> None:
    """One vLLM, ready."""
    tool = yards.ROOT / "tools" / "make_tiny_llama.py"
    subprocess.run([VLLM.parent / "python", tool, folder], check=True, capture_output=True, timeout=120)
    flags = {"served-model-name": "tiny", "dtype": "bfloat16", "max-model-len": 512, "max-num-seqs": 8}
    cache = {"block-size": BLOCK, "num-gpu-blocks-override": BLOCKS}
    words = [word for name, value in {**flags, **cache}.items() for word in (f"--{name}", str(value))]
    container = {
        "image": "vllm/vllm-openai:v0.10.0",
        "command": ["vllm", "serve", str(folder / "model"), *words, *ONE_PROCESS],
        "readinessProbe": READY,
        "env": [{"name": name, "value": value} for name, value in ENVIRON.items()],
    }
    yard.kubectl("apply", "-f", "-", stdin=scales.engines("tiny", "vllm", container))
    wait = ("rollout", "status", "deployment/tiny", f"--timeout={START_WITHIN}s")
    yard.run(str(yards.BIN / "kubectl"), *wait, timeout=START_WITHIN + 30)
