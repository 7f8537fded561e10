"""Pods' own pages, end to end: pods as the API tells them, real servers, real pages."""

from __future__ import annotations

import contextlib
import pathlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trustme

from brickyard.api.kinds import resources
from brickyard.assembly import engines
from brickyard.controllers.podautoscaler.sources import podpages, sources, testing
from brickyard.kube.client import testing as kube
from brickyard.lib import clock
from brickyard.scaling import contract as scaling

DATA = pathlib.Path(__file__).parents[3] / "engines" / "data"
READY, UNREADY, MISSING = scaling.Health.READY, scaling.Health.UNREADY, scaling.Health.MISSING


@contextlib.asynccontextmanager
async def opened(time: clock.Clock | None = None) -> AsyncIterator[sources.Sources]:
    async with sources.Sources(kube.MemoryClient(), engines.engines(), time or clock.ManualClock()) as made:
        yield made


def source(server: testing.PageServer, metric: str = "num_requests_waiting", **more: Any) -> dict[str, Any]:
    return {
        "metricSourceType": "pod",
        "protocolType": "http",
        "port": str(server.port),
        "path": "/metrics",
        "targetMetric": metric,
        **more,
    }


async def read(page: bytes, *pods: resources.Object, metric: str = "q", **more: Any) -> scaling.Observation:
    server = testing.PageServer({"/metrics": page})
    async with server.serving(), opened() as made:
        return await made.observe(testing.wanted(source(server, metric, **more), *(pods or (testing.pod("a"),))), 5.0)


async def test_recorded_pages_by_the_pods_engines() -> None:
    server = testing.PageServer(
        {f"/{name}": (DATA / f"{name}-busy.txt").read_bytes() for name in ("vllm-0.32", "llamacpp", "sglang-0.4")}
    )
    async with server.serving(), opened() as made:
        for path, engine, value in (
            ("vllm-0.32", "", 83.0),
            ("vllm-0.32", "vllm", 83.0),
            ("llamacpp", "llamacpp", 2.0),
        ):
            pod = testing.pod(f"{path}-{engine}", engine=engine)
            seen = await made.observe(testing.wanted(source(server, path=path), pod), 5.0)
            assert [(each.health, each.value) for each in seen.pods] == [(READY, value)]


async def test_values_why_and_order_of_pods() -> None:
    page = b"vllm:num_requests_waiting 7\n"
    pods = [testing.pod("b"), testing.pod("a", ready=False), testing.pod("c", address="")]
    seen = await read(page, *pods, metric="num_requests_waiting")
    assert [(each.pod, each.health, each.value) for each in seen.pods] == [
        ("b", READY, 7.0),
        ("a", UNREADY, 0.0),
        ("c", MISSING, 0.0),
    ]
    assert seen.pods[2].why == "it has no address yet"
    assert (seen.metric, seen.at, seen.why, seen.whole) == ("num_requests_waiting", 5.0, "", None)


async def test_one_missing_is_no_reason_and_all_missing_is() -> None:
    assert (await read(b"q 1\n", testing.pod("a"), testing.pod("b", address=""))).why == ""
    seen = await read(b"up 1\n", testing.pod("a"), testing.pod("b"), testing.pod("c", ready=False))
    assert seen.why == (
        "none of 2 ready pods could be measured; "
        "a: the page has no q: correct targetMetric, or have the engine report it"
    )


async def test_no_pods_and_no_ready_pods_are_nothing_wrong() -> None:
    async with opened() as made:
        wanted = testing.wanted(source(testing.PageServer(port=1)))
        assert await made.observe(wanted, 5.0) == scaling.Observation("num_requests_waiting", 5.0)
    assert (await read(b"q 1\n", testing.pod("a", ready=False))).why == ""


@pytest.mark.parametrize(
    ("path", "asked"), [("/metrics", "/metrics"), ("metrics", "/metrics"), ("/a/b?c=d", "/a/b?c=d"), ("/", "/metrics")]
)
async def test_paths(path: str, asked: str) -> None:
    server = testing.PageServer({"/metrics": b"q 1\n", "/a/b": b"q 1\n"})
    async with server.serving(), opened() as made:
        seen = await made.observe(testing.wanted(source(server, "q", path=path), testing.pod("a")), 5.0)
    assert seen.pods[0].value == 1.0
    assert server.asked == [asked]


async def test_the_metrics_page_is_where_the_engine_keeps_it() -> None:
    server = testing.PageServer({"/prometheus/metrics": b"trtllm_num_requests_waiting 4\n", "/metrics": b"[]"})
    async with server.serving(), opened() as made:
        seen = await made.observe(testing.wanted(source(server), testing.pod("a", engine="trtllm")), 5.0)
    assert seen.pods[0].value == 4.0


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("8000", 8000), (" 8000 ", 8000), ("metrics", 8000), ("65535", 65535), ("65536", None), ("0", None), ("", None),
        ("-1", None), ("other", None), ("\u0668\u0660", None), ("999999999999", None),
    ],
)  # fmt: skip
def test_ports(text: str, port: int | None) -> None:
    assert podpages.port_of(text, testing.pod("a")) == port


async def test_a_port_that_is_none_is_told() -> None:
    seen = await read(b"q 1\n", testing.pod("a"), port="web")
    assert seen.pods[0].why == "port 'web' is neither a number of 1 to 65535 nor the name of a port of its containers"


async def test_a_named_port_of_each_pods_own() -> None:
    server = testing.PageServer({"/metrics": b"q 3\n"})
    async with server.serving(), opened() as made:
        pod = testing.pod("a")
        pod["spec"]["containers"][0]["ports"][0]["containerPort"] = server.port
        seen = await made.observe(testing.wanted(source(server, "q", port="metrics"), pod), 5.0)
    assert seen.pods[0].value == 3.0


async def test_https_with_a_certificate_that_nobody_signed_for() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("somebody.else").configure_cert(context)
    server = testing.PageServer({"/metrics": b"q 3\n"})
    async with server.serving(tls=context), opened(clock.SystemClock()) as made:
        seen = await made.observe(testing.wanted(source(server, "q", protocolType="https"), testing.pod("a")), 5.0)
        assert seen.pods[0].value == 3.0
        plain = await made.observe(testing.wanted(source(server, "q"), testing.pod("a")), 5.0)
        assert plain.pods[0].health is MISSING


async def test_ipv6() -> None:
    server = testing.PageServer({"/metrics": b"q 3\n"})
    try:
        async with server.serving("::1"), opened() as made:
            seen = await made.observe(testing.wanted(source(server, "q"), testing.pod("a", address="::1")), 5.0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert seen.pods[0].value == 3.0


@pytest.mark.parametrize(
    ("target", "value", "note"),
    [
        ("0.5", 0.25, ()),
        ("50", 25.0, ("gpu_cache_usage_perc is a share of 1 and its target 50 percent: values are multiplied by 100",)),
    ],
)
async def test_the_published_manifests_targets_of_cache_usage(target: str, value: float, note: tuple[str, ...]) -> None:
    page = b"vllm:gpu_cache_usage_perc 0.25\n"
    seen = await read(page, metric="gpu_cache_usage_perc", targetValue=target)
    assert seen.pods[0].value == value
    assert seen.notes == note


async def test_percent_against_a_share_is_judged_over_all_pods() -> None:
    server = testing.PageServer({"/1": b"gpu_utilization 80\n", "/2": b"gpu_utilization 0.5\n"})
    async with server.serving(), opened() as made:
        for path in ("/1", "/2"):
            wanted = testing.wanted(source(server, "gpu_utilization", path=path, targetValue="0.5"), testing.pod("a"))
            seen = await made.observe(wanted, 5.0)
            assert len(seen.notes) == 1
    assert seen.pods[0].value == pytest.approx(0.005)


async def test_rates_come_from_the_second_pass_on_and_survive_a_clock_that_is_set() -> None:
    class Set(clock.ManualClock):
        offset = 0.0

        def wall(self) -> float:
            return super().wall() + self.offset

    server, time = testing.PageServer({"/metrics": b"served_total 100\n"}), Set()
    async with server.serving(), opened(time) as made:
        wanted = testing.wanted(source(server, "served_total"), testing.pod("a"))
        first = await made.observe(wanted, time.wall())
        assert "first time" in first.pods[0].why
        time.advance(10)
        time.offset = -86400.0
        server.pages["/metrics"] = b"served_total 150\n"
        second = await made.observe(wanted, time.wall())
        assert second.pods[0].value == 5.0
        assert second.pods[0].at == second.at


async def test_two_metrics_of_a_page_are_two_observations_of_one_reading() -> None:
    server = testing.PageServer({"/metrics": b"a 1\nb 2\n"})
    async with server.serving(), opened() as made:
        await made.observe(testing.wanted(source(server, "a"), testing.pod("a")), 5.0)
        await made.observe(testing.wanted(source(server, "b"), testing.pod("a")), 5.0)
        server.asked.clear()
        # Both are known now: whoever comes next finds them.
        for name in ("a", "b"):
            await made.observe(testing.wanted(source(server, name), testing.pod("a")), 5.0)
    assert server.asked == []


async def test_one_pod_alone_that_cannot_be_measured() -> None:
    seen = await read(b"other 3\n", metric="q")
    assert seen.why.startswith("the one ready pod cannot be measured; ")
