"""One number of the whole, told by a service or by Prometheus."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib import parse

import orjson
import pytest

from brickyard.assembly import engines
from brickyard.controllers.podautoscaler.sources import sources, testing
from brickyard.kube.client import testing as kube
from brickyard.lib import clock
from brickyard.scaling import contract as scaling


@contextlib.asynccontextmanager
async def opened(server: testing.PageServer) -> AsyncIterator[sources.Sources]:
    made = sources.Sources(kube.MemoryClient(), engines.engines(), clock.ManualClock(900.0))
    async with server.serving(), made:
        yield made


async def read(server: testing.PageServer, metric: str, path: str, **more: Any) -> scaling.Observation:
    async with opened(server) as made:
        source = {
            "metricSourceType": "external",
            "protocolType": "http",
            "endpoint": f"127.0.0.1:{server.port}",
            "path": path,
            "targetMetric": metric,
            **more,
        }
        return await made.observe(testing.wanted(source, form=scaling.Form.WHOLE), 1000.0)


@pytest.mark.parametrize("kind", ["external", "domain"])
async def test_the_optimizers_wish(kind: str) -> None:
    server = testing.PageServer({"/metrics/default/d": b'vllm:deployment_replicas{model_name="m"} 300\n'})
    seen = await read(
        server, "vllm:deployment_replicas", "/metrics/default/d", metricSourceType=kind, targetValue="100"
    )
    assert seen == scaling.Observation("vllm:deployment_replicas", 900.0, whole=300.0)


async def test_samples_are_added_up_and_a_path_needs_no_slash() -> None:
    server = testing.PageServer({"/m": b'queue{shard="1"} 2\nqueue{shard="2"} 3\n'})
    assert (await read(server, "queue", "m")).whole == 5.0


async def test_shares_are_averaged_and_in_the_targets_unit() -> None:
    seen = await read(
        testing.PageServer({"/m": b'a_ratio{x="1"} 0.2\na_ratio{x="2"} 0.4\n'}), "a_ratio", "/m", targetValue="50"
    )
    assert seen.whole == pytest.approx(30.0)
    assert "percent" in seen.notes[0]


async def test_missing_has_its_reason() -> None:
    seen = await read(testing.PageServer(), "queue", "/m")
    assert seen.whole is None
    assert "answered 404" in seen.why


async def test_an_endpoint_that_is_no_address() -> None:
    seen = await read(testing.PageServer(), "queue", "/m", endpoint="not an address")
    assert "is no address of a page" in seen.why


async def test_a_password_in_an_endpoint_is_refused() -> None:
    seen = await read(testing.PageServer(), "queue", "/m", endpoint="me:secret@127.0.0.1:1")
    assert "leave them out" in seen.why
    assert "secret" not in seen.why


def prometheus(result: object, kind: str = "vector", **more: object) -> testing.PageServer:
    body = orjson.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more})
    return testing.PageServer({"/api/v1/query": body, "/prom/api/v1/query": body})


EXPRESSION = 'sum(rate(x_total{a="b c"}[1m])) + 1 & 2'


@pytest.mark.parametrize("path", ["/api/v1/query", "api/v1/query", "/prom/api/v1/query", "/api/v1/query?timeout=1s"])
async def test_a_query(path: str) -> None:
    server = prometheus([{"metric": {}, "value": [1, "2"]}, {"metric": {}, "value": [1, "3"]}], warnings=["partial"])
    seen = await read(server, EXPRESSION, path)
    assert (seen.whole, seen.notes) == (5.0, ("Prometheus warns: partial",))
    [asked] = server.asked
    query = parse.parse_qs(asked.partition("?")[2])
    assert query["query"] == [EXPRESSION]
    assert ("timeout" in query) == ("timeout" in path)


async def test_a_query_whose_name_is_a_share_is_compared_as_it_comes() -> None:
    seen = await read(prometheus([1, "0.5"], "scalar"), "a_ratio", "/api/v1/query", targetValue="50")
    assert (seen.whole, seen.notes) == (0.5, ())


async def test_a_query_that_is_refused_is_explained_by_prometheus() -> None:
    server = prometheus([])
    server.status = 400
    server.pages["/api/v1/query"] = b'{"status":"error","errorType":"bad_data","error":"unexpected end of input"}'
    seen = await read(server, "sum(", "/api/v1/query")
    assert seen.why == "Prometheus refuses the query: unexpected end of input (bad_data)"


@pytest.mark.parametrize(
    ("result", "kind", "why"),
    [
        ([], "vector", "or vector(0)"),
        ([1, "NaN"], "scalar", "it is NaN"),
        ([1, "-2"], "scalar", "it is negative (-2)"),
        ([], "matrix", "gives a matrix"),
    ],
)
async def test_a_query_without_a_number(result: object, kind: str, why: str) -> None:
    seen = await read(prometheus(result, kind), "x", "/api/v1/query")
    assert seen.whole is None
    assert why in seen.why


async def test_a_proxy_in_between_that_fails() -> None:
    server = prometheus([])
    server.status = 502
    server.pages["/api/v1/query"] = b"<html>bad gateway</html>"
    assert "answered 502: its server has trouble" in (await read(server, "x", "/api/v1/query")).why
