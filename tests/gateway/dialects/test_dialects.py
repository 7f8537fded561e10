"""What bodies mean, and what is said about those that mean nothing."""

from __future__ import annotations

from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import strategies as st

from brickyard.api.openai import errors as openai
from brickyard.gateway import errors
from brickyard.gateway.dialects import contract, registry

CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
RESPONSES, MESSAGES, RERANK, SCORE, CLASSIFY = (
    "/v1/responses",
    "/v1/messages",
    "/v1/rerank",
    "/v1/score",
    "/v1/classify",
)
IMAGES, VIDEO, TOKENIZE, DETOKENIZE = "/v1/images/generations", "/v1/video/generations", "/tokenize", "/detokenize"
COUNT = "/v1/messages/count_tokens"
FORMS = ["/v1/audio/transcriptions", "/v1/audio/translations"]
LEAST: dict[str, dict[str, Any]] = {
    CHAT: {"model": "m", "messages": [{"role": "user", "content": "a"}]},
    COMPLETIONS: {"model": "m", "prompt": "a"},
    EMBEDDINGS: {"model": "m", "input": "a"},
    RESPONSES: {"model": "m", "input": "a"},
    MESSAGES: {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]},
    COUNT: {"model": "m", "messages": [{"role": "user", "content": "a"}]},
    RERANK: {"model": "m", "query": "q", "documents": ["a"]},
    SCORE: {"model": "m", "text_1": "a", "text_2": ["b"]},
    CLASSIFY: {"model": "m", "input": "a"},
    IMAGES: {"model": "m", "prompt": "a cat"},
    VIDEO: {"model": "m", "prompt": "a cat"},
    TOKENIZE: {"model": "m", "prompt": "a"},
    DETOKENIZE: {"model": "m", "tokens": [1]},
}


def read(path: str, body: bytes | dict[str, Any]) -> contract.Meaning:
    return registry.dialects()[path].read(body if isinstance(body, bytes) else orjson.dumps(body))


def refused(path: str, body: bytes | dict[str, Any]) -> tuple[str | None, str]:
    """Param and message."""
    with pytest.raises(errors.RefusedError) as caught:
        read(path, body)
    assert caught.value.error.status == 400
    assert not caught.value.close
    return caught.value.error.param, caught.value.error.message


def test_the_registry_lists_each_dialect_under_its_path() -> None:
    assert set(registry.dialects()) == {*LEAST, *FORMS}
    assert all(dialect.path == path for path, dialect in registry.dialects().items())


@pytest.mark.parametrize("path", LEAST)
def test_the_least_body_is_understood(path: str) -> None:
    assert read(path, LEAST[path]) == contract.Meaning("m", False, "")


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, RESPONSES, MESSAGES])
def test_stream_and_user_are_read(path: str) -> None:
    assert read(path, LEAST[path] | {"stream": True, "user": "ann"}) == contract.Meaning("m", True, "ann")
    assert read(path, LEAST[path] | {"stream": None, "user": None}) == contract.Meaning("m", False, "")


@pytest.mark.parametrize("path", LEAST)
def test_what_is_unknown_passes(path: str) -> None:
    assert read(path, LEAST[path] | {"top_k": 5, "vendor": {"x": [1]}}).model == "m"


@pytest.mark.parametrize("path", LEAST)
@pytest.mark.parametrize(
    ("change", "param", "words"),
    [
        ({"model": None}, "model", "must be a string, not null"),
        ({"model": 5}, "model", "must be a string, not a number"),
        ({"model": ""}, "model", "is empty"),
        ({"stream": "true"}, "stream", "not a string"),
        ({"stream": 1}, "stream", "not a number"),
        ({"user": {}}, "user", "not an object"),
    ],
)
def test_shared_fields_are_strict(path: str, change: dict[str, Any], param: str, words: str) -> None:
    assert (told := refused(path, LEAST[path] | change))[0] == param
    assert words in told[1]


@pytest.mark.parametrize("path", LEAST)
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no body"),
        (b" ", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"model": NaN}', "not valid JSON"),
        (b'{"model": "\xff"}', "not valid JSON"),
        (b'"text"', "not a string"),
        (b"null", "not null"),
        (b"[" * 100_000, "not valid JSON"),
    ],
)
def test_what_is_no_json_object_is_said_to_be_none(path: str, body: bytes, words: str) -> None:
    assert (told := refused(path, body))[0] is None
    assert words in told[1]


@pytest.mark.parametrize(
    ("path", "change", "param", "words"),
    [
        (CHAT, {"messages": None}, "messages", "is missing"),
        (CHAT, {"messages": "hi"}, "messages", "must be a list, not a string"),
        (CHAT, {"messages": []}, "messages", "is empty"),
        (CHAT, {"messages": [{}, "hi"]}, "messages[1]", "an object with role and content"),
        (COMPLETIONS, {"prompt": None}, "prompt", "is missing"),
        (COMPLETIONS, {"prompt": []}, "prompt", "empty list"),
        (COMPLETIONS, {"prompt": 5}, "prompt", "not a number"),
        (EMBEDDINGS, {"input": None}, "input", "is missing"),
        (EMBEDDINGS, {"input": ""}, "input", "is empty"),
        (EMBEDDINGS, {"input": []}, "input", "is empty"),
        (EMBEDDINGS, {"input": {}}, "input", "not an object"),
        (EMBEDDINGS, {"stream": True}, "stream", "cannot be streamed"),
        (EMBEDDINGS, {"input": None, "messages": []}, "messages", "is empty"),
        (RESPONSES, {"input": None}, "input", "is missing"),
        (RESPONSES, {"input": 5}, "input", "not a number"),
        (RESPONSES, {"input": []}, "input", "empty list"),
        (RESPONSES, {"input": [{}, "a"]}, "input[1]", "must be an object"),
        (MESSAGES, {"messages": []}, "messages", "is empty"),
        (RERANK, {"query": None}, "query", "is missing"),
        (RERANK, {"query": ""}, "query", "is empty"),
        (RERANK, {"documents": None}, "documents", "is missing"),
        (RERANK, {"documents": "a"}, "documents", "must be a list"),
        (RERANK, {"documents": []}, "documents", "empty list"),
        (RERANK, {"documents": ["a", 5]}, "documents[1]", "not a number"),
        (RERANK, {"stream": True}, "stream", "cannot be streamed"),
        (SCORE, {"stream": True}, "stream", "cannot be streamed"),
        (CLASSIFY, {"input": None}, "input", "is missing"),
        (CLASSIFY, {"input": ""}, "input", "is empty"),
        (CLASSIFY, {"input": []}, "input", "is empty"),
        (CLASSIFY, {"input": 5}, "input", "not a number"),
        (CLASSIFY, {"input": ["a", 5]}, "input[1]", "not a number"),
        (TOKENIZE, {"stream": True}, "stream", "cannot be streamed"),
    ],
)
def test_each_endpoint_names_its_own_field(path: str, change: dict[str, Any], param: str, words: str) -> None:
    assert (told := refused(path, LEAST[path] | change))[0] == param
    assert words in told[1]


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}),
        (COMPLETIONS, {"prompt": ["a", "b"]}),
        (COMPLETIONS, {"prompt": [1, 2]}),
        (COMPLETIONS, {"prompt": ""}),
        (COMPLETIONS, {"prompt": None, "prompt_embeds": "AAAA"}),
        (EMBEDDINGS, {"input": ["a"]}),
        (EMBEDDINGS, {"input": [[1, 2], [3]]}),
        (EMBEDDINGS, {"input": None, "messages": [{"role": "user", "content": "a"}]}),
        (RESPONSES, {"input": [{"role": "user", "content": "a"}, {"type": "item_reference", "id": "x"}]}),
        (RERANK, {"documents": [{"text": "a"}]}),
        (CLASSIFY, {"input": ["a", "b"]}),
        (IMAGES, {"stream": True}),
        (TOKENIZE, {"prompt": None, "messages": [{"role": "user", "content": "a"}]}),
    ],
)
def test_every_shape_that_engines_take_passes(path: str, change: dict[str, Any]) -> None:
    assert read(path, LEAST[path] | change).model == "m"


@pytest.mark.parametrize(
    ("path", "change", "limit"),
    [
        (CHAT, {}, 0),
        (CHAT, {"max_tokens": 7}, 7),
        (CHAT, {"max_tokens": 7, "max_completion_tokens": 5}, 5),
        (COMPLETIONS, {"max_tokens": -1}, 0),
        (COMPLETIONS, {"max_tokens": "7"}, 0),
        (RESPONSES, {"max_output_tokens": 11}, 11),
        (MESSAGES, {}, 9),
    ],
)
def test_how_long_an_answer_may_be(path: str, change: dict[str, Any], limit: int) -> None:
    assert read(path, LEAST[path] | change).output_limit == limit


@pytest.mark.parametrize(
    ("path", "change", "tells"),
    [
        (CHAT, {}, True),
        (CHAT, {"stream": True}, False),
        (CHAT, {"stream": True, "stream_options": None}, False),
        (CHAT, {"stream": True, "stream_options": {"include_usage": False}}, False),
        (CHAT, {"stream": True, "stream_options": {"include_usage": True}}, True),
        (MESSAGES, {"stream": True}, True),
        (RESPONSES, {"stream": True}, True),
    ],
)
def test_who_tells_usage_unasked(path: str, change: dict[str, Any], tells: bool) -> None:
    assert read(path, LEAST[path] | change).tells_usage is tells


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, RESPONSES, MESSAGES, EMBEDDINGS, RERANK, CLASSIFY])
def test_the_prompt_begins_behind_what_differs(path: str) -> None:
    one, two = (orjson.dumps({"temperature": heat, "seed": 1} | LEAST[path]) for heat in (0.5, 0.25))
    first, second = read(path, one), read(path, two)
    assert one[first.prompt_at :] == two[second.prompt_at :] != b""
    assert orjson.loads(b"{" + one[first.prompt_at :]).items() <= orjson.loads(one).items()


def test_a_system_prompt_is_part_of_the_prompt() -> None:
    body = b'{"model":"m","system":"be kind","max_tokens":9,"messages":[{"role":"user","content":"a"}]}'
    assert body[read(MESSAGES, body).prompt_at :].startswith(b'"system":"be kind"')


def test_the_user_of_a_conversation_in_anthropics_words() -> None:
    assert read(MESSAGES, LEAST[MESSAGES] | {"metadata": {"user_id": "ann"}}).user == "ann"
    assert read(MESSAGES, LEAST[MESSAGES] | {"metadata": {"user_id": 5}}).user == ""


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.dictionaries(st.sampled_from(["model", "messages", "prompt", "input", "stream", "user"]), JSON)


def verdict(path: str, body: bytes) -> contract.Meaning | openai.ApiError:
    try:
        return read(path, body)
    except errors.RefusedError as told:
        return told.error


@hypothesis.given(st.sampled_from(list(LEAST)), FIELDS)
def test_any_body_is_understood_or_refused_with_a_field(path: str, change: dict[str, Any]) -> None:
    found = verdict(path, orjson.dumps(LEAST[path] | change))
    if isinstance(found, openai.ApiError):
        assert str(found.param).partition("[")[0] in (*change, "model")
    else:
        assert found.model
        assert isinstance(found.stream, bool)


@hypothesis.given(st.sampled_from(list(LEAST)), st.binary(max_size=40))
def test_any_bytes_are_understood_or_refused(path: str, body: bytes) -> None:
    found = verdict(path, body)
    assert isinstance(found, contract.Meaning) or found.status == 400


@pytest.mark.parametrize(
    ("tier", "priority"), [("priority", 1), ("flex", -1), ("auto", 0), ("default", 0), (None, 0), (["flex"], 0), (3, 0)]
)
def test_a_service_tier_is_a_priority(tier: Any, priority: int) -> None:
    assert read(CHAT, LEAST[CHAT] | {"service_tier": tier}).priority == priority
