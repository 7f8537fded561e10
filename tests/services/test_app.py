"""The pages and the door that all services share."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import hypothesis
import pytest
import schemathesis
from schemathesis import checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as specs
from starlette import requests, responses

import brickyard
from brickyard.accounts import tokens
from brickyard.accounts.stores import memory
from brickyard.lib import clock
from brickyard.services import answers, app, contract, errors, settings, testing
from brickyard.services.users import routes


@pytest.fixture
async def at() -> AsyncIterator[testing.Counter]:
    async with testing.serving() as counter:
        yield counter


async def test_health_readiness_and_version(at: testing.Counter) -> None:
    assert (await at.client.get("/healthz")).json() == {"status": "ok"}
    assert (await at.client.get("/readyz")).json() == {"status": "ready"}
    assert (await at.client.get("/version")).json() == {"version": brickyard.__version__}


async def test_readiness_says_why_not(at: testing.Counter) -> None:
    at.store.weather.away = True
    answer = await at.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "error": "the store is away"})
    assert (await at.client.get("/healthz")).status_code == 200
    at.store.weather.away = False
    at.application.draining = True
    assert (await at.client.get("/readyz")).json()["error"] == "the services are stopping"


@pytest.mark.looptime
async def test_readiness_does_not_wait_for_ever(at: testing.Counter) -> None:
    at.store.weather.delay = 1e6
    answer = await at.client.get("/readyz")
    assert (answer.status_code, answer.json()["error"]) == (503, "no answer within 5 s")


@pytest.mark.parametrize("path", ["/", "/nowhere", "/users/", "/createuser", "/CreateUser/x", "/users//keys/x/y"])
async def test_what_is_not_served(at: testing.Counter, path: str) -> None:
    answer = await at.client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["message"] == f"nothing is served at {path}: see /openapi.json for what is"


# path, a method that it does not take, those that it does
METHODS = [
    ("/CreateUser", "GET", {"POST"}),
    ("/users", "POST", {"GET", "HEAD"}),
    ("/users/ada/keys", "PATCH", {"GET", "HEAD", "POST"}),
    ("/users/ada/keys/1", "GET", {"DELETE"}),
]


@pytest.mark.parametrize(("path", "method", "takes"), METHODS)
async def test_methods_that_a_path_does_not_take(at: testing.Counter, path: str, method: str, takes: set[str]) -> None:
    answer = await at.client.request(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == takes
    assert method in answer.json()["error"]["message"]


async def test_head_is_get_without_its_body(at: testing.Counter) -> None:
    assert (await at.client.head("/users")).status_code == 200


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
async def test_forms_are_not_read(at: testing.Counter, media: str) -> None:
    answer = await at.client.post("/CreateUser", content=b'{"name":"ada"}', headers={"content-type": media})
    assert answer.status_code == 415
    assert list(await at.store.users()) == []


@pytest.mark.parametrize("media", ["application/json", "application/json; charset=utf-8", "Application/JSON", None])
async def test_json_is(at: testing.Counter, media: str | None) -> None:
    headers = {"content-type": media} if media else {}
    answer = await at.client.post("/CreateUser", content=b'{"name":"ada"}', headers=headers)
    assert answer.status_code == 200


async def test_a_body_has_a_limit(at: testing.Counter) -> None:
    answer = await at.client.post("/CreateUser", json={"name": "x" * answers.BODY_LIMIT})
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "invalid_request_error")


@pytest.mark.looptime
async def test_a_body_has_a_deadline(at: testing.Counter) -> None:
    async def receive() -> dict[str, object]:
        await asyncio.sleep(1e6)
        raise AssertionError

    sent: list[dict[str, object]] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": "/CreateUser", "raw_path": b"/CreateUser", "query_string": b"",
        "headers": [], "client": None, "server": None, "scheme": "http", "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    await at.application.asgi(scope, receive, send)
    assert sent[0]["status"] == 408


class TestToken:
    """The services' own token, where one is set."""

    @pytest.fixture
    async def guarded(self) -> AsyncIterator[testing.Counter]:
        async with testing.serving(settings=settings.ServicesSettings(token="hush-1")) as counter:
            yield counter

    @pytest.mark.parametrize(
        "shown", [None, "", "Bearer", "Bearer hush", "Bearer hush-1x", "Basic hush-1", "hush-1", "Bearer ä"]
    )
    async def test_is_asked_for(self, guarded: testing.Counter, shown: str | None) -> None:
        headers = {} if shown is None else {b"authorization": shown.encode("latin-1")}
        answer = await guarded.client.post("/CreateUser", json={"name": "ada"}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert list(await guarded.store.users()) == []

    @pytest.mark.parametrize("shown", ["Bearer hush-1", "bearer hush-1", "BEARER  hush-1 "])
    async def test_opens(self, guarded: testing.Counter, shown: str) -> None:
        answer = await guarded.client.post("/CreateUser", json={"name": "ada"}, headers={"authorization": shown})
        assert answer.status_code == 200

    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/version", "/openapi.json"])
    async def test_is_not_asked_for_by_pages(self, guarded: testing.Counter, path: str) -> None:
        assert (await guarded.client.get(path)).status_code == 200


class TestDoor:
    @staticmethod
    def application(handler: contract.Handler, *, log: pathlib.Path | None = None, most: int = 256) -> app.App:
        async def ready() -> str:
            return ""

        rows = [contract.Operation("GET", "/x/{id}", handler, "X")]
        options = settings.ServicesSettings(access_log=str(log or ""), max_requests=most)
        return app.App([contract.Service("x", rows, ready)], options)

    @staticmethod
    async def ask(application: app.App, path: str = "/x/1", **headers: str) -> tuple[int, dict[str, str], bytes]:
        transport = httpx2.ASGITransport(app=application.asgi)
        async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
            answer = await client.get(path, headers=headers)
        return answer.status_code, dict(answer.headers), answer.content

    async def test_a_bug_is_answered_and_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        async def broken(_: requests.Request) -> responses.Response:
            raise ZeroDivisionError

        status, headers, body = await self.ask(self.application(broken), **{"x-request-id": "abc-1"})
        assert (status, headers["request-id"], headers["content-type"]) == (500, "abc-1", "application/json")
        assert json.loads(body)["error"]["type"] == "api_error"
        assert "a request failed" in caplog.text
        assert "ZeroDivisionError" in caplog.text

    async def test_one_too_many_is_told_so(self) -> None:
        release = asyncio.Event()

        async def slow(_: requests.Request) -> responses.Response:
            await release.wait()
            return answers.answer({})

        application = self.application(slow, most=2)
        under_way = [asyncio.create_task(self.ask(application)) for _ in range(2)]
        await asyncio.sleep(0.01)
        status, headers, _ = await self.ask(application)
        assert (status, headers["retry-after"]) == (503, "1")
        release.set()
        assert [each[0] for each in await asyncio.gather(*under_way)] == [200, 200]
        assert (await self.ask(application))[0] == 200

    async def test_the_access_log_has_a_line_for_each(self, tmp_path: pathlib.Path) -> None:
        async def fine(_: requests.Request) -> responses.Response:
            return answers.answer({"a": 1})

        application = self.application(fine, log=tmp_path / "log")
        await self.ask(application, "/x/1?token=secret", **{"x-request-id": "id1"})
        await self.ask(application, "/y")
        application.close()
        first, second = map(json.loads, (tmp_path / "log").read_text().splitlines())
        assert {key: first[key] for key in ("request_id", "method", "path", "status", "bytes")} == {
            "request_id": "id1",
            "method": "GET",
            "path": "/x/1",
            "status": 200,
            "bytes": 7,
        }
        assert second["status"] == 404
        assert "secret" not in (tmp_path / "log").read_text()

    async def test_metrics_count_routes_and_not_what_clients_make_up(self) -> None:
        async def fine(_: requests.Request) -> responses.Response:
            return answers.answer({})

        application = self.application(fine)
        for path in ("/x/1", "/x/2", "/made-up"):
            await self.ask(application, path)
        page = (await self.ask(application, "/metrics"))[2].decode()
        assert 'services_requests_total{method="GET",route="/x/{id}",status="200"} 2.0' in page
        assert 'services_requests_total{method="unknown",route="unknown",status="404"} 1.0' in page
        assert "made-up" not in page
        assert "services_in_flight_requests 1.0" in page

    @pytest.mark.parametrize("shown", ["", "x" * 200, "a\tb"])
    async def test_an_id_that_is_none_is_made(self, shown: str) -> None:
        async def fine(_: requests.Request) -> responses.Response:
            return answers.answer({})

        _, headers, _ = await self.ask(self.application(fine), **{"x-request-id": shown})
        assert len(headers["request-id"]) == 32

    def test_a_log_that_cannot_be_written(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(errors.ServicesError, match="cannot be written"):
            app.App([], settings.ServicesSettings(access_log=str(tmp_path / "no" / "log")))


async def test_the_document_has_every_operation(at: testing.Counter) -> None:
    document = (await at.client.get("/openapi.json")).json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert {
        ("POST", "/CreateUser"),
        ("GET", "/users"),
        ("DELETE", "/users/{name}/keys/{id}"),
        ("GET", "/healthz"),
    } <= described
    assert document["components"]["schemas"]["UserBody"]["properties"]["rpm"] == {"type": "integer", "default": 0}
    assert document["paths"]["/healthz"]["get"].get("security") is None
    assert {"token": []} in document["paths"]["/users"]["get"]["security"]


@pytest.mark.slow
def test_the_document_is_true() -> None:
    """Whatever the document allows, and a little more, is answered as the document says and never by a failure of ours."""
    store = memory.MemoryStore()
    users = routes.UserService(store, tokens.Hasher(b"s" * 32), random=os.urandom, time=clock.ManualClock())
    application = app.App([users.service()], settings.ServicesSettings())
    schema = schemathesis.openapi.from_asgi("/openapi.json", application.asgi)
    results = list(schema.get_all_operations())
    operations: list[Any] = [each.ok() for each in results if isinstance(each, Ok)]
    assert len(operations) == len(results) == 12  # all but the document itself
    statuses = {status for operation in operations for status in ask(operation)}
    assert {200, 404, 422} <= statuses
    assert not {status for status in statuses if status >= 500}


def ask(operation: Any) -> set[int]:
    """Send cases of an operation and hold the answers to the document; their statuses."""
    statuses = set[int]()

    @hypothesis.settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy())
    def send(case: Any) -> None:
        answer = case.call()
        case.validate_response(answer, checks=[checks.not_a_server_error, specs.response_schema_conformance])
        statuses.add(answer.status_code)

    send()
    return statuses
