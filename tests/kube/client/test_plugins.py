from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import pathlib
import ssl
import sys
from collections.abc import AsyncIterator

import httpx2
import orjson
import pytest
import trustme

from brickyard.kube.client import errors, kubeconfig, plugins, rest
from brickyard.lib import clock, timestamps

NOW = 1_700_000_000.0
URL = "https://cluster:6443/api"

# Prints a token that tells how often it was asked, and notes what it was given.
LOGIN = """
import json, os, pathlib, sys
count = pathlib.Path("count"); number = int(count.read_text()) + 1 if count.exists() else 1; count.write_text(str(number))
pathlib.Path("info").write_text(os.environ["KUBERNETES_EXEC_INFO"])
status = {"token": f"token-{number}-{os.environ['WHO']}-{sys.argv[1]}"}
if os.environ.get("EXPIRES"): status["expirationTimestamp"] = os.environ["EXPIRES"]
print(json.dumps({"kind": "ExecCredential", "status": status}))
"""


def plug_in(code: str, **environ: str) -> plugins.Plugin:
    return plugins.Plugin(plugins.VERSIONS[0], sys.executable, ["-c", code, "arg"], {"WHO": "me", **environ})


def auth_of(plugin: plugins.Plugin, time: clock.Clock | None = None) -> plugins.ExecAuth:
    return plugins.ExecAuth(plugin, ssl.create_default_context(), time)


@pytest.fixture(autouse=True)
def here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def authorize(auth: plugins.ExecAuth, *statuses: int) -> list[str]:
    """The Authorization headers that are sent when the answers have these statuses."""
    flow = auth.async_auth_flow(httpx2.Request("GET", URL))
    request = await anext(flow)
    sent = [request.headers["Authorization"]]
    for status in statuses:
        try:
            request = await flow.asend(httpx2.Response(status))
        except StopAsyncIteration:
            break
        sent.append(request.headers["Authorization"])
    await flow.aclose()
    return sent


async def test_the_token_is_asked_for_once(here: pathlib.Path) -> None:
    auth = auth_of(plug_in(LOGIN))
    assert await authorize(auth, 200) == ["Bearer token-1-me-arg"]
    assert await authorize(auth, 200) == ["Bearer token-1-me-arg"]
    assert '"interactive":false' in (here / "info").read_text()


async def test_a_refused_token_is_replaced_once() -> None:
    auth = auth_of(plug_in(LOGIN))
    assert await authorize(auth, 401, 401) == ["Bearer token-1-me-arg", "Bearer token-2-me-arg"]


async def test_an_expired_token_is_replaced() -> None:
    time = clock.ManualClock(NOW)
    auth = auth_of(plug_in(LOGIN, EXPIRES=timestamps.rfc3339(NOW + 100)), time)
    assert await authorize(auth, 200) == ["Bearer token-1-me-arg"]
    time.advance(80)
    assert await authorize(auth, 200) == ["Bearer token-1-me-arg"]
    time.advance(15)
    assert await authorize(auth, 200) == ["Bearer token-2-me-arg"]


async def test_requests_at_once_share_one_login() -> None:
    auth = auth_of(plug_in(LOGIN))
    sent = await asyncio.gather(*(authorize(auth, 200) for _ in range(5)))
    assert sent == [["Bearer token-1-me-arg"]] * 5


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("import sys; sys.exit('no session: run login first')", "no session: run login first"),
        ("print('hello')", "no ExecCredential"),
        ("print('{}')", "no ExecCredential"),
        ("print('[]')", "no ExecCredential"),
        ("""print('{"status": {"clientCertificateData": "x"}}')""", "only one"),
        ("""print('{"status": {"clientCertificateData": "x", "clientKeyData": "y"}}')""", "cannot be read"),
        ("""print('{"status": {"token": "t", "expirationTimestamp": "soon"}}')""", "cannot be read"),
        ("""print('{"status": {"token": 7}}')""", "neither a token nor"),
        ("""print('{"status": null}')""", "neither a token nor"),
    ],
)
async def test_a_plug_in_that_fails_says_why(code: str, text: str) -> None:
    with pytest.raises(errors.Unauthorized, match=text):
        await authorize(auth_of(plug_in(code)), 200)


async def test_a_plug_in_that_is_not_there() -> None:
    plugin = plugins.Plugin(plugins.VERSIONS[0], "/no/such/login", install_hint="apt install login")
    with pytest.raises(errors.Unauthorized, match="/no/such/login did not start") as failed:
        await authorize(auth_of(plugin), 200)
    assert failed.value.hint == "apt install login"


async def test_a_plug_in_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "DEADLINE", 0.1)
    with pytest.raises(errors.Unauthorized, match="more than"):
        await authorize(auth_of(plug_in("import time; time.sleep(1000)")), 200)


RAW = {"apiVersion": plugins.VERSIONS[0], "command": "login"}


@pytest.mark.parametrize(
    ("raw", "text"),
    [({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "v1alpha1"), ({"interactiveMode": "Often"}, "Often")],
)
def test_what_is_not_known_is_refused(raw: dict[str, str], text: str) -> None:
    with pytest.raises(errors.KubeconfigError, match=text):
        plugins.Plugin.parse({**RAW, **raw}, {})


def test_a_plug_in_is_read() -> None:
    raw = {**RAW, "args": ["a"], "env": [{"name": "N", "value": "v"}], "interactiveMode": "Never", "installHint": "h"}
    expected = plugins.Plugin(plugins.VERSIONS[0], "login", ("a",), {"N": "v"}, "h", "Never")
    assert plugins.Plugin.parse(raw, {"server": "s"}) == expected
    assert plugins.Plugin.parse({**RAW, "provideClusterInfo": True}, {"server": "s"}).cluster == {"server": "s"}


async def test_the_cluster_is_told_where_it_is_asked_for(here: pathlib.Path) -> None:
    plugin = dataclasses.replace(plug_in(LOGIN), cluster={"server": "https://cluster"})
    await authorize(auth_of(plugin), 200)
    info = orjson.loads((here / "info").read_text())
    assert info["spec"] == {"interactive": False, "cluster": {"server": "https://cluster"}}


async def test_one_that_must_ask_a_person_needs_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    plugin = dataclasses.replace(plug_in(LOGIN), mode="Always")
    with pytest.raises(errors.Unauthorized, match="no terminal"):
        await authorize(auth_of(plugin), 200)


# Client certificates, against a server that asks for one.

CERTIFICATES = """
import json, os, pathlib
count = pathlib.Path("count"); number = int(count.read_text()) + 1 if count.exists() else 1; count.write_text(str(number))
who = f"user-{min(number, 2)}"
pair = {"clientCertificateData": pathlib.Path(who + ".crt").read_text(), "clientKeyData": pathlib.Path(who + ".key").read_text()}
print(json.dumps({"kind": "ExecCredential", "status": pair}))
"""


@contextlib.asynccontextmanager
async def asking_for_certificates(authority: trustme.CA, accepted: list[str]) -> AsyncIterator[str]:
    """An HTTPS server that answers 401 to whoever is not in ``accepted``; its answers name the client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("ssl_object").getpeercert()
        who = next(value for kind, value in peer["subjectAltName"] if kind == "DNS")
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                body = orjson.dumps({"who": who})
                status = "200 OK" if who in accepted else "401 Unauthorized"
                writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_client_certificate_is_shown_and_replaced_when_refused(here: pathlib.Path) -> None:
    authority = trustme.CA()
    for who in ("user-1", "user-2"):
        leaf = authority.issue_cert(who)
        leaf.cert_chain_pems[0].write_to_path(str(here / f"{who}.crt"))
        leaf.private_key_pem.write_to_path(str(here / f"{who}.key"))
    accepted = ["user-1"]
    async with asking_for_certificates(authority, accepted) as url:
        tls = ssl.create_default_context()
        authority.configure_trust(tls)
        access = kubeconfig.Access(url, tls, plugins.ExecAuth(plug_in(CERTIFICATES), tls), "default")
        async with rest.RestClient(access) as client:
            assert await client.read("/") == {"who": "user-1"}
            assert await client.read("/") == {"who": "user-1"}
            assert (here / "count").read_text() == "1"
            accepted[:] = ["user-2"]
            assert await client.read("/") == {"who": "user-2"}
            assert (here / "count").read_text() == "2"
            accepted.clear()
            with pytest.raises(errors.Unauthorized):
                await client.read("/")


async def test_a_certificate_without_an_expiry_is_replaced_before_its_own_end(here: pathlib.Path) -> None:
    leaf = trustme.CA().issue_cert("user-1", not_after=datetime.datetime.fromtimestamp(NOW + 100, datetime.UTC))
    for who in ("user-1", "user-2"):
        leaf.cert_chain_pems[0].write_to_path(str(here / f"{who}.crt"))
        leaf.private_key_pem.write_to_path(str(here / f"{who}.key"))
    time = clock.ManualClock(NOW)
    auth = auth_of(plug_in(CERTIFICATES), time)
    for passes, count in ((0, "1"), (80, "1"), (15, "2")):
        time.advance(passes)
        flow = auth.async_auth_flow(httpx2.Request("GET", URL))
        assert "Authorization" not in (await anext(flow)).headers
        await flow.aclose()
        assert (here / "count").read_text() == count


def test_it_serves_the_async_client_only() -> None:
    with pytest.raises(NotImplementedError):
        auth_of(plug_in(LOGIN)).sync_auth_flow(httpx2.Request("GET", URL))
