"""The clients that applications use, against the gateway: what they offer works, and what goes wrong arrives as the error they know."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from tests.e2e import yard as yards

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MODEL = "smollm2"
HI: Any = [{"role": "user", "content": "Say hello."}]
STORY: Any = [{"role": "user", "content": "Tell a very long story about bricks."}]
PLACE = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"]}
CITY: Any = {"type": "json_schema", "json_schema": {"name": "city", "schema": PLACE}}


@pytest.fixture
def ai(shared: yards.Yard) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{shared.gateway}/v1", api_key="unused", max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture
def claude(shared: yards.Yard) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=shared.gateway, api_key="unused", max_retries=0, timeout=60) as client:
        yield client


def idle(yard: yards.Yard) -> bool:
    """Nothing is under way, neither in the gateway nor, as far as it has heard, in an engine."""
    (model,) = httpx2.get(f"{yard.gateway}/debug/models", trust_env=False).json()["models"]
    loads = [each[name] for each in model["endpoints"] for name in ("in_flight", "running", "waiting")]
    return not any(loads)


def test_samples_and_their_probabilities(ai: openai.OpenAI) -> None:
    answer = ai.chat.completions.create(
        model=MODEL, messages=HI, max_tokens=4, n=2, seed=7, logprobs=True, top_logprobs=2, stop=["\n"]
    )
    assert [choice.index for choice in answer.choices] == [0, 1]
    for choice in answer.choices:
        assert choice.logprobs is not None
        assert choice.logprobs.content
        assert all(len(token.top_logprobs) == 2 for token in choice.logprobs.content)


def test_the_same_seed_says_the_same(ai: openai.OpenAI) -> None:
    said = {
        ai.chat.completions.create(model=MODEL, messages=HI, max_tokens=6, seed=7, temperature=1.0)
        .choices[0]
        .message.content
        for _ in range(2)
    }
    assert len(said) == 1


def test_an_answer_in_the_form_that_was_asked_for(ai: openai.OpenAI) -> None:
    answer = ai.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Where is the Eiffel tower?"}],
        max_tokens=60,
        response_format=CITY,
    )
    assert set(json.loads(answer.choices[0].message.content or "")) == {"city"}


def test_several_prompts_at_once(ai: openai.OpenAI) -> None:
    answer = ai.completions.create(model=MODEL, prompt=["A brick", "A wall"], max_tokens=2)
    assert sorted(choice.index for choice in answer.choices) == [0, 1]


def test_responses_whole_and_streamed(ai: openai.OpenAI) -> None:
    whole = ai.responses.create(model=MODEL, input="Say hello.", max_output_tokens=16)
    assert whole.output_text
    assert whole.usage is not None
    kinds = [
        event.type for event in ai.responses.create(model=MODEL, input="Say hello.", max_output_tokens=16, stream=True)
    ]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert "response.output_text.delta" in kinds


def test_embeddings(shared: yards.Yard, ai: openai.OpenAI) -> None:
    words = ("serve", yards.MODEL, "--name", "vectors", "--data-dir", str(shared.path), "--")
    shared.run(str(yards.BIN / "brickyard"), *words, "--ctx-size", "512", "--embeddings", "--pooling", "mean")
    try:
        packed = ai.embeddings.create(model="vectors", input=["a brick", "a wall", "a brick"])
        plain = ai.embeddings.create(model="vectors", input="a brick", encoding_format="float")
    finally:
        shared.brickyard("delete", "deployment/vectors", "service/vectors")
        yards.until(lambda: len(shared.objects("pods")) == 2, what="the pod goes with its deployment")
    first, second, third = (each.embedding for each in packed.data)
    assert first == pytest.approx(third, abs=1e-4)
    assert first == pytest.approx(plain.data[0].embedding, abs=1e-4)
    assert first != pytest.approx(second, abs=1e-2)
    assert len(first) == 576
    assert packed.usage.total_tokens > 0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"messages": "hello"}, "messages must be a list"),
        ({"messages": []}, "messages is empty"),
        ({"messages": HI, "temperature": "warm"}, "temperature"),
        ({"messages": [{"role": "user", "content": "hi " * 6000}]}, "exceeds the available context size"),
    ],
    ids=["no list", "no message", "the engine's own check", "too long for the model"],
)
def test_a_wrong_request_is_the_clients_fault(ai: openai.OpenAI, body: dict[str, Any], says: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ai.chat.completions.create(model=MODEL, **body)
    assert says in caught.value.message
    assert caught.value.request_id


def test_what_is_not_served_is_not_found(ai: openai.OpenAI) -> None:
    for call in (
        lambda: ai.models.retrieve("gpt-nowhere"),
        lambda: ai.embeddings.create(model="gpt-nowhere", input="a"),
        lambda: ai.moderations.create(model=MODEL, input="a"),
    ):
        with pytest.raises(openai.NotFoundError):
            call()


def test_who_does_not_wait_any_more_costs_nothing(shared: yards.Yard, ai: openai.OpenAI) -> None:
    with pytest.raises(openai.APITimeoutError):
        ai.with_options(timeout=0.3).chat.completions.create(model=MODEL, messages=STORY, max_tokens=1500)
    with ai.chat.completions.create(model=MODEL, messages=STORY, max_tokens=1500, stream=True) as stream:
        for _ in zip(range(3), stream, strict=False):
            pass
    yards.until(lambda: idle(shared), within=10, what="engines stop to generate what nobody reads")
    assert "the client closed the connection" in shared.brickyard("why", "--last").stdout


async def test_many_at_once_and_one_cancelled(shared: yards.Yard) -> None:
    async with openai.AsyncOpenAI(base_url=f"{shared.gateway}/v1", api_key="unused", max_retries=0) as ai:
        story = asyncio.create_task(ai.chat.completions.create(model=MODEL, messages=STORY, max_tokens=1500))
        asked = [ai.chat.completions.create(model=MODEL, messages=HI, max_tokens=2) for _ in range(12)]
        async with asyncio.timeout(60):
            answers = await asyncio.gather(*asked)
        story.cancel()
        with pytest.raises(asyncio.CancelledError):
            await story
    assert all(each.choices[0].message.content for each in answers)
    yards.until(lambda: idle(shared), within=10, what="a cancelled task stops its engine")


def test_messages(claude: anthropic.Anthropic) -> None:
    answer = claude.messages.create(
        model=MODEL,
        max_tokens=24,
        extra_body={"temperature": 0},
        system="Answer in one sentence.",
        messages=[{"role": "user", "content": "Where is the Eiffel tower?"}],
    )
    (block,) = answer.content
    assert block.type == "text"
    assert "Paris" in block.text
    assert answer.usage.output_tokens > 0
    assert answer.stop_reason in {"end_turn", "max_tokens"}


def test_streamed_messages(claude: anthropic.Anthropic) -> None:
    with claude.messages.stream(model=MODEL, max_tokens=8, messages=HI, extra_body={"temperature": 0}) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 2
    assert final.usage.output_tokens == 8
    assert final.stop_reason == "max_tokens"


def test_refused_messages(claude: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="smollm2"):
        claude.messages.create(model="claude-nowhere", max_tokens=8, messages=HI)
    with pytest.raises(anthropic.BadRequestError, match="messages is empty"):
        claude.messages.create(model=MODEL, max_tokens=8, messages=[])
