"""What Prometheus answers to an instant query. Pure.

    resultType      number
    scalar          it
    vector          sum of its elements; without any: missing, since nothing and nothing measured look alike
    matrix, string  none: the query has to be written otherwise

Errors are told in Prometheus' own words.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson

from brickyard.controllers.podautoscaler.sources import found


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """Fills ``looks.Look``."""

    expression: str

    @property
    def key(self) -> str:
        return f"promql {self.expression}"

    def read(self, page: bytes, now: float) -> found.Found:
        answer = _object(page)
        data = answer.get("data")
        if answer.get("status") != "success" or not isinstance(data, dict):
            return found.Absent(
                _said(answer) or "the answer is not one of Prometheus' query API: correct endpoint or path"
            )
        try:
            return _result(data, _words(answer.get("warnings")))
        except (KeyError, IndexError, TypeError, ValueError):
            return found.Absent("Prometheus' answer has no number where one should be")

    def refused(self, status: int, body: bytes) -> str:
        return _said(_object(body))


def _result(data: dict[str, Any], notes: tuple[str, ...]) -> found.Found:
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return found.Gauge((float(result[1]),), notes=notes)
    if kind != "vector":
        return found.Absent(f"the query gives a {kind}: write one that gives a number, such as sum(rate(x[1m]))")
    if not result:
        return found.Absent("the query finds nothing; where nothing means 0, write so: (…) or vector(0)")
    if any("value" not in each for each in result):
        return found.Absent(
            "the query gives histograms: write one that gives a number, such as histogram_quantile(0.9, …)"
        )
    return found.Gauge(tuple(float(each["value"][1]) for each in result), notes=notes)


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def _said(answer: dict[str, Any]) -> str:
    """Prometheus' own words; "" where there are none."""
    error = answer.get("error")
    return f"Prometheus refuses the query: {error} ({answer.get('errorType', 'error')})" if error else ""


def _words(warnings: object) -> tuple[str, ...]:
    return (
        tuple(f"Prometheus warns: {each}" for each in warnings if isinstance(each, str))
        if isinstance(warnings, list)
        else ()
    )
