"""``brickyard apiserver`` as a process: what it prints, that it serves, and how it ends."""

from __future__ import annotations

import contextlib
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest
import yaml

COMMAND = [sys.executable, "-u", "-m", "brickyard.cli.main", "apiserver"]


@contextlib.contextmanager
def started(data_dir: pathlib.Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The process, and what it printed as name → value."""
    command = [*COMMAND, "--data-dir", str(data_dir), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            screen: dict[str, str] = {}
            for line in process.stdout:
                name, _, value = line.strip().partition("  ")
                screen[name] = value.strip()
                if "Ctrl-C" in line:
                    break
            yield process, screen
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=10)


def client(kubeconfig: pathlib.Path, data_dir: pathlib.Path) -> httpx2.Client:
    found = yaml.safe_load(kubeconfig.read_text())
    url, token = found["clusters"][0]["cluster"]["server"], found["users"][0]["user"]["token"]
    trust = ssl.create_default_context(cafile=str(data_dir / "pki" / "ca.crt"))
    return httpx2.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, verify=trust, timeout=10)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_serves_keeps_and_ends(tmp_path: pathlib.Path, number: signal.Signals) -> None:
    where = "/api/v1/namespaces/default/configmaps"
    with started(tmp_path) as (process, screen):
        kubeconfig = pathlib.Path(screen["kubeconfig"])
        assert kubeconfig == tmp_path / "kubeconfig"
        assert kubeconfig.stat().st_mode & 0o777 == 0o600
        with client(kubeconfig, tmp_path) as api:
            assert str(api.base_url).rstrip("/") == screen["Kubernetes API"]
            assert api.post(where, json={"metadata": {"name": "kept"}}).status_code == 201
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    with started(tmp_path) as (_, screen), client(pathlib.Path(screen["kubeconfig"]), tmp_path) as api:
        assert api.get(f"{where}/kept").status_code == 200


@pytest.mark.slow
def test_a_second_one_on_the_same_directory_is_refused(tmp_path: pathlib.Path) -> None:
    with started(tmp_path) as (process, _):
        second = refused(tmp_path)
        assert second.stderr == (
            f"error: {tmp_path} is in use by another API server (process {process.pid})\n"
            "  → stop it, or choose another directory with --data-dir\n"
        )


@pytest.mark.slow
def test_a_port_that_is_taken(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = refused(tmp_path, port)
    assert f"error: port {port} on 127.0.0.1 is in use by another program\n" in done.stderr
    assert f"--port {port + 1}" in done.stderr


@pytest.mark.slow
def test_a_directory_that_cannot_be(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be used: File exists" in refused(tmp_path / "file").stderr


@pytest.mark.slow
def test_a_damaged_store(tmp_path: pathlib.Path) -> None:
    (tmp_path / "store.db").write_bytes(b"this is no database" * 500)
    done = refused(tmp_path)
    assert "cannot be read: file is not a database" in done.stderr
    assert "move this one away" in done.stderr


def refused(data_dir: pathlib.Path, port: int = 0) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "--data-dir", str(data_dir), "--port", str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done
