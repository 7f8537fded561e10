"""A real vLLM through the whole product: from the lines of its example's README to its deletion, one engine for all of it."""

from __future__ import annotations

import json
import re

import openai
import pytest
from tests.e2e import readmes
from tests.e2e import yard as yards

VLLM = yards.ROOT / ".venv-vllm" / "bin" / "vllm"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not VLLM.exists(), reason="vLLM is not installed here: make vllm"),
]

PROMPT = "The wall is made of bricks, and every brick carries the ones above it. " * 8


def test_vllm(yard: yards.Yard) -> None:
    lines = readmes.script("vllm", without="make vllm").splitlines()
    (goodbye,) = [line for line in lines if line.startswith("brickyard delete")]
    said = readmes.run(yard, "\n".join(line for line in lines if line != goodbye), timeout=400)
    assert "1/1 ready" in said
    assert re.search(r"\(first token .* by tiny-", said)
    assert re.search(r"^tiny +1/1 +vllm +[0-9.]+ +0 +0 +0%", said, re.MULTILINE)

    asked(yard)
    seen(yard)

    readmes.run(yard, goodbye)
    yards.until(lambda: not yard.objects("pods"), what="the pod goes with its deployment")
    assert yard.marks() == [], "the engine's own processes go too"


def asked(yard: yards.Yard) -> None:
    """What applications do."""
    with openai.OpenAI(base_url=f"{yard.gateway}/v1", api_key="unused", max_retries=0, timeout=60) as ai:
        assert [each.id for each in ai.models.list()] == ["tiny"]
        whole = ai.chat.completions.create(model="tiny", messages=[{"role": "user", "content": PROMPT}], max_tokens=8)
        assert whole.usage is not None
        assert whole.usage.completion_tokens > 0
        stream = ai.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": PROMPT}], max_tokens=8, stream=True,
            stream_options={"include_usage": True}, extra_body={"ignore_eos": True},
        )  # fmt: skip
        chunks = list(stream)
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens == 8
        assert any(choice.finish_reason == "length" for chunk in chunks for choice in chunk.choices)
        with pytest.raises(openai.BadRequestError, match="2048"):
            ai.completions.create(model="tiny", prompt=PROMPT * 80, max_tokens=8)
    why = yard.brickyard("why", "--last").stdout
    assert "the only endpoint of tiny" in why


def seen(yard: yards.Yard) -> None:
    """What operators do."""
    (model,) = json.loads(yard.brickyard("status", "-o", "json").stdout)["models"]
    assert (model["name"], model["engine"], model["ready"], model["trouble"]) == ("tiny", "vllm", 1, [])
    logs = yard.kubectl("logs", "deployment/tiny").stdout
    assert "vLLM" in logs
    assert "/v1/chat/completions" in logs
    (pod,) = yard.objects("pods")
    told = yard.kubectl("exec", "deployment/tiny", "--", "sh", "-c", "echo $BRICKYARD_POD_IP $VLLM_CPU_KVCACHE_SPACE")
    assert told.stdout.split() == [pod["status"]["podIP"], "1"]
    (line,) = yard.kubectl("top", "pods", "--no-headers").stdout.splitlines()
    assert int(line.split()[2].removesuffix("Mi")) > 500, "all its processes count"
    uid = pod["metadata"]["uid"]
    marks = yard.marks()
    assert len(marks) > 1, "the server and its engine"
    assert all(each.startswith(f"{uid}/") for each in marks)
