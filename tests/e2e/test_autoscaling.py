"""Replicas follow demand on one machine: real llama.cpp, twenty simulated engines, and the controllers killed on the way."""

from __future__ import annotations

import pathlib
import re
import time
from collections.abc import Iterator

import psutil
import pytest
from tests.e2e import scales
from tests.e2e import yard as yards

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

PERIOD = 2.0
"""Seconds between two looks, where the usual ten would make a test long."""
STABLE = 20
WAITING = "num_requests_waiting"
PUBLISHED = yards.ROOT.parent / "shared" / "manifests"
"""Not part of this project."""


@pytest.fixture(scope="module")
def brisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[yards.Yard]:
    """Up and empty; its autoscalers are looked at often."""
    patch = pytest.MonkeyPatch()
    patch.setenv("BRICKYARD_AUTOSCALER_PERIOD", f"{PERIOD:g}")
    with yards.running(pathlib.Path(tmp_path_factory.mktemp("autoscaling")) / "data") as yard:
        patch.undo()
        yield yard


def begin(yard: yards.Yard, engines: str, scaler: str, name: str) -> None:
    """Apply both; return once one replica is ready and the autoscaler content."""
    yard.kubectl("apply", "-f", "-", stdin=engines)
    yard.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")
    yard.kubectl("apply", "-f", "-", stdin=scaler)
    yards.until(lambda: scales.condition(yard, name, "Ready") == "True AsExpected", what="the autoscaler is content")


def end(yard: yards.Yard, name: str) -> None:
    yard.kubectl("delete", f"podautoscaler/{name}", f"deployment/{name}", f"service/{name}")
    yards.until(lambda: not yard.objects("pods", f"model.aibrix.ai/name={name}"), what="its pods are gone")


# Real engines.


def test_llama_cpp_by_requests_that_wait(yard: yards.Yard) -> None:
    source = {"targetMetric": WAITING, "targetValue": "2"}
    scaler = scales.autoscaler("chat", source, windows=(30, 10), most=3, scale_down_cooldown_window="10s")
    begin(yard, scales.engines("chat", "llamacpp", scales.LLAMA), scaler, "chat")
    sizes, demand = scales.Sizes(yard, "chat"), scales.Demand(yard, "chat", clients=9, tokens=24)
    with sizes.watching():
        with demand.working():
            began = time.monotonic()
            yards.until(lambda: sizes.are(asked=3, ready=3), within=90, what="three replicas are ready")
            yards.until(lambda: scales.condition(yard, "chat", "Ready") == "True AsExpected", what="three suffice")
            seen_at_the_peak(yard)
        ended = time.monotonic()
        yards.until(lambda: sizes.are(asked=1, ready=1), within=90, what="one replica is left")
    assert sizes.steps(ended)[0] == 3, "nothing goes down while requests wait"
    up, down = [each for each in sizes.asked if each.at < ended], sizes.steps(ended)
    assert [each.count for each in up] == [1, 2, 3], "twice as many in one step at most"
    assert sorted(down, reverse=True) == down
    assert sizes.shortest() > 2, "what the autoscaler orders itself makes it look no sooner"
    assert (demand.answered > 20, dict(demand.failed)) == (True, {})
    seen_afterwards(yard)
    print(
        f"third ready after {sizes.took(began, 3):.1f} s, one left {sizes.took(ended, 1):.1f} s after the last request"
    )


def seen_at_the_peak(yard: yards.Yard) -> None:
    """The screens of somebody who watches."""
    head, line = yard.kubectl("get", "podautoscalers").stdout.splitlines()
    assert head.split() == ["NAME", "MINPODS", "MAXPODS", "REPLICAS", "STRATEGY", "AGE"]
    assert line.split()[:5] == ["chat", "1", "3", "3", "KPA"]
    explained = yard.brickyard("autoscaler", "explain", "chat").stdout
    assert f"{WAITING}, target 2 for each replica" in explained
    assert "3 pods measured" in explained
    assert re.search(r"^ +\S+Z  2 to 3  kpa above target$", explained, re.MULTILINE)
    drawn = yard.brickyard("autoscaler", "plot", "chat").stdout
    assert drawn.startswith("default/chat: KPA of Deployment default/chat")
    for curve in ("demand", "actual", "desired"):
        assert curve in drawn


def seen_afterwards(yard: yards.Yard) -> None:
    """What is left to read when all is over."""
    yards.until(lambda: scales.condition(yard, "chat", "Ready") == "True AsExpected", what="it is content again")
    described = yard.kubectl("describe", "podautoscaler", "chat").stdout
    assert re.search(r"^ +Message: +there is 1 replica, as there should be$", described, re.MULTILINE)
    assert re.search(
        r"^ +Message: +desired=1, actual=1: stays at 1: num_requests_waiting 0 over 30s", described, re.MULTILINE
    )
    assert re.search(r"Normal +AlgorithmRun .* from 1 to 2: num_requests_waiting .* asks for ", described)
    assert re.search(r"Normal +SuccessfulRescale .* New size: 3; reason: kpa above target$", described, re.MULTILINE)
    assert re.search(
        r"Normal +SuccessfulRescale .* New size: 1; reason: All metrics below target$", described, re.MULTILINE
    )
    history = [(each["previousScale"], each["newScale"]) for each in scales.told(yard, "chat")["scalingHistory"]]
    assert history[:2] == [(1, 2), (2, 3)]
    assert history[-1][1] == 1


# Simulated engines.


def test_twenty_engines(brisk: yards.Yard) -> None:
    source = {"targetMetric": WAITING, "targetValue": "2"}
    said = {"max_scale_up_rate": "5", "max_scale_down_rate": "5", "scale_down_cooldown_window": "4s"}
    scaler = scales.autoscaler("many", source, windows=(STABLE, 4), most=20, **said)
    begin(brisk, scales.engines("many", "vllm", scales.SIM), scaler, "many")
    sizes, demand = scales.Sizes(brisk, "many"), scales.Demand(brisk, "many", clients=64, tokens=128)
    with sizes.watching():
        with demand.working():
            began = time.monotonic()
            yards.until(lambda: sizes.are(asked=20, ready=20), within=120, what="twenty are ready")
            yards.until(lambda: brisk.kubectl("get", "podautoscaler", "many", "--no-headers").stdout.split()[3] == "20")
        ended = time.monotonic()
        yards.until(lambda: sizes.are(asked=1, ready=1), within=120, what="one is left")
    assert [each.count for each in sizes.asked if each.at < ended] == [1, 5, 20]
    down = sizes.steps(ended)
    assert (down[0], sorted(down, reverse=True)) == (20, down)
    assert dict(demand.failed) == {}
    print(f"20 ready after {sizes.took(began, 20):.1f} s, one left {sizes.took(ended, 1):.1f} s after the last request")
    end(brisk, "many")


def test_controllers_killed_on_the_way(brisk: yards.Yard) -> None:
    source = {"targetMetric": WAITING, "targetValue": "2"}
    scaler = scales.autoscaler("killed", source, windows=(STABLE, 4), most=8, scale_down_cooldown_window="4s")
    begin(brisk, scales.engines("killed", "vllm", scales.SIM), scaler, "killed")
    sizes, demand = scales.Sizes(brisk, "killed"), scales.Demand(brisk, "killed", clients=40, tokens=128)
    with sizes.watching():
        with demand.working():
            yards.until(lambda: sizes.asked and sizes.asked[-1].count == 4, what="it is on its way up")
            kill_controllers(brisk)
            yards.until(lambda: sizes.are(asked=8, ready=8), within=60, what="it arrives where it would have")
        assert dict(demand.failed) == {}, "nobody who asks a model notices"
        kill_controllers(brisk)
        killed = time.monotonic()
        yards.until(lambda: sizes.are(asked=1, ready=1), within=120, what="one is left")
    first_down = next(each.at for each in sizes.asked if each.at > killed)
    assert first_down - killed > STABLE, "who has just begun to look takes nothing away"
    assert sizes.steps() == [1, 2, 4, 8, 4, 2, 1]
    history = [each["newScale"] for each in scales.told(brisk, "killed")["scalingHistory"]]
    assert history == [4, 8, 4, 2, 1], "of both lives"
    assert not [each for each in scales.events(brisk, "killed") if each[0].startswith("Failed")]
    end(brisk, "killed")


def kill_controllers(yard: yards.Yard) -> None:
    """``kill -9`` of the process that has them; its supervisor starts it again."""
    part = yard.part("machine")
    part.kill()
    psutil.wait_procs([part], timeout=5)


# Elsewhere.

WISH = """\
import http.server


class Wish(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"wish 3" + bytes([10]))


http.server.ThreadingHTTPServer((__import__("os").environ["BRICKYARD_POD_IP"], 8000), Wish).serve_forever()
"""


def test_an_endpoint_by_the_name_of_its_service(brisk: yards.Yard) -> None:
    wish = {"image": "brickyard/host", "command": ["python3", "-c", WISH]}
    brisk.kubectl("apply", "-f", "-", stdin=scales.engines("wish", "sim", wish))
    idle = {"image": "brickyard/host", "command": ["sleep", "600"], "readinessProbe": None}
    brisk.kubectl("apply", "-f", "-", stdin=scales.engines("idle", "sim", idle))
    where = {"protocolType": "http", "endpoint": "wish.default.svc.cluster.local:8000", "path": "/metrics"}
    source = {"metricSourceType": "external", **where, "targetMetric": "wish", "targetValue": "1"}
    scaler = scales.autoscaler("idle", source, windows=(10, 5), most=5)
    brisk.kubectl("apply", "-f", "-", stdin=scaler)
    sizes = scales.Sizes(brisk, "idle")
    with sizes.watching():
        yards.until(lambda: sizes.are(asked=3, ready=3), within=60, what="as many as were wished for")
    brisk.kubectl("delete", "service/wish")
    yards.until(lambda: "there is no Service default/wish" in str(scales.told(brisk, "idle")), what="it is told why")
    assert sizes.asked[-1].count == 3
    brisk.kubectl("delete", "deployment/wish")
    end(brisk, "idle")


BUSY = "import time\nwhile True:\n    sum(range(10**5))\n    time.sleep(0.02)"


def test_a_horizontalpodautoscaler_does_the_work(brisk: yards.Yard) -> None:
    container = {
        "image": "brickyard/host",
        "command": ["python3", "-c", BUSY],
        "readinessProbe": None,
        "resources": {"requests": {"cpu": "20m"}},
    }
    brisk.kubectl("apply", "-f", "-", stdin=scales.engines("busy", "sim", container))
    source = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "50"}
    scaler = scales.autoscaler("busy", source, windows=(10, 5), most=2).replace("Strategy: KPA", "Strategy: HPA")
    brisk.kubectl("apply", "-f", "-", stdin=scaler)
    sizes = scales.Sizes(brisk, "busy")
    with sizes.watching():
        yards.until(lambda: sizes.are(asked=2, ready=2), within=90, what="two share the work")
    yards.until(lambda: scales.condition(brisk, "busy", "Ready") == "True AsExpected", within=60, what="that is told")
    assert scales.condition(brisk, "busy", "ScalingActive") == "True ValidMetricFound"
    assert brisk.kubectl("get", "podautoscaler", "busy", "--no-headers").stdout.split()[:5] == [
        "busy",
        "1",
        "2",
        "2",
        "HPA",
    ]
    (made,) = brisk.objects("horizontalpodautoscalers")
    assert (made["metadata"]["name"], made["metadata"]["ownerReferences"][0]["name"]) == ("busy-hpa", "busy")
    end(brisk, "busy")
    yards.until(lambda: not brisk.objects("horizontalpodautoscalers"), what="it goes with its owner")


# Published manifests.


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="no published manifests here")
def test_published_autoscalers_settle(brisk: yards.Yard) -> None:
    files = [word for name in ("model", "autoscalers") for word in ("-f", str(PUBLISHED / f"v0.2-{name}.yaml"))]
    said = brisk.kubectl("apply", *files)
    assert said.stdout.count(" created\n") == 5, said.stdout
    assert "annotation apa.autoscaling.aibrix.ai/window is taken for spec.observeWindowSeconds 30" in said.stderr
    stem = "deepseek-r1-distill-llama-8b"
    wanted = {
        f"{stem}-apa": "False WaitingForPods",
        f"{stem}-hpa": "False MultiPodAutoscalerConflict",
        f"{stem}-kpa": "False MultiPodAutoscalerConflict",
    }
    yards.until(
        lambda: {name: scales.condition(brisk, name, "Ready") for name in wanted} == wanted, what="each says why"
    )
    told = str(scales.told(brisk, f"{stem}-kpa"))
    assert f"PodAutoscaler default/{stem}-apa scales Deployment default/{stem} already: delete one of the two" in told
    before = versions(brisk)
    time.sleep(4 * PERIOD)
    assert versions(brisk) == before, "who has settled writes nothing"
    brisk.kubectl("delete", *files)
    yards.until(lambda: not brisk.objects("horizontalpodautoscalers"), what="nothing is left")


def versions(yard: yards.Yard) -> list[tuple[str, str]]:
    """Of every autoscaler its name and resourceVersion."""
    found = [*yard.objects("podautoscalers"), *yard.objects("horizontalpodautoscalers")]
    return [(each["metadata"]["name"], each["metadata"]["resourceVersion"]) for each in found]
