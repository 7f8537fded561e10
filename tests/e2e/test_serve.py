"""From a word on the command line to an answer, and back to nothing."""

from __future__ import annotations

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


def test_the_doctor_says_that_a_running_yard_answers(shared: yards.Yard) -> None:
    said = shared.brickyard("doctor").stdout
    assert f"{shared.gateway} answers" in said
    assert f"https://127.0.0.1:{shared.api_port} answers" in said
