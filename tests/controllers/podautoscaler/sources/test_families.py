"""Samples of one family, as they are written."""

from __future__ import annotations

import math

import pytest

from brickyard.controllers.podautoscaler.sources import families

READ = families.Family("q").read


@pytest.mark.parametrize(
    ("line", "samples"),
    [
        (b"q 1\n", [("", 1.0, None)]),
        (b"q 1", [("", 1.0, None)]),
        (b"q 1\r\n", [("", 1.0, None)]),
        (b"q\t1e3 \n", [("", 1000.0, None)]),
        (b'q{a="b"} 2\n', [('{a="b"}', 2.0, None)]),
        (b'q{a="} 7",b="\\"}"} 2\n', [('{a="} 7",b="\\"}"}', 2.0, None)]),
        (b"q 2 1700000000000\n", [("", 2.0, 1_700_000_000.0)]),
        (b"q 2 1700000000.5\n", [("", 2.0, 1_700_000_000.5)]),
        (b'q{a="b"} 2 # {trace="x"} 9 1700000000\n', [('{a="b"}', 2.0, None)]),
        (b"q +Inf\n", [("", math.inf, None)]),
        (b"q -Inf\n", [("", -math.inf, None)]),
        (b"q -4\n", [("", -4.0, None)]),
        (b"q 1\nq 2\n", [("", 1.0, None), ("", 2.0, None)]),
        (b"# q 1\nqq 2\naq 3\nq_total 4\nq\n", []),
        (b"", []),
    ],
)
def test_lines(line: bytes, samples: list[tuple[str, float, float | None]]) -> None:
    assert [tuple(each) for each in READ(line)] == samples


@pytest.mark.parametrize("text", [b"NaN", b"nan", b"3,5", b"twelve"])
def test_what_is_no_number_is_told_as_none(text: bytes) -> None:
    [sample] = READ(b"q " + text + b"\n")
    assert math.isnan(sample.value)


@pytest.mark.parametrize(
    ("page", "name", "kind"),
    [
        (b"# HELP q things\n# TYPE q gauge\nq 1\n", "q", "gauge"),
        (b"# TYPE q counter\nq 1\n", "q", "counter"),
        (b"# TYPE q counter\nq_total 1\n", "q_total", "counter"),
        (b"# TYPE q_total counter\nq_total 1\n", "q_total", "counter"),
        (b"# TYPE q untyped\nq 1\n", "q", ""),
        (b"# TYPE q unknown\nq 1\n", "q", ""),
        (b"# TYPE qq gauge\nq 1\n", "q", ""),
        (b"q 1\n", "q", ""),
        (b"# TYPE q summary", "q", "summary"),
    ],
)
def test_types(page: bytes, name: str, kind: str) -> None:
    assert families.Family(name).type(page) == kind


@pytest.mark.parametrize(
    ("text", "whether"),
    [("vllm:a_b1", True), ("_x", True), ("1x", False), ("a b", False), ("sum(rate(x[1m]))", False), ("", False)],
)
def test_names(text: str, whether: bool) -> None:
    assert families.is_name(text) is whether
