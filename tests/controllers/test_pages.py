"""The pages of the controllers, on real sockets."""

from __future__ import annotations

import asyncio
import math

import httpx2
import prometheus_client
import pytest

from brickyard.controllers import errors, pages


async def shown(unready: list[str], more: dict[str, pages.Page], path: str) -> httpx2.Response:
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Gauge("things", "Things", registry=registry).set(3)
    application = pages.application(registry, lambda: unready, more)
    async with pages.serving("127.0.0.1:0", application) as url, httpx2.AsyncClient(base_url=url) as client:
        return await client.get(path)


async def test_health_and_metrics() -> None:
    assert (await shown([], {}, "/healthz")).text == "ok\n"
    assert "things 3.0" in (await shown([], {}, "/metrics")).text


async def test_readiness_says_why_not() -> None:
    assert (await shown([], {}, "/readyz")).status_code == 200
    answer = await shown(["pods are not read yet"], {}, "/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready: pods are not read yet\n")


async def test_documents_are_json_and_numbers_that_are_none_are_null() -> None:
    page = {
        "/debug/{name}": lambda parts: (200, {"name": parts["name"], "x": [math.nan, 1.5], "days": frozenset({2, 1})})
    }
    answer = await shown([], page, "/debug/a")
    assert answer.json() == {"name": "a", "x": [None, 1.5], "days": [1, 2]}
    assert (await shown([], page, "/else")).status_code == 404


async def test_nothing_can_be_changed() -> None:
    application = pages.application(prometheus_client.CollectorRegistry(), tuple, {})
    async with pages.serving("127.0.0.1:0", application) as url, httpx2.AsyncClient(base_url=url) as client:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert (await client.request(method, "/metrics")).status_code == 405


async def test_a_taken_address_is_a_clear_refusal() -> None:
    application = pages.application(prometheus_client.CollectorRegistry(), tuple, {})
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]
        with pytest.raises(errors.ListenError, match=f"127.0.0.1:{port}"):
            async with pages.serving(f"127.0.0.1:{port}", application):
                pytest.fail("it listens where somebody else does")


@pytest.mark.parametrize(
    ("text", "expected"),
    [(":8080", ("0.0.0.0", 8080)), ("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:80", ("::1", 80))],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    assert pages.parse(text) == expected


@pytest.mark.parametrize("text", ["", "8080", "host", "host:", "host:x", "host:70000", "host:٣"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(errors.AddressError, match="no address"):
        pages.parse(text)
