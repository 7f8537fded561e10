"""The metrics APIs, asked by the client that asks a cluster."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import yaml

from brickyard.assembly import engines
from brickyard.controllers.podautoscaler.sources import contract, settings, sources, testing
from brickyard.kube.client import rest
from brickyard.lib import clock, timestamps
from brickyard.scaling import contract as scaling

NOW = 1_700_000_000.0
USAGE = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods"
CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/pods/*/queue"
OLDER = CUSTOM.replace("v1beta2", "v1beta1")
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/queue"
READY, UNREADY, MISSING = scaling.Health.READY, scaling.Health.UNREADY, scaling.Health.MISSING


@contextlib.asynccontextmanager
async def opened(server: testing.PageServer, folder: pathlib.Path, **chosen: Any) -> AsyncIterator[sources.Sources]:
    async with server.serving():
        path = folder / "kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.port}"}}],
                    "users": [{"name": "u", "user": {}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "x",
                }
            )
        )
        async with rest.RestClient.from_kubeconfig(path) as client:
            given = settings.Settings(**chosen)
            async with sources.Sources(client, engines.engines(), clock.SystemClock(), given) as made:
                yield made


def items(*each: dict[str, Any]) -> bytes:
    return orjson.dumps({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": each})


def usage(pod: str, *containers: dict[str, str], age: float = 5.0) -> dict[str, Any]:
    return {
        "metadata": {"name": pod, "namespace": "default"},
        "timestamp": timestamps.rfc3339(NOW - age),
        "window": "15s",
        "containers": [{"name": f"c{index}", "usage": each} for index, each in enumerate(containers)],
    }


def value(text: str, pod: str = "a", age: float = 5.0) -> dict[str, Any]:
    return {"describedObject": {"kind": "Pod", "name": pod}, "timestamp": timestamps.rfc3339(NOW - age), "value": text}


def resource(name: str, target: str = "5000") -> contract.Wanted:
    source = {"metricSourceType": "resource", "targetMetric": name, "targetValue": target}
    pods = (testing.pod("a"), testing.pod("b"), testing.pod("c", ready=False))
    return testing.wanted(source, *pods, selector="app=x,tier in (a,b)")


def custom(metric: str = "queue", target: str = "10") -> contract.Wanted:
    source = {"metricSourceType": "custom", "targetMetric": metric, "targetValue": target}
    return testing.wanted(source, testing.pod("a"), testing.pod("b"), selector="app=x")


def external(metric: str = "queue", target: str = "10", kind: str = "external") -> contract.Wanted:
    source = {"metricSourceType": kind, "targetMetric": metric, "targetValue": target}
    return testing.wanted(source, form=scaling.Form.WHOLE, selector="app=x")


async def read(pages: dict[str, bytes], folder: pathlib.Path, wanted: contract.Wanted) -> scaling.Observation:
    async with opened(testing.PageServer(pages), folder) as made:
        return await made.observe(wanted, NOW)


class TestResource:
    async def test_cpu_is_in_thousandths_of_a_core_over_all_containers(self, tmp_path: pathlib.Path) -> None:
        server = testing.PageServer(
            {
                USAGE: items(
                    usage("a", {"cpu": "30"}, {"cpu": "20"}), usage("b", {"cpu": "1500m"}), usage("c", {"cpu": "1"})
                )
            }
        )
        async with opened(server, tmp_path) as made:
            seen = await made.observe(resource("cpu"), NOW)
        assert [(each.health, each.value, each.at) for each in seen.pods] == [
            (READY, 50000.0, NOW - 5),
            (READY, 1500.0, NOW - 5),
            (UNREADY, 0.0, 0.0),
        ]
        assert (seen.why, seen.notes) == ("", ())
        assert server.asked == [f"{USAGE}?labelSelector=app%3Dx%2Ctier+in+%28a%2Cb%29"]

    async def test_memory_is_in_bytes(self, tmp_path: pathlib.Path) -> None:
        page = items(usage("a", {"memory": "1Gi"}), usage("b", {"memory": "12345Ki"}))
        seen = await read({USAGE: page}, tmp_path, resource("memory", "5e9"))
        assert [each.value for each in seen.pods[:2]] == [2**30, 12345 * 1024]

    @pytest.mark.parametrize(
        ("name", "target", "note"),
        [
            ("cpu", "80", "targetValue 80 of cpu is in thousandths of a core, not percent (1000 is one core)"),
            ("memory", "80", "targetValue 80 of memory is in bytes, not percent"),
        ],
    )
    async def test_targets_that_look_like_percent_are_remarked_on(
        self, tmp_path: pathlib.Path, name: str, target: str, note: str
    ) -> None:
        seen = await read({USAGE: items(usage("a", {"cpu": "1", "memory": "1"}))}, tmp_path, resource(name, target))
        assert seen.notes == (note,)

    @pytest.mark.parametrize(
        ("item", "why"),
        [
            (None, "metrics.k8s.io does not tell of this pod yet"),
            (usage("b", {"cpu": "1"}, {"memory": "1"}), "tells no number: 'cpu'"),
            (usage("b"), "tells no number: 'containers'"),
            (usage("b", {"cpu": "much"}), "'much' is no quantity"),
            (usage("b", {"cpu": "-1"}), "negative"),
            (usage("b", {"cpu": "1"}, age=130), "130 s old"),
        ],
    )
    async def test_a_pod_that_is_not_told_of(
        self, tmp_path: pathlib.Path, item: dict[str, Any] | None, why: str
    ) -> None:
        told = [usage("a", {"cpu": "1"}), *([] if item is None else [item])]
        seen = await read({USAGE: items(*told)}, tmp_path, resource("cpu"))
        assert [each.health for each in seen.pods] == [READY, MISSING, UNREADY]
        assert why in seen.pods[1].why
        assert seen.why == ""

    async def test_the_api_is_not_there(self, tmp_path: pathlib.Path) -> None:
        seen = await read({}, tmp_path, resource("cpu"))
        assert "install metrics-server" in seen.why
        assert [each.health for each in seen.pods] == [MISSING, MISSING, UNREADY]

    async def test_the_api_hangs(self, tmp_path: pathlib.Path) -> None:
        server = testing.PageServer(silent=("/",))
        async with opened(server, tmp_path, deadline=0.1) as made:
            assert (await made.observe(resource("cpu"), NOW)).why == "metrics.k8s.io did not answer within 0.1 s"

    async def test_the_api_fails(self, tmp_path: pathlib.Path) -> None:
        server = testing.PageServer(
            {USAGE: b'{"kind":"Status","code":403,"reason":"Forbidden","message":"no"}'}, status=403
        )
        async with opened(server, tmp_path) as made:
            assert "metrics.k8s.io: " in (await made.observe(resource("cpu"), NOW)).why

    async def test_the_api_talks_nonsense(self, tmp_path: pathlib.Path) -> None:
        seen = await read({USAGE: b"<html>"}, tmp_path, resource("cpu"))
        assert "metrics.k8s.io: " in seen.why


class TestCustom:
    async def test_by_pod_in_the_metrics_own_unit(self, tmp_path: pathlib.Path) -> None:
        seen = await read({CUSTOM: items(value("2500m", "a"), value("3k", "b"))}, tmp_path, custom())
        assert [each.value for each in seen.pods] == [2.5, 3000.0]

    async def test_by_the_older_version_where_the_newer_is_not_served(self, tmp_path: pathlib.Path) -> None:
        seen = await read({OLDER: items(value("1", "a"), value("2", "b"))}, tmp_path, custom())
        assert [each.value for each in seen.pods] == [1.0, 2.0]

    async def test_shares_are_in_the_targets_unit(self, tmp_path: pathlib.Path) -> None:
        page = {CUSTOM.replace("queue", "kv_usage_ratio"): items(value("500m", "a"), value("250m", "b"))}
        seen = await read(page, tmp_path, custom("kv_usage_ratio", "50"))
        assert [each.value for each in seen.pods] == [50.0, 25.0]
        assert len(seen.notes) == 1

    async def test_what_is_missing(self, tmp_path: pathlib.Path) -> None:
        seen = await read({CUSTOM: items(value("1", "a", age=500))}, tmp_path, custom())
        assert "500 s old" in seen.pods[0].why
        assert seen.pods[1].why == "custom.metrics.k8s.io does not tell of this pod yet"
        assert seen.why.startswith("none of 2 ready pods could be measured; a: ")

    async def test_the_api_is_not_there(self, tmp_path: pathlib.Path) -> None:
        assert "or use type pod" in (await read({}, tmp_path, custom())).why

    async def test_a_name_leads_nowhere_else(self, tmp_path: pathlib.Path) -> None:
        server = testing.PageServer()
        async with opened(server, tmp_path) as made:
            await made.observe(custom("../../secrets?x=y"), NOW)
        assert all("/pods/*/..%2F..%2Fsecrets%3Fx%3Dy" in each for each in server.asked)


class TestExternal:
    @pytest.mark.parametrize("kind", ["external", "domain"])
    async def test_items_are_added_up_in_the_autoscalers_namespace(self, tmp_path: pathlib.Path, kind: str) -> None:
        server = testing.PageServer({EXTERNAL: items(value("40"), value("60", age=20))})
        async with opened(server, tmp_path) as made:
            seen = await made.observe(external(kind=kind), NOW)
        assert (seen.whole, seen.at, seen.why) == (100.0, NOW - 20, "")
        assert server.asked == [EXTERNAL]

    @pytest.mark.parametrize(
        ("pages", "why"),
        [
            ({EXTERNAL: items()}, "external.metrics.k8s.io has no value of queue in default"),
            ({EXTERNAL: items(value("1"), value("2", age=300))}, "300 s old"),
            ({EXTERNAL: items(value("1"), value("x"))}, "no quantity"),
            ({}, "name an endpoint"),
        ],
    )
    async def test_what_is_missing(self, tmp_path: pathlib.Path, pages: dict[str, bytes], why: str) -> None:
        seen = await read(pages, tmp_path, external())
        assert seen.whole is None
        assert why in seen.why

    async def test_shares_are_averaged(self, tmp_path: pathlib.Path) -> None:
        page = {EXTERNAL.replace("queue", "a_ratio"): items(value("200m"), value("400m"))}
        assert (await read(page, tmp_path, external("a_ratio", "50"))).whole == pytest.approx(30.0)


async def test_a_type_that_is_none(tmp_path: pathlib.Path) -> None:
    seen = await read(
        {}, tmp_path, testing.wanted({"metricSourceType": "magic", "targetMetric": "x"}, testing.pod("a"))
    )
    assert seen.why == "metricSourceType 'magic' is none of pod, resource, custom, external, domain"
    assert seen.pods[0].health is MISSING
