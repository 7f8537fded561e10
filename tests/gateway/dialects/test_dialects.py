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
LEAST: dict[str, dict[str, Any]] = {
    CHAT: {"model": "m", "messages": [{"role": "user", "content": "a"}]},
    COMPLETIONS: {"model": "m", "prompt": "a"},
    EMBEDDINGS: {"model": "m", "input": "a"},
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
    assert list(registry.dialects()) == list(LEAST)
    assert all(dialect.path == path for path, dialect in registry.dialects().items())


@pytest.mark.parametrize("path", LEAST)
def test_the_least_body_is_understood(path: str) -> None:
    assert read(path, LEAST[path]) == contract.Meaning("m", False, "")


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
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
    ],
)
def test_every_shape_that_engines_take_passes(path: str, change: dict[str, Any]) -> None:
    assert read(path, LEAST[path] | change).model == "m"


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
