"""The double as a process: what a manifest or a person starts."""

import contextlib
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import openai
import pytest
from openai.types import chat

from brickyard.lib import process

pytestmark = pytest.mark.slow
HELLO: chat.ChatCompletionUserMessageParam = {"role": "user", "content": "hello"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "brickyard.sim.engine", *arguments, "--port", str(port)]
    environ = {**os.environ, process.READY_FD: str(writing)}
    running = subprocess.Popen(command, env=environ, pass_fds=[writing], stderr=subprocess.PIPE)
    os.close(writing)
    try:
        assert select.select([reading], [], [], 20)[0]
        assert os.read(reading, 10) == b"ready\n"
        yield running, port
    finally:
        os.close(reading)
        running.kill()
        running.communicate(timeout=10)


def test_the_openai_client() -> None:
    with started("tiny", "--preset", "instant", "--api-key", "secret", "--dtype", "auto") as (running, port):
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="secret", max_retries=0)
        with client:
            assert [model.id for model in client.models.list()] == ["tiny"]
            whole = client.chat.completions.create(model="tiny", messages=[HELLO], max_tokens=6)
            stream = client.chat.completions.create(model="tiny", messages=[HELLO], max_tokens=6, stream=True)
            said = "".join(event.choices[0].delta.content or "" for event in stream)
            assert said == whole.choices[0].message.content
            assert client.completions.create(model="tiny", prompt="x", max_tokens=2).choices[0].text
            assert len(client.embeddings.create(model="tiny", input="x").data[0].embedding) == 1536
            with pytest.raises(openai.NotFoundError):
                client.chat.completions.create(model="other", messages=[HELLO])
        with (
            openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="wrong", max_retries=0) as stranger,
            pytest.raises(openai.AuthenticationError),
        ):
            stranger.models.list()
        running.send_signal(signal.SIGTERM)
        _, log = running.communicate(timeout=10)
        assert running.returncode == 0
        assert b"flags=--dtype" in log
        assert b"secret" not in log


def test_a_crash_is_one() -> None:
    with started("tiny", "--preset", "instant", "--fault", "crash;after=1;status=137") as (running, port):
        with (
            openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="-", max_retries=0) as client,
            pytest.raises(openai.APIConnectionError),
        ):
            client.chat.completions.create(model="tiny", messages=[HELLO], max_tokens=6)
        assert running.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--preset", "x"), 2, "error: there is no preset 'x'"),
        (("--host", "203.0.113.1", "--port", "1"), 1, "cannot listen"),
    ],
)
def test_what_cannot_start(arguments: tuple[str, ...], code: int, said: str, tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-m", "brickyard.sim.engine", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
