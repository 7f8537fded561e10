"""The main job: a real model behind the gateway, with the openai client as witness."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess

import openai
import pytest
from tests.e2e import yard as yards

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def client(yard: yards.Yard) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{yard.gateway}/v1", api_key="unused", max_retries=0, timeout=60)


def test_the_model_is_listed(shared: yards.Yard) -> None:
    with client(shared) as ai:
        assert [model.id for model in ai.models.list()] == ["smollm2"]
        assert ai.models.retrieve("smollm2").object == "model"


def test_a_chat_is_answered_and_says_by_whom(shared: yards.Yard) -> None:
    with client(shared) as ai:
        raw = ai.chat.completions.with_raw_response.create(
            model="smollm2",
            messages=[{"role": "user", "content": "Where is the Eiffel tower?"}],
            max_tokens=24,
            temperature=0,
        )
    answer = raw.parse()
    assert "Paris" in (answer.choices[0].message.content or "")
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0
    pods = {pod["metadata"]["name"] for pod in shared.objects("pods", "model.aibrix.ai/name=smollm2")}
    assert raw.headers["target-pod"] in pods


def test_a_stream_comes_in_pieces_and_ends(shared: yards.Yard) -> None:
    with client(shared) as ai:
        stream = ai.chat.completions.create(
            model="smollm2", messages=[{"role": "user", "content": "Count to five."}], max_tokens=16, stream=True, temperature=0,
            stream_options={"include_usage": True},
        )  # fmt: skip
        chunks = list(stream)
    assert len(chunks) > 5
    assert chunks[-1].usage is not None
    assert any(chunk.choices and chunk.choices[0].finish_reason for chunk in chunks)


def test_completions_work_too(shared: yards.Yard) -> None:
    with client(shared) as ai:
        answer = ai.completions.create(model="smollm2", prompt="Once upon a time", max_tokens=8)
    assert answer.choices[0].text


def test_an_engines_own_refusal_passes_through(shared: yards.Yard) -> None:
    with client(shared) as ai, pytest.raises(openai.APIStatusError) as caught:
        ai.embeddings.create(model="smollm2", input="a brick")
    assert caught.value.status_code >= 400
    assert "embedding" in caught.value.message.lower()


def test_an_unknown_model_is_told_which_exist(shared: yards.Yard) -> None:
    with client(shared) as ai, pytest.raises(openai.NotFoundError) as caught:
        ai.chat.completions.create(model="gpt-nowhere", messages=[{"role": "user", "content": "hi"}])
    assert caught.value.code == "model_not_found"
    assert "gpt-nowhere" in caught.value.message
    assert "smollm2" in caught.value.message


def test_a_decision_can_be_asked_about(shared: yards.Yard) -> None:
    with client(shared) as ai:
        ai.completions.create(model="smollm2", prompt="Bricks", max_tokens=2, extra_headers={"x-request-id": "why-me"})
    said = shared.brickyard("why", "why-me").stdout
    assert "least-request" in said
    for pod in shared.objects("pods", "model.aibrix.ai/name=smollm2"):
        assert pod["metadata"]["name"] in said
    assert shared.brickyard("why", "--last").stdout == said
    record = json.loads(shared.brickyard("why", "--last", "--output", "json").stdout)
    assert record["request"]["id"] == "why-me"


def test_the_status_shows_model_replicas_and_addresses(shared: yards.Yard) -> None:
    said = shared.brickyard("status").stdout
    assert re.search(r"smollm2\s.*2/2", said), said
    assert shared.gateway in said


def test_the_status_is_kept_current_on_a_terminal(shared: yards.Yard) -> None:
    screen, terminal = pty.openpty()
    words = [str(yards.BIN / "brickyard"), "status", "--watch", "--data-dir", str(shared.path)]
    with subprocess.Popen(words, env=shared.environ, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        try:
            seen = b""
            while seen.count(b"2/2") < 2:  # painted, and painted again
                assert select.select([screen], [], [], 20)[0], seen
                seen += os.read(screen, 4096)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
            os.close(screen)
    assert process.returncode == 130
    refused = shared.brickyard("status", "--watch", check=False)
    assert refused.returncode == 2
    assert "--watch paints a screen" in refused.stderr


def test_both_replicas_take_part(shared: yards.Yard) -> None:
    seen = set()
    with client(shared) as ai:
        for _ in range(12):
            raw = ai.completions.with_raw_response.create(
                model="smollm2", prompt="a", max_tokens=1, extra_headers={"routing-strategy": "random"}
            )
            seen.add(raw.headers["target-pod"])
    assert len(seen) == 2, "twelve fair draws from two all came out the same: chance of one in two thousand"


def test_a_chat_in_the_terminal_streams_and_says_how_fast(shared: yards.Yard) -> None:
    words = ("--system", "Answer in one sentence.", "--max-tokens", "24", "--temperature", "0")
    done = shared.brickyard("chat", "smollm2", *words, stdin="Where is the Eiffel tower?")
    assert "Paris" in done.stdout
    told = re.fullmatch(r"\(first token after \d+ ms, \d+ tokens, [\d.]+ tokens/s, by (smollm2-\S+)\)\n", done.stderr)
    assert told, done.stderr
    assert told[1] in {pod["metadata"]["name"] for pod in shared.objects("pods")}
    refused = shared.brickyard("chat", "gpt-nowhere", "-m", "hi", check=False)
    assert refused.returncode == 1
    assert "gpt-nowhere" in refused.stderr
    assert "smollm2" in refused.stderr
