"""Each example does what its README says: its lines are run as they stand there."""

from __future__ import annotations

import pathlib
import re
import sys

import openai
import pytest
from tests.e2e import readmes
from tests.e2e import yard as yards

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LONGEST = 20
"""Lines of a README: an example is something to try, not to read."""


@pytest.mark.parametrize("readme", sorted(readmes.EXAMPLES.glob("*/README.md")), ids=lambda path: path.parent.name)
def test_a_readme_is_short(readme: pathlib.Path) -> None:
    assert len(readme.read_text().splitlines()) <= LONGEST


def test_quickstart(tmp_path: pathlib.Path, model: None) -> None:
    yard = yards.Yard(tmp_path / "data", yards.free_port(), yards.free_port(), yards.free_port())
    try:
        said = readmes.run(yard, readmes.script("quickstart"))
    finally:
        yard.down()
    assert "2/2 ready" in said
    assert "Paris" in said
    assert "chosen by least-request" in said
    assert re.search(r"^deployment.apps/smollm2 +2/2 ", said, re.MULTILINE)
    assert '"completion_tokens":8' in said
    assert yard.processes() == []


def test_two_models_behind_one_gateway(yard: yards.Yard) -> None:
    said = readmes.run(yard, readmes.script("two-models"))
    assert len(re.findall(r" created$", said, re.MULTILINE)) == 4
    for name, replicas, engine in (("smollm2", "1/1", "llamacpp"), ("double", "2/2", "sim")):
        assert re.search(rf"\(first token .* by {name}-", said)
        assert re.search(rf"^{name} +{replicas} +{engine} ", said, re.MULTILINE)
    yards.until(lambda: not yard.objects("pods"), what="the pods go with their deployments")


def test_the_demos_manifest_alone(yard: yards.Yard) -> None:
    assert "successfully rolled out" in readmes.run(yard, readmes.script("demo"))
    yards.until(lambda: not yard.objects("pods"), what="the pods go with their deployment")


def test_manifests_of_aibrix(yard: yards.Yard) -> None:
    commands = readmes.script("aibrix", without="brickyard delete")
    said = readmes.run(yard, commands)
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
    readmes.run(yard, "brickyard delete -f examples/aibrix")
    yards.until(lambda: not yard.objects("pods"), what="the pods go with their deployments")


def test_the_demo(tmp_path: pathlib.Path, model: None) -> None:
    yard = yards.Yard(tmp_path / "data", yards.free_port(), yards.free_port())
    ports = (yard.api_port, yard.gateway_port, yard.services_port)
    flags = zip(("--api-port", "--gateway-port", "--services-port"), map(str, ports), strict=True)
    words = [word for pair in flags for word in pair]
    demo = yards.ROOT / "examples" / "demo" / "demo.py"
    try:
        said = yard.run(sys.executable, str(demo), "--once", "--data-dir", str(yard.path), *words).stdout
    finally:
        yard.down()
    assert "Paris" in said
    assert re.search(r"killed process \d+ of smollm2-", said)
    assert "Brickyard is down" in said
    assert yard.processes() == []
