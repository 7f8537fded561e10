from __future__ import annotations

import asyncio
import pathlib
import sys

import httpx2
import pytest
from lightkube.config import models

from brickyard.kube.client import errors, plugins
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


def plug_in(code: str, **environ: str) -> models.UserExec:
    variables = [models.NameValue(name, value) for name, value in {"WHO": "me", **environ}.items()]
    return models.UserExec(
        apiVersion="client.authentication.k8s.io/v1", command=sys.executable, args=["-c", code, "arg"], env=variables
    )


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
    auth = plugins.ExecAuth(plug_in(LOGIN))
    assert await authorize(auth, 200) == ["Bearer token-1-me-arg"]
    assert await authorize(auth, 200) == ["Bearer token-1-me-arg"]
    assert '"interactive":false' in (here / "info").read_text()


async def test_a_refused_token_is_replaced_once() -> None:
    auth = plugins.ExecAuth(plug_in(LOGIN))
    assert await authorize(auth, 401, 401) == ["Bearer token-1-me-arg", "Bearer token-2-me-arg"]


async def test_an_expired_token_is_replaced() -> None:
    time = clock.ManualClock(NOW)
    auth = plugins.ExecAuth(plug_in(LOGIN, EXPIRES=timestamps.rfc3339(NOW + 100)), time)
    assert await authorize(auth, 200) == ["Bearer token-1-me-arg"]
    time.advance(80)
    assert await authorize(auth, 200) == ["Bearer token-1-me-arg"]
    time.advance(15)
    assert await authorize(auth, 200) == ["Bearer token-2-me-arg"]


async def test_requests_at_once_share_one_login() -> None:
    auth = plugins.ExecAuth(plug_in(LOGIN))
    sent = await asyncio.gather(*(authorize(auth, 200) for _ in range(5)))
    assert sent == [["Bearer token-1-me-arg"]] * 5


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("import sys; sys.exit('no session: run login first')", "no session: run login first"),
        ("print('hello')", "no ExecCredential"),
        ("print('{}')", "no ExecCredential"),
        ("print('[]')", "no ExecCredential"),
        ("""print('{"status": {"clientCertificateData": "x"}}')""", "not supported"),
        ("""print('{"status": null}')""", "no token"),
    ],
)
async def test_a_plug_in_that_fails_says_why(code: str, text: str) -> None:
    with pytest.raises(errors.Unauthorized, match=text):
        await authorize(plugins.ExecAuth(plug_in(code)), 200)


async def test_a_plug_in_that_is_not_there() -> None:
    plugin = models.UserExec(apiVersion=plugins.VERSIONS[0], command="/no/such/login")
    with pytest.raises(errors.Unauthorized, match="/no/such/login did not start"):
        await authorize(plugins.ExecAuth(plugin), 200)


async def test_a_plug_in_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "DEADLINE", 0.1)
    with pytest.raises(errors.Unauthorized, match="more than"):
        await authorize(plugins.ExecAuth(plug_in("import time; time.sleep(1000)")), 200)


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(errors.KubeconfigError, match="v1alpha1"):
        plugins.ExecAuth(models.UserExec(apiVersion="client.authentication.k8s.io/v1alpha1", command="x"))


def test_it_serves_the_async_client_only() -> None:
    with pytest.raises(NotImplementedError):
        plugins.ExecAuth(plug_in(LOGIN)).sync_auth_flow(httpx2.Request("GET", URL))
