"""Keeper, injector and server, alone and together, on a memory API and real TLS."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import orjson
import pytest

from brickyard.api.kinds import resources
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.client import testing
from brickyard.kube.objects import meta
from brickyard.kube.webhooks import certificates, configurations, contract, errors, keeper, plan, server, service
from brickyard.lib import clock

NOW = 1_800_000_000.0
NAMES = service.Names()
KEY = meta.Key(NAMES.namespace, NAMES.secret)
SUBJECT = certificates.Subject(("127.0.0.1.test",))


def refuse(request: contract.Request) -> contract.Answer:
    if request.name == "bug":
        raise ValueError("a bug")
    return contract.Denied("no") if request.name == "bad" else contract.Allowed()


ROWS = [
    contract.Webhook("a.b.c", "/validate", contract.Phase.VALIDATING, resources.DEPLOYMENT, refuse),
    contract.Webhook("a.b.d", "/mutate", contract.Phase.MUTATING, resources.DEPLOYMENT, refuse),
]


def question(name: str = "good") -> dict[str, Any]:
    request = {"uid": "u", "kind": {"kind": "Deployment"}, "operation": "CREATE", "name": name, "object": {"a": 1}}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def serial(bundle: certificates.Bundle) -> int:
    return bundle.serving.certificate.serial_number


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def running(*works: Awaitable[None]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(each) for each in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# Keeper.


def made(client: testing.MemoryClient, time: clock.Clock, seen: list[certificates.Bundle]) -> keeper.Keeper:
    return keeper.Keeper(client, keeper.Source(KEY, SUBJECT), time, seen.append)


async def test_certificates_are_made_once_and_read_by_the_next() -> None:
    client, time = testing.MemoryClient(), clock.ManualClock(NOW)
    seen: list[certificates.Bundle] = []
    first = made(client, time, seen)
    assert await first.check() == 0
    assert await first.check() == 60 * plan.DAY
    assert await made(client, time, seen).check() == 60 * plan.DAY
    assert len(seen) == 2
    assert serial(seen[0]) == serial(seen[1])
    assert len(client.wrote()) == 1


async def test_replicas_that_start_at_once_agree() -> None:
    client, time = testing.MemoryClient(latency=0.001), clock.ManualClock(NOW)
    seen: list[list[certificates.Bundle]] = [[], [], []]
    async with running(*(made(client, time, each).run() for each in seen)):
        await eventually(lambda: all(seen) and len({serial(each[-1]) for each in seen}) == 1)
    assert len(client.all(resources.SECRET)) == 1


async def test_a_renewal_is_published_to_the_other_replica() -> None:
    client, time = testing.MemoryClient(), clock.ManualClock(NOW)
    one: list[certificates.Bundle] = []
    two: list[certificates.Bundle] = []
    async with running(made(client, time, one).run()):
        await eventually(lambda: bool(one))
        first = serial(one[0])
        time.advance(61 * plan.DAY)
        other = made(client, time, two)
        while not await other.check():
            pass  # the first one was faster: what it stored is read now
        assert serial(two[-1]) != first
        await eventually(lambda: serial(one[-1]) == serial(two[-1]))


async def test_of_two_renewals_the_first_stands() -> None:
    client, time = testing.MemoryClient(), clock.ManualClock(NOW)
    seen: list[certificates.Bundle] = []
    found = made(client, time, seen)
    await found.check()
    time.advance(61 * plan.DAY)
    client.fail_next(kube_errors.Conflict("somebody was faster"), verb="update")
    assert await found.check() == 0.0
    assert len(seen) == 1  # what was not stored is not served


async def test_an_empty_secret_is_filled_and_a_damaged_one_replaced() -> None:
    client, time = testing.MemoryClient(), clock.ManualClock(NOW)
    secret = {"metadata": {"name": KEY.name, "namespace": KEY.namespace, "labels": {"a": "b"}}, "type": "Opaque"}
    client.seed(resources.SECRET, secret)
    seen: list[certificates.Bundle] = []
    await made(client, time, seen).check()
    held = client.all(resources.SECRET)[0]
    assert meta.labels(held) == {"a": "b"}
    await client.update(resources.SECRET, {**held, "data": {**held["data"], "tls.key": "AAAA", "mine": "AAAA"}})
    await made(client, time, seen).check()
    assert serial(seen[0]) != serial(seen[1])
    assert client.all(resources.SECRET)[0]["data"]["mine"] == "AAAA"


async def test_an_api_that_is_away_is_waited_for() -> None:
    client, seen = testing.MemoryClient(), list[certificates.Bundle]()
    client.fail_next(kube_errors.Unavailable("starting"), kind=resources.SECRET, times=3)
    async with running(made(client, clock.ManualClock(NOW), seen).run()):
        await eventually(lambda: bool(seen))


# Server.


def trusting(pem: bytes) -> httpx2.AsyncClient:
    context = ssl.create_default_context(cadata=pem.decode())
    context.check_hostname = False
    return httpx2.AsyncClient(verify=context, trust_env=False)


def pair() -> certificates.Bundle:
    now = clock.SystemClock().wall()
    root = certificates.make_authority(SUBJECT, now, 3600)
    return certificates.Bundle(certificates.make_serving(root, SUBJECT, now, 3600), root)


@contextlib.asynccontextmanager
async def serving(bundle: certificates.Bundle) -> AsyncIterator[server.WebhookServer]:
    found = server.WebhookServer(ROWS, lambda: ("not yet",), host="127.0.0.1", port=0)
    found.certify(bundle.serving)
    async with running(found.run()):
        async with asyncio.timeout(10):
            await found.serving.wait()
        yield found


async def test_questions_are_answered_by_path() -> None:
    bundle = pair()
    async with serving(bundle) as found, trusting(bundle.trust) as api:
        url = f"https://127.0.0.1:{found.port}"

        async def ask(path: str, body: bytes) -> httpx2.Response:
            return await api.post(url + path, content=body)

        good = await ask("/validate", orjson.dumps(question()))
        assert orjson.loads(good.content)["response"] == {"uid": "u", "allowed": True}
        bad = orjson.loads((await ask("/validate", orjson.dumps(question("bad")))).content)["response"]
        assert (bad["allowed"], bad["status"]["message"]) == (False, "no")
        assert (await ask("/validate", orjson.dumps(question("bug")))).status_code == 500
        assert (await ask("/validate", b"{}")).status_code == 400
        assert (await ask("/else", b"{}")).status_code == 404
        assert (await ask("/validate", b" " * (server.BODY_LIMIT + 1))).status_code == 413
        assert (await api.get(url + "/validate")).status_code == 405
        assert (await api.get(url + "/healthz")).status_code == 200
        ready = await api.get(url + "/readyz")
        assert (ready.status_code, ready.text) == (503, "not yet")


async def test_a_question_that_does_not_arrive_holds_no_place_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BODY_DEADLINE", 0.05)
    bundle = pair()
    async with serving(bundle) as found, trusting(bundle.trust) as api:
        url = f"https://127.0.0.1:{found.port}/validate"
        context = ssl.create_default_context(cadata=bundle.trust.decode())
        context.check_hostname = False
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", found.port, ssl=context)
            writer.write(b"POST /validate HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{")
            assert b" 408 " in await reader.readline()
            writer.close()
        assert (await api.post(url, content=orjson.dumps(question()))).status_code == 200


async def test_a_new_certificate_is_served_without_breaking_what_stands() -> None:
    old, new = pair(), pair()
    async with serving(old) as found, trusting(old.trust) as before, trusting(new.trust) as after:
        url = f"https://127.0.0.1:{found.port}/healthz"
        assert (await before.get(url)).status_code == 200
        with pytest.raises(httpx2.ConnectError):
            await after.get(url)
        found.certify(new.serving)
        assert (await after.get(url)).status_code == 200
        assert (await before.get(url)).status_code == 200  # its connection stands


async def test_stopping_does_not_wait_for_clients_that_keep_their_connection() -> None:
    bundle = pair()
    async with trusting(bundle.trust) as api:
        async with serving(bundle) as found:
            assert (await api.get(f"https://127.0.0.1:{found.port}/healthz")).status_code == 200
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 10


async def test_what_is_under_way_is_answered_before_the_end() -> None:
    bundle, asked, go = pair(), threading.Event(), threading.Event()

    def slow(request: contract.Request) -> contract.Answer:
        del request
        asked.set()
        go.wait(5)
        return contract.Allowed()

    row = contract.Webhook("a.b.c", "/slow", contract.Phase.VALIDATING, resources.DEPLOYMENT, slow)
    found = server.WebhookServer([row], host="127.0.0.1", port=0)
    found.certify(bundle.serving)
    task = asyncio.create_task(found.run())
    await found.serving.wait()
    async with trusting(bundle.trust) as api:
        body = orjson.dumps(question())
        asking = asyncio.create_task(api.post(f"https://127.0.0.1:{found.port}/slow", content=body))
        await eventually(asked.is_set)
        task.cancel()
        await asyncio.sleep(0.05)
        go.set()
        assert (await asking).status_code == 200
        await asyncio.gather(task, return_exceptions=True)


async def test_a_port_that_is_taken_is_told() -> None:
    holder = server.bind("127.0.0.1", 0)
    holder.listen()
    with contextlib.closing(holder), pytest.raises(errors.PortInUse, match="cannot listen"):
        server.bind("127.0.0.1", holder.getsockname()[1])


# All together.


async def test_ready_means_served_and_trusted() -> None:
    client = testing.MemoryClient()
    options = service.Options(port=0, more_dns_names=("localhost",))
    found = service.WebhookService(client, clock.SystemClock(), ROWS, options)
    assert "webhooks are not served yet" in found.not_ready()
    async with running(found.run()):
        async with asyncio.timeout(10):
            await found.served()
        assert [each.startswith("there is no ") for each in found.not_ready()] == [True, True]
        for phase, name in NAMES.configurations.items():
            kind = configurations.OF_PHASE[phase]
            await client.create(kind, configurations.configuration(name, phase, ROWS, NAMES.reach))
        await eventually(lambda: not found.not_ready())

        # Whoever breaks a caBundle has it put right.
        kind = configurations.OF_PHASE[contract.Phase.VALIDATING]
        held = await client.get(kind, NAMES.validating)
        right = held["webhooks"][0]["clientConfig"]["caBundle"]
        held["webhooks"][0]["clientConfig"]["caBundle"] = ""
        await client.update(kind, held)

        async def bundle() -> str:
            return str((await client.get(kind, NAMES.validating))["webhooks"][0]["clientConfig"]["caBundle"])

        async with asyncio.timeout(10):
            while await bundle() != right:
                await asyncio.sleep(0.005)

        # What the cluster was told to trust is what is served, under the name it asks for.
        context = ssl.create_default_context(cadata=base64.b64decode(right).decode())
        async with httpx2.AsyncClient(verify=context, trust_env=False) as api:
            answer = await api.post(
                f"https://127.0.0.1:{found.port}/mutate",
                content=orjson.dumps(question()),
                extensions={"sni_hostname": NAMES.reach.dns_names[0]},
            )
        assert answer.status_code == 200
