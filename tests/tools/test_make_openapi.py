"""The shipped OpenAPI definitions are what the source gives."""

from __future__ import annotations

import gzip
import json
import pathlib

import pytest

from tools import make_openapi


def test_the_file_in_the_tree_is_current_and_small() -> None:
    assert make_openapi.main(["--check"]) == 0
    assert make_openapi.TARGET.stat().st_size <= make_openapi.LIMIT


def test_check_sees_a_change(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = json.loads(gzip.decompress(make_openapi.TARGET.read_bytes()))
    changed["definitions"].popitem()
    target = tmp_path / "openapi.json.gz"
    target.write_bytes(gzip.compress(json.dumps(changed).encode()))
    monkeypatch.setattr(make_openapi, "TARGET", target)
    monkeypatch.setattr(make_openapi, "ROOT", tmp_path)
    assert make_openapi.main(["--check"]) == 1


def test_nulls_and_enumerations_of_the_source_are_gone() -> None:
    source = {
        "properties": {
            "kind": {"type": ["string", "null"], "enum": ["Pod"]},
            "items": {"type": ["array", "null"], "items": {"$ref": "#/$defs/a.B"}},
        },
        "type": ["object", "null"],
    }
    assert make_openapi.converted(source) == {
        "properties": {
            "kind": {"type": "string"},
            "items": {"type": "array", "items": {"$ref": "#/definitions/a.B"}},
        },
        "type": "object",
    }


def test_every_reference_is_shipped() -> None:
    definitions = make_openapi.document()["definitions"]
    text = json.dumps(definitions)
    names = {part.split('"')[0] for part in text.split('"#/definitions/')[1:]}
    assert names <= definitions.keys()
