"""What the gateway answers itself, and what it says about requests that are nobody's."""

from __future__ import annotations

import json
import pathlib

import orjson
import prometheus_client
import pytest
from prometheus_client import parser
from tests.gateway.proxy.conftest import Start, until

from brickyard.gateway import contract, testing
from brickyard.gateway.proxy import pages


async def test_models_are_listed_and_shown_one_by_one(start: Start) -> None:
    house = await start()
    house.director.endpoints["org/name"] = []
    answer = await house.ask(testing.get("/v1/models?limit=1"))
    page = orjson.loads(answer.body)
    assert page["object"] == "list"
    assert [row["id"] for row in page["data"]] == ["tiny", "org/name"]
    assert page["data"][0] == {"id": "tiny", "object": "model", "created": 1, "owned_by": "fake", "ready_endpoints": 1}
    for path in ("/v1/models/org/name", "/v1/models/org%2Fname"):
        assert orjson.loads((await house.ask(testing.get(path))).body)["id"] == "org/name"
    answer = await house.ask(testing.get("/v1/models/other"))
    assert (answer.status, answer.error()["code"]) == (404, "model_not_found")


async def test_an_unknown_model_is_told_the_known_ones(start: Start) -> None:
    house = await start()
    answer = await house.ask(testing.post({"model": "gpt-9\r\nx", "messages": [{"role": "user", "content": "a"}]}))
    error = answer.error()
    assert (answer.status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert "tiny" in str(error["message"])
    assert answer.headers["x-error-no-model-backends"] == "gpt-9??x"
    assert answer.headers["x-request-id"]
    assert house.director.records == []
    assert await house.metric('gateway_responses_total{model="unknown",status="404"}') == 1


async def test_a_known_model_without_endpoints_is_503(start: Start) -> None:
    house = await start()
    house.director.unready["sleepy"] = "sleepy has no ready pod: wait, or look at kubectl get pods"
    answer = await house.ask(testing.post({"model": "sleepy", "messages": [{"role": "user", "content": "a"}]}))
    assert (answer.status, answer.error()["code"]) == (503, "service_unavailable")
    assert answer.error()["message"] == house.director.unready["sleepy"]
    assert (answer.headers["x-error-no-model-backends"], answer.headers["retry-after"]) == ("true", "5")
    assert house.director.records[0][1].attempts == 0


async def test_what_routing_cannot_do_for_a_request_is_400(start: Start) -> None:
    house = await start()
    house.director.bad_request = "strategy fast is unknown: known are fake"
    answer = await house.ask(testing.post(headers="routing-strategy: fast"))
    assert (answer.status, answer.headers["x-error-routing"]) == (400, "true")
    assert "known are fake" in str(answer.error()["message"])


async def test_unknown_paths_are_told_what_is_served(start: Start) -> None:
    house = await start()
    answer = await house.ask(testing.post(path="/v1/chat/completion?x"))
    error = answer.error()
    assert (answer.status, error["type"]) == (404, "invalid_request_error")
    for path in ("POST /v1/chat/completions", "GET /v1/models/{id}", "/healthz"):
        assert path in str(error["message"])


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/chat/completions", "POST, OPTIONS"),
        ("DELETE", "/v1/models/tiny", "GET, HEAD, OPTIONS"),
        ("PUT", "/metrics", "GET, HEAD, OPTIONS"),
    ],
)
async def test_wrong_methods_are_told_the_right_ones(start: Start, method: str, path: str, allow: str) -> None:
    house = await start()
    async with testing.connect(house.port) as client:
        client.send(testing.get(path, method=method) + testing.get("/healthz"))
        answer = await client.read()
        assert (answer.status, answer.headers["allow"]) == (405, allow)
        assert (await client.read()).status == 200


async def test_head_has_the_heads_of_get_and_no_body(start: Start) -> None:
    house = await start()
    async with testing.connect(house.port) as client:
        client.send(testing.get("/v1/models") + testing.get("/v1/models", method="HEAD") + testing.get("/healthz"))
        full = await client.read()
        bare = await client.read(head_only=True)
        assert bare.headers["content-length"] == full.headers["content-length"]
        assert (await client.read()).body == b"ok\n"


async def test_a_refused_request_with_a_body_leaves_the_connection_in_order(start: Start) -> None:
    house = await start()
    async with testing.connect(house.port) as client:
        client.send(testing.post(path="/nowhere") + testing.post(path="/healthz") + testing.post())
        assert [(await client.read()).status for _ in range(3)] == [404, 405, 200]


@pytest.mark.parametrize("encoding", ["gzip", "br, gzip"])
async def test_compressed_bodies_are_refused_clearly(start: Start, encoding: str) -> None:
    house = await start()
    answer = await house.ask(testing.post(headers=f"content-encoding: {encoding}"))
    assert answer.status == 415
    assert "compressed" in str(answer.error()["message"])


async def test_health_and_readiness(start: Start) -> None:
    house = await start()
    assert (await house.ask(testing.get("/healthz"))).body == b"ok\n"
    assert (await house.ask(testing.get("/readyz"))).status == 200
    house.running._unready = lambda: "pods are not listed yet"
    answer = await house.ask(testing.get("/readyz"))
    assert (answer.status, answer.body) == (503, b"not ready: pods are not listed yet\n")


async def test_decisions_can_be_looked_up(start: Start) -> None:
    house = await start()
    assert (await house.ask(testing.get("/debug/requests/last"))).status == 404
    await house.ask(testing.post(headers="x-request-id: r1"))
    await house.ask(testing.post(headers="x-request-id: r/2"))
    assert orjson.loads((await house.ask(testing.get("/debug/requests/r1"))).body)["id"] == "r1"
    assert orjson.loads((await house.ask(testing.get("/debug/requests/r%2F2"))).body)["id"] == "r/2"
    assert orjson.loads((await house.ask(testing.get("/debug/requests/last"))).body)["id"] == "r/2"
    answer = await house.ask(testing.get("/debug/requests/nobody"))
    assert (answer.status, answer.error()["code"]) == (404, "decision_not_found")


async def test_models_at_a_glance(start: Start) -> None:
    house = await start()
    answer = await house.ask(testing.get("/debug/models"))
    assert orjson.loads(answer.body) == {"models": [{"id": "tiny"}]}


async def test_debug_pages_can_be_left_out(start: Start) -> None:
    house = await start(debug_pages=False)
    await house.ask()
    assert (await house.ask(testing.get("/debug/models"))).status == 404
    answer = await house.ask(testing.get("/debug/requests/last"))
    assert answer.status == 404
    assert "/debug" not in str(answer.error()["message"]).removeprefix("nothing is served at /debug")


async def test_metrics_count_what_happened(start: Start) -> None:
    house = await start()
    for _ in range(3):
        await house.ask()
    await house.ask(testing.post(path="/nowhere"))
    page = (await house.ask(testing.get("/metrics"))).body.decode()
    families = {family.name: family for family in parser.text_string_to_metric_families(page)}
    assert await house.metric('gateway_responses_total{model="tiny",status="200"}') == 3
    assert await house.metric('gateway_responses_total{model="unknown",status="404"}') == 1
    assert await house.metric("gateway_in_flight_requests") == 0
    assert await house.metric("gateway_upstream_connects_total") == 1
    assert await house.metric("gateway_upstream_reuses_total") == 2
    assert await house.metric("gateway_client_connections") == 1
    assert await house.metric("gateway_request_bytes_total") == 3 * len(testing.post().split(b"\r\n\r\n")[1])
    assert await house.metric("gateway_response_bytes_total") == 3 * len(b'{"ok":true}')
    buckets = [
        sample.value
        for sample in families["gateway_time_to_first_byte_seconds"].samples
        if sample.labels.get("model") == "tiny" and sample.name.endswith("_bucket")
    ]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 3


async def test_options_says_what_is_allowed(start: Start) -> None:
    house = await start()
    async with testing.connect(house.port) as client:
        client.send(
            testing.get("/v1/chat/completions", "origin: http://a\r\naccess-control-request-method: POST", "OPTIONS")
            + testing.get("*", method="OPTIONS")
        )
        answer = await client.read()
        assert (answer.status, answer.headers["allow"]) == (204, "POST, OPTIONS")
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert (await client.read()).status == 204


async def test_browsers_may_call_from_allowed_origins(start: Start) -> None:
    house = await start(
        lambda _request: [testing.reply(headers="access-control-allow-origin: *\r\nx-a: b")],
        cors_origins="http://a, http://b/",
    )
    preflight = "access-control-request-method: POST\r\naccess-control-request-headers: authorization"
    answer = await house.ask(testing.get("/v1/chat/completions", f"origin: http://b\r\n{preflight}", "OPTIONS"))
    assert answer.headers["access-control-allow-origin"] == "http://b"
    assert answer.headers["access-control-allow-headers"] == "authorization"
    assert answer.headers["vary"] == "origin"
    async with testing.connect(house.port) as client:
        client.send(testing.post(headers="origin: http://a"))
        head = (await client.reader.readuntil(b"\r\n\r\n")).lower()
    assert head.count(b"access-control-allow-origin: ") == 1
    assert b"access-control-allow-origin: http://a\r\n" in head
    assert b"x-a: b" in head
    other = await house.ask(testing.get("/v1/models", "origin: http://evil"))
    assert "access-control-allow-origin" not in other.headers


async def test_any_origin_may_be_allowed(start: Start) -> None:
    house = await start(cors_origins="*")
    answer = await house.ask(testing.get("/v1/models", "origin: http://whoever"))
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "vary" not in answer.headers


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (b"", None, "no body"),
        (b"{", None, "not valid JSON"),
        (b"[]", None, "must be a JSON object, not a list"),
        (b'{"messages":[{}]}', "model", "names no model"),
        (b'{"model":"tiny"}', "messages", "is missing"),
        (b'{"model":"tiny","messages":[]}', "messages", "is empty"),
        (b'{"model":"tiny","messages":[{}],"stream":"yes"}', "stream", "true or false"),
    ],
)
async def test_bad_bodies_are_named(start: Start, body: bytes, param: str | None, words: str) -> None:
    house = await start()
    async with testing.connect(house.port) as client:
        client.send(testing.post(body) + testing.get("/healthz"))
        answer = await client.read()
        assert (answer.status, answer.error()["param"]) == (400, param)
        assert words in str(answer.error()["message"])
        assert answer.headers["x-error-request-body-processing"] == "true"
        assert (await client.read()).status == 200
    assert house.director.leases == []


async def test_a_fault_inside_the_gateway_is_500_for_that_request_only(start: Start) -> None:
    house = await start()
    house.director.knows = None  # type: ignore[assignment]  # what a defect looks like
    assert (await house.ask()).status == 500
    assert (await house.ask(testing.get("/healthz"))).status == 200


async def test_the_access_log_has_a_line_per_request(start: Start, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "access.log"
    house = await start(access_log=str(path), keepalive_timeout=0.1)
    await house.ask(testing.post(headers="x-request-id: r1\r\nauthorization: Bearer secret"))
    await house.ask(testing.post(path="/nowhere"))
    await until(lambda: path.exists() and path.read_text().count("\n") == 2)
    text = path.read_text()
    first, second = map(json.loads, text.splitlines())
    assert (first["request_id"], first["status"], first["model"], first["attempts"]) == ("r1", 200, "tiny", 1)
    assert (first["endpoint"], first["bytes_out"], first["error"]) == (f"default/a:{house.engine.port}", 11, "")
    assert 0 < first["first_byte"] <= first["duration"]
    assert (second["status"], second["path"], second["endpoint"]) == (404, "/nowhere", "")
    assert "secret" not in text


def test_a_card_shows_what_is_known_of_its_model() -> None:
    class Told(testing.FakeDirector):
        def models(self) -> list[contract.ModelCard]:
            return [contract.ModelCard("tiny", 1, "fake", 1, 4096, "/models/tiny")]

    shown = pages.Pages(Told(), prometheus_client.CollectorRegistry(), str)
    row = orjson.loads(shown.models("").body)["data"][0]
    assert (row["max_model_len"], row["root"]) == (4096, "/models/tiny")
    assert orjson.loads(shown.model("tiny").body) == row
