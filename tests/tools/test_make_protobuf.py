"""Field numbers are read out of kubectl, and what is shipped is what was read."""

from __future__ import annotations

import gzip
import json
import pathlib
import sys

import pytest

from tools import definition_fields, gotypes, make_protobuf

KUBECTL = pathlib.Path(sys.executable).parent / "kubectl"
needs_kubectl = pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl is not installed beside this Python")


@needs_kubectl
def test_the_file_in_the_tree_is_current() -> None:
    assert make_protobuf.main(["--check"]) == 0


def test_well_known_numbers() -> None:
    messages = make_protobuf.shipped()["messages"]
    assert messages["k8s.io/api/core/v1.Pod"] == [
        [1, "metadata", "k8s.io/apimachinery/pkg/apis/meta/v1.ObjectMeta", False],
        [2, "spec", "k8s.io/api/core/v1.PodSpec", False],
        [3, "status", "k8s.io/api/core/v1.PodStatus", False],
    ]
    volume = messages["k8s.io/api/core/v1.Volume"]
    assert volume == [[1, "name", "string", False], [2, "", "k8s.io/api/core/v1.VolumeSource", False]]
    assert [2, "data", "map bytes", False] in messages["k8s.io/api/core/v1.Secret"]


def test_definitions_are_shipped_as_they_are_written_down() -> None:
    written, shipped = definition_fields.messages(), make_protobuf.shipped()
    assert {name: shipped["messages"][name] for name in written} == written
    assert set(shipped["either"]) - {make_protobuf.EXTRA} <= written.keys()
    package = definition_fields.PACKAGE
    assert written[f"{package}.CustomResourceValidation"] == [
        [1, "openAPIV3Schema", f"{package}.JSONSchemaProps", False]
    ]
    assert [29, "properties", f"map {package}.JSONSchemaProps", False] in written[f"{package}.JSONSchemaProps"]
    assert [5, "type", "string", True] in written[f"{package}.JSONSchemaProps"]


def test_numbers_and_names_of_a_message_are_unique() -> None:
    for name, rows in make_protobuf.shipped()["messages"].items():
        assert len({number for number, *_ in rows}) == len(rows), name
        assert len({key for _, key, *_ in rows if key}) == sum(bool(key) for _, key, *_ in rows), name


def test_every_form_is_a_known_word_or_message() -> None:
    messages = make_protobuf.shipped()["messages"]
    words = {"string", "int", "bool", "bytes", "double", "time", "microtime", "int-or-string", "quantity", "json"}
    forms = {form.removeprefix("list ").removeprefix("map ") for rows in messages.values() for _, _, form, _ in rows}
    assert {form.removeprefix("list ") for form in forms} <= words | messages.keys()


@needs_kubectl
def test_a_change_is_seen_and_another_release_is_not_compared(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = make_protobuf.shipped()
    target = tmp_path / "protobuf.json.gz"
    monkeypatch.setattr(make_protobuf, "TARGET", target)
    monkeypatch.setattr(make_protobuf, "ROOT", tmp_path)
    current = make_protobuf.version(KUBECTL)
    target.write_bytes(gzip.compress(json.dumps({"kubectl": current, "messages": {}}).encode()))
    assert make_protobuf.main(["--check"]) == 1
    target.write_bytes(gzip.compress(json.dumps({**content, "kubectl": "v0.0.1"}).encode()))
    assert make_protobuf.main(["--check"]) == 0
    assert "nothing compared" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"), [(b"#!/bin/sh\n", "no 64-bit"), (b"\x7fELF\x02\x01" + b"\0" * 80, "has no section")]
)
def test_what_is_no_go_program_is_refused(tmp_path: pathlib.Path, content: bytes, message: str) -> None:
    path = tmp_path / "program"
    path.write_bytes(content)
    with pytest.raises(gotypes.NotGoError, match=message):
        gotypes.Program(path)
