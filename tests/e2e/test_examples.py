"""Each example does what its README says: its lines are run as they stand there."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import openai
import pytest
from tests.e2e import yard as yards

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

EXAMPLES = yards.ROOT / "examples"
LONGEST = 20
"""Lines of a README: an example is something to try, not to read."""


def script(name: str, *, without: str = "") -> str:
    """The command lines of an example's README; those that begin with ``without`` are left out."""
    text = (EXAMPLES / name / "README.md").read_text()
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).splitlines()
    return "\n".join(line for line in lines if not without or not line.startswith(without))


def run(yard: yards.Yard, text: str, *, timeout: float = 120) -> str:
    """Run lines in one shell, as a person would who works in this folder; what they print on either channel."""
    environ = {
        **yard.environ,
        "PATH": f"{yards.BIN}:{os.environ['PATH']}",
        "BRICKYARD_DATA_DIR": str(yard.path),
        "BRICKYARD_API_PORT": str(yard.api_port),
        "BRICKYARD_GATEWAY_PORT": str(yard.gateway_port),
        "BRICKYARD_SERVICES_PORT": str(yard.services_port),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", text],
        env=environ, cwd=yards.ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("readme", sorted(EXAMPLES.glob("*/README.md")), ids=lambda path: path.parent.name)
def test_a_readme_is_short(readme: pathlib.Path) -> None:
    assert len(readme.read_text().splitlines()) <= LONGEST


def test_quickstart(tmp_path: pathlib.Path, model: None) -> None:
    yard = yards.Yard(tmp_path / "data", yards.free_port(), yards.free_port(), yards.free_port())
    try:
        said = run(yard, script("quickstart"))
    finally:
        yard.down()
    assert "2/2 ready" in said
    assert "Paris" in said
    assert "chosen by least-request" in said
    assert re.search(r"^deployment.apps/smollm2 +2/2 ", said, re.MULTILINE)
    assert '"completion_tokens":8' in said
    assert yard.processes() == []


def test_two_models_behind_one_gateway(yard: yards.Yard) -> None:
    said = run(yard, script("two-models"))
    assert len(re.findall(r" created$", said, re.MULTILINE)) == 4
    for name, replicas, engine in (("smollm2", "1/1", "llamacpp"), ("double", "2/2", "sim")):
        assert re.search(rf"\(first token .* by {name}-", said)
        assert re.search(rf"^{name} +{replicas} +{engine} ", said, re.MULTILINE)
    yards.until(lambda: not yard.objects("pods"), what="the pods go with their deployments")


def test_the_demos_manifest_alone(yard: yards.Yard) -> None:
    assert "successfully rolled out" in run(yard, script("demo"))
    yards.until(lambda: not yard.objects("pods"), what="the pods go with their deployment")


def test_manifests_of_aibrix(yard: yards.Yard) -> None:
    commands = script("aibrix", without="brickyard delete")
    said = run(yard, commands)
    assert "by deepseek-r1-distill-llama-8b-" in said
    for kind, group in (("PodAutoscaler", "autoscaling"), ("ModelAdapter", "model")):
        everyone = yard.objects(f"{kind.lower()}s")
        assert everyone
        unattended = f"warning: nothing on this machine acts on {kind} of {group}.aibrix.ai"
        assert unattended in said or all(each.get("status") for each in everyone), (
            "a kind is acted on, or said not to be"
        )
    with openai.OpenAI(base_url=f"{yard.gateway}/v1", api_key="unused", timeout=30) as ai:
        served = {each.id for each in ai.models.list()}
    assert {"deepseek-r1-distill-llama-8b", "qwen-coder-1-5b-instruct"} <= served
    run(yard, "brickyard delete -f examples/aibrix")
    yards.until(lambda: not yard.objects("pods"), what="the pods go with their deployments")


VLLM = yards.ROOT / ".venv-vllm" / "bin" / "vllm"


@pytest.mark.skipif(not VLLM.exists(), reason="vLLM is not installed here: make vllm")
def test_vllm(yard: yards.Yard) -> None:
    said = run(yard, script("vllm", without="make vllm"), timeout=400)
    assert "1/1 ready" in said
    assert re.search(r"\(first token .* by tiny-", said)
    assert re.search(r"^tiny +1/1 +vllm +[0-9.]+ +0 +0 +0%", said, re.MULTILINE)
