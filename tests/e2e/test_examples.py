"""Each example does what its own first lines say."""

from __future__ import annotations

import openai
import pytest
from tests.e2e import yard as yards

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_two_models_behind_one_gateway(yard: yards.Yard) -> None:
    applied = yard.brickyard("apply", "-f", "examples/two-models").stdout
    assert applied.count(" created\n") == 4
    for name in ("smollm2", "double"):
        yard.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")
    with openai.OpenAI(base_url=f"{yard.gateway}/v1", api_key="unused", timeout=30) as ai:
        yards.until(lambda: {each.id for each in ai.models.list()} == {"smollm2", "double"}, what="both are listed")
    for name in ("smollm2", "double"):
        said = yard.brickyard("chat", name, "-m", "What is a brick?", "--max-tokens", "8")
        assert said.stdout.strip()
        assert f"by {name}-" in said.stderr
    status = yard.brickyard("status").stdout.split()
    assert {"llamacpp", "sim", "1/1", "2/2"} <= set(status)
    yard.brickyard("delete", "-f", "examples/two-models")
    yards.until(lambda: not yard.objects("pods"), what="the pods go with their deployments")
