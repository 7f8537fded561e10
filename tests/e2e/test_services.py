"""The services as a part of `up`: users are managed, survive a kill, and are there after a restart."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import stat

import httpx2
import openai
import pytest
from tests.e2e import yard as yards

pytestmark = pytest.mark.e2e


def services(yard: yards.Yard) -> str:
    return f"http://127.0.0.1:{yard.services_port}"


def ready(yard: yards.Yard) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return httpx2.get(f"{services(yard)}/readyz", trust_env=False).status_code == 200
    return False


def test_users_survive_whatever_happens_to_the_services(tmp_path: pathlib.Path) -> None:
    with yards.running(tmp_path / "data") as yard:
        assert yard.brickyard("user", "create", "ada", "--rpm", "3").stdout == "Created User: ada\n"
        token = yard.brickyard("user", "keys", "create", "ada").stdout.strip()
        part = yard.part("services")
        part.kill()
        part.wait(10)
        yards.until(lambda: ready(yard), within=10, what="the services are back")
        assert yard.part("services").pid != part.pid
        assert "ada" in yard.brickyard("user", "list").stdout
        yard.down()
        assert not ready(yard)
        yard.up()
        assert "ada    3" in yard.brickyard("user", "list").stdout
        key = yard.brickyard("user", "keys", "list", "ada").stdout.splitlines()[1].split()[0]
        assert yard.brickyard("user", "keys", "revoke", "ada", key).returncode == 0
        logs = "".join(each.read_text() for each in (yard.path / "logs").iterdir())
        assert "API key made" in logs
        assert token not in logs
        kept = {path.name: path for path in yard.path.iterdir() if path.name.startswith("accounts.")}
        assert {"accounts.db", "accounts.secret"} <= set(kept)
        assert {stat.S_IMODE(path.stat().st_mode) for path in kept.values()} == {0o600}
        assert all(token.encode() not in path.read_bytes() for path in kept.values())


def test_the_published_requests_work_as_they_are(tmp_path: pathlib.Path) -> None:
    """AIBrix' documented calls of the user service, with a client that knows nothing of us."""
    with yards.running(tmp_path / "data") as yard, httpx2.Client(base_url=services(yard), trust_env=False) as client:
        for path, body, said in (
            ("/CreateUser", {"name": "demo", "rpm": 100, "tpm": 1000}, "Created User: demo"),
            ("/ReadUser", {"name": "demo"}, "User: demo"),
            ("/UpdateUser", {"name": "demo", "rpm": 3, "tpm": 1000}, "Updated User: demo"),
            ("/DeleteUser", {"name": "demo"}, "Deleted User: demo"),
        ):
            answer = client.post(path, json=body)
            assert (answer.status_code, answer.json()["message"]) == (200, said)


@pytest.mark.slow
def test_who_asks_too_often_is_told_so(shared: yards.Yard) -> None:
    """The documented limited request: a user by header, over their requests per minute."""
    shared.brickyard("user", "create", "demo", "--rpm", "3")
    try:
        with openai.OpenAI(base_url=f"{shared.gateway}/v1", api_key="unused", max_retries=0, timeout=60) as ai:
            ask = functools.partial(ai.completions.create, model="smollm2", prompt="Say this is a test!", max_tokens=1)
            with pytest.raises(openai.RateLimitError, match="user: demo has exceeded RPM: 3"):
                for _ in range(7):
                    ask(extra_headers={"user": "demo"})
            assert ask().choices, "others are not concerned"
    finally:
        shared.brickyard("user", "delete", "demo")
