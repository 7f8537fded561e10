"""Prometheus' answers, by its documented forms."""

from __future__ import annotations

import orjson
import pytest

from brickyard.controllers.podautoscaler.sources import found, promql

QUERY = promql.Query("sum(x)")


def read(kind: str, result: object, **more: object) -> found.Found:
    page = orjson.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more})
    return QUERY.read(page, 0.0)


def test_a_scalar() -> None:
    assert read("scalar", [1700000000.1, "3.5"]) == found.Gauge((3.5,))


def test_a_vector_is_all_its_elements() -> None:
    answer = read("vector", [{"metric": {"a": "1"}, "value": [1, "2"]}, {"metric": {"a": "2"}, "value": [1, "3"]}])
    assert answer == found.Gauge((2.0, 3.0))
    assert found.Track().step(answer, 0.0) == 5.0


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf"])
def test_no_numbers_are_left_to_who_checks_them(text: str) -> None:
    assert isinstance(found.Track().step(read("scalar", [0, text]), 0.0), found.Absent)


@pytest.mark.parametrize(
    ("kind", "result", "why"),
    [
        ("vector", [], "or vector(0)"),
        ("matrix", [{"metric": {}, "values": [[1, "2"]]}], "gives a matrix"),
        ("string", [1, "x"], "gives a string"),
        ("vector", [{"metric": {}, "histogram": [1, {}]}], "gives histograms"),
        ("vector", [{"metric": {}, "value": [1, "x"]}], "no number"),
        ("vector", [{"metric": {}, "value": []}], "no number"),
        ("vector", 3, "no number"),
        ("scalar", None, "no number"),
    ],
)
def test_what_is_no_number(kind: str, result: object, why: str) -> None:
    answer = read(kind, result)
    assert isinstance(answer, found.Absent)
    assert why in answer.why


def test_warnings_are_told() -> None:
    answer = read("scalar", [0, "1"], warnings=["partial answer"])
    assert isinstance(answer, found.Gauge)
    assert answer.notes == ("Prometheus warns: partial answer",)


@pytest.mark.parametrize("page", [b"<html>", b"[]", b"", b'{"status":"success"}', b'{"data":{}}'])
def test_who_is_no_prometheus(page: bytes) -> None:
    answer = QUERY.read(page, 0.0)
    assert isinstance(answer, found.Absent)
    assert "not one of Prometheus" in answer.why


def test_refusals_are_told_in_its_own_words() -> None:
    said = b'{"status":"error","errorType":"bad_data","error":"1:5: parse error: unclosed left parenthesis"}'
    assert QUERY.refused(400, said) == (
        "Prometheus refuses the query: 1:5: parse error: unclosed left parenthesis (bad_data)"
    )
    assert QUERY.refused(502, b"<html>") == ""
    answer = QUERY.read(said, 0.0)
    assert isinstance(answer, found.Absent)
    assert "unclosed left parenthesis" in answer.why
