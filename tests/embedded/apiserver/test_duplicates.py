"""Keys that stand twice."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.apiserver import duplicates, testing

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
YAML = "application/yaml"

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


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"a: 1\nb: {a: 2}\n", []),
        (b"a: 1\na: 2\n", [(2, "a")]),
        (b'spec:\n  x:\n  - y: 1\n  - y: 1\n    "y": 2\nspec: 1\n', [(6, "spec"), (5, "y")]),
        (b'{"a": 1, "a": 2}', [(1, "a")]),
        (b'{"a": {"b": 1}, "c": ["d"]}', []),
        (b"[1, 2]", []),
        (b"", []),
    ],
)
def test_find_yaml(body: bytes, found: list[tuple[int, str]]) -> None:
    expected = [f'line {line}: key "{key}" already set in map' for line, key in found]
    assert list(duplicates.find_yaml(body, yaml.safe_load(body))) == expected


@given(values)
def test_yaml_that_was_written_by_an_encoder_has_none(value: Any) -> None:
    for body in (orjson.dumps(value), yaml.safe_dump(value).encode()):
        assert list(duplicates.find_yaml(body, value)) == []


TWICE_IN_YAML = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  k: x\n  k: y\n"
SAID = 'line 6: key "k" already set in map'


async def test_yaml_over_http(api: testing.Api) -> None:
    strict = await api.call("POST", f"{CONFIG_MAPS}?fieldValidation=Strict", TWICE_IN_YAML, content_type=YAML)
    assert (strict.code, strict.body["reason"]) == (400, "BadRequest")
    assert strict.body["message"].endswith(f"strict decoding error: yaml: unmarshal errors:\n  {SAID}")
    made = await api.call("POST", CONFIG_MAPS, TWICE_IN_YAML, content_type=YAML)
    assert (made.code, made.body["data"]) == (201, {"k": "y"})
    assert made.headers["warning"] == '299 - "line 6: key \\"k\\" already set in map"'
    quiet = await api.call("PUT", f"{CONFIG_MAPS}/a?fieldValidation=Ignore", TWICE_IN_YAML, content_type=YAML)
    assert (quiet.code, "warning" in quiet.headers) == (200, False)


async def test_an_apply_over_http(api: testing.Api) -> None:
    apply = "application/apply-patch+yaml"
    where = f"{CONFIG_MAPS}/a?fieldManager=me"
    strict = await api.call("PATCH", f"{where}&fieldValidation=Strict", TWICE_IN_YAML, content_type=apply)
    assert strict.code == 400
    assert strict.body["message"] == f"error strict decoding patch: yaml: unmarshal errors:\n  {SAID}"
    made = await api.call("PATCH", where, TWICE_IN_YAML, content_type=apply)
    assert (made.code, made.body["data"]) == (201, {"k": "y"})
    assert "already set in map" in made.headers["warning"]


@pytest.mark.parametrize(
    ("kind", "patch", "said"),
    [
        ("merge-patch", b'{"data": {"k": "1", "k": "2"}}', 'duplicate field "data.k"'),
        ("strategic-merge-patch", b'{"data": {"k": "1", "k": "2"}}', 'duplicate field "data.k"'),
        (
            "json-patch",
            b'[{"op": "add", "path": "/data", "value": {}, "value": {"k": "2"}}]',
            'json patch duplicate field "[0].value"',
        ),
    ],
)
async def test_patches_over_http(api: testing.Api, kind: str, patch: bytes, said: str) -> None:
    await api.created(CONFIG_MAPS, {"metadata": {"name": "a"}})
    media_type = f"application/{kind}+json"
    strict = await api.call("PATCH", f"{CONFIG_MAPS}/a?fieldValidation=Strict", patch, content_type=media_type)
    assert (strict.code, strict.body["reason"]) == (422, "Invalid")
    assert strict.body["message"].endswith(f"strict decoding error: {said}")
    assert strict.body["details"]["causes"][0]["field"] == "patch"
    warned = await api.call("PATCH", f"{CONFIG_MAPS}/a", patch, content_type=media_type)
    assert (warned.code, warned.body["data"]) == (200, {"k": "2"})
    assert warned.headers["warning"] == f'299 - "{said}"'.replace('"data.k"', '\\"data.k\\"').replace(
        '"[0].value"', '\\"[0].value\\"'
    )
