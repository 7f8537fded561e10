"""Keys that stand twice."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.apiserver import duplicates, testing

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"{}", []),
        (b'{"a": 1, "b": {"a": 2}}', []),
        (b'{"a": 1, "a": 2}', ["a"]),
        (b'{"a" : 1, "a"\n:\t2}', ["a"]),
        (b'{"a": 1, "\\u0061": 2}', ["a"]),
        (b'{"spec": {"x": [{"y": 1}, {"y": 1, "y": 2, "y": 3}]}}', ["spec.x[1].y"]),
        (b'{"a": {"b": 1, "b": 2}, "a": 3}', ["a.b", "a"]),
        (b'{"a": "\\":"}', []),
        (b'{"a": "\\":", "a": 1}', ["a"]),
        (b'["a", {"b": [], "b": []}]', ["[1].b"]),
    ],
)
def test_find(body: bytes, found: list[str]) -> None:
    assert list(duplicates.find(body, orjson.loads(body))) == found


@given(values)
def test_what_was_written_by_an_encoder_has_none(value: Any) -> None:
    for body in (orjson.dumps(value), json.dumps(value, indent=1).encode()):
        assert list(duplicates.find(body, orjson.loads(body))) == []


@given(st.dictionaries(st.text(), values, min_size=1, max_size=4), st.data())
def test_one_more_of_a_key_is_found(value: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(value)))
    more = b",%s:%s}" % (orjson.dumps(key), orjson.dumps(data.draw(values)))
    body = orjson.dumps(value)[:-1] + more
    assert key in duplicates.find(body, orjson.loads(body))


async def test_over_http(api: testing.Api) -> None:
    body = b'{"metadata": {"name": "a"}, "data": {"k": "1", "k": "2"}}'
    strict = await api.call("POST", f"{CONFIG_MAPS}?fieldValidation=Strict", body)
    assert (strict.code, strict.body["reason"]) == (400, "BadRequest")
    assert strict.body["message"] == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data.k"'
    )
    lax = await api.call("POST", f"{CONFIG_MAPS}?fieldValidation=Ignore&dryRun=All", body)
    assert (lax.code, "warning" in lax.headers) == (201, False)
    warned = await api.call("POST", CONFIG_MAPS, body)
    assert warned.headers["warning"] == '299 - "duplicate field \\"data.k\\""'
    assert warned.body["data"] == {"k": "2"}
    again = await api.call("PUT", f"{CONFIG_MAPS}/a", body)
    assert again.headers["warning"] == '299 - "duplicate field \\"data.k\\""'
