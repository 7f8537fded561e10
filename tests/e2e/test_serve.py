"""From a word on the command line to an answer, and back to nothing."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import openai
import pytest
from tests.e2e import yard as yards

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_a_model_is_served_and_taken_away(yard: yards.Yard) -> None:
    # What follows -- is the engine's, so the data directory stands before it.
    words = ("serve", yards.MODEL, "--name", "brick", "--data-dir", str(yard.path), "--", "--ctx-size", "512")
    said = yard.run(str(yards.BIN / "brickyard"), *words)
    assert "1/1 ready" in said.stdout
    assert f"brick is served at {yard.gateway}/v1" in said.stdout
    manifest = yard.path / "manifests" / "default.brick.yaml"
    assert "--ctx-size" in manifest.read_text()
    with openai.OpenAI(base_url=f"{yard.gateway}/v1", api_key="unused", timeout=30) as ai:
        answer = ai.completions.create(model="brick", prompt="Once upon a time", max_tokens=4)
    assert answer.choices[0].text
    happened = yard.brickyard("events").stdout
    assert "deployment/brick" in happened
    assert "pod/brick-" in happened
    gone = yard.brickyard("delete", "-f", str(manifest)).stdout
    assert gone == "service/brick deleted\ndeployment.apps/brick deleted\n"
    yards.until(lambda: not yard.objects("pods"), what="the pods go with their deployment")


def test_models_that_come_up_again_are_on_the_screen(yard: yards.Yard) -> None:
    yard.brickyard("serve", "brick", "--engine", "sim")
    yard.down()
    ports = ("--api-port", str(yard.api_port), "--gateway-port", str(yard.gateway_port))
    said = yard.brickyard("up", "--detach", *ports, "--services-port", str(yard.services_port)).stdout
    assert re.search(r"^  models +brick \([01]/1 ready\)$", said, re.MULTILINE)
    again = yard.brickyard("up", "--detach", check=False)
    assert again.returncode == 2
    assert f"Brickyard already runs in {yard.path}" in again.stderr


def test_the_doctor_says_that_a_running_yard_answers(shared: yards.Yard) -> None:
    said = shared.brickyard("doctor").stdout
    assert f"{shared.gateway} answers" in said
    assert f"https://127.0.0.1:{shared.api_port} answers" in said


@pytest.mark.parametrize("engine", ["llamacpp", "vllm", "sglang", "trtllm", "sim"])
def test_what_a_rehearsal_prints_is_a_manifest_that_the_api_takes(shared: yards.Yard, engine: str) -> None:
    words = (
        "serve",
        "hf://owner/Brick-1B",
        "--engine",
        engine,
        "--dry-run",
        "--gpus",
        "1",
        "--env",
        "A=b",
        "--replicas",
        "3",
    )
    text = shared.brickyard(*words).stdout
    said = shared.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)
    assert said.stdout.splitlines() == [
        "deployment.apps/brick-1b created (server dry run)",
        "service/brick-1b created (server dry run)",
    ]
    assert said.stderr == ""


def test_the_status_of_a_model_that_has_been_asked(shared: yards.Yard) -> None:
    shared.brickyard("chat", "smollm2", "-m", "What is a brick?", "--max-tokens", "4")
    told = json.loads(shared.brickyard("status", "-o", "json").stdout)
    assert [told[part]["answers"] for part in ("gateway", "api", "services")] == [True, True, True]
    (model,) = [each for each in told["models"] if each["name"] == "smollm2"]
    assert (model["ready"], model["trouble"]) == (2, [])
    assert model["traffic"]["requests_per_second"] > 0
    assert model["traffic"]["waiting"] == 0
    why = shared.brickyard("why", model["traffic"]["request_id"]).stdout
    assert model["traffic"]["decision"] in why


def test_the_log_of_a_part_is_followed_until_interrupted(shared: yards.Yard) -> None:
    command = [str(yards.BIN / "brickyard"), "logs", "-f", "--tail", "1", "machine", "--data-dir", str(shared.path)]
    with subprocess.Popen(
        command, env=shared.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as reading:
        assert reading.stdout is not None
        assert reading.stdout.readline().strip()
        reading.send_signal(signal.SIGINT)
        _, complaints = reading.communicate(timeout=20)
    assert (reading.returncode, complaints) == (130, "")


def test_a_gateway_that_is_away_is_named_and_the_rest_still_shown(yard: yards.Yard) -> None:
    gateway = yard.part("gateway")
    gateway.suspend()
    try:
        done = yard.brickyard("status", check=False)
    finally:
        gateway.resume()
    assert done.returncode == 1
    assert (
        f"nobody answers at {yard.gateway}: timed out; see `brickyard logs --data-dir {yard.path} gateway`"
        in done.stdout
    )
    assert "No model is served yet" in done.stdout
