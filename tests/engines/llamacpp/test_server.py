import asyncio
import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

from brickyard.engines import errors
from brickyard.engines.llamacpp import flags, server

GIB = 2**30
HOST = server.Host(cores=8, memory=64 * GIB)


class TestDefaults:
    @pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (3, 1), (4, 2), (64, 32)])
    def test_half_the_cores(self, cores: int, threads: int) -> None:
        full = server.complete({}, server.Host(cores, GIB))
        assert (full[flags.THREADS], full[flags.THREADS_BATCH]) == (threads, threads)

    @pytest.mark.parametrize("given", [-1, 0])
    def test_automatic_threads_are_the_default(self, given: int) -> None:
        assert server.complete({flags.THREADS: given}, HOST)[flags.THREADS] == 4

    def test_threads_for_the_batch_follow_the_threads(self) -> None:
        assert server.complete({flags.THREADS: 3}, HOST)[flags.THREADS_BATCH] == 3
        assert server.complete({flags.THREADS: 3, flags.THREADS_BATCH: 5}, HOST)[flags.THREADS_BATCH] == 5

    def test_slots_share_the_context_unless_they_are_counted(self) -> None:
        alone = server.complete({}, HOST)
        assert (alone["n_parallel"], alone["kv_unified"]) == (4, True)
        counted = server.complete({flags.PARALLEL: 2}, HOST)
        assert counted["n_parallel"] == 2
        assert "kv_unified" not in counted
        assert server.complete({"kv_unified": False}, HOST)["kv_unified"] is False

    @pytest.mark.parametrize(("memory", "mib"), [(16 * GIB, 1024), (64 * GIB, 4096), (1024 * GIB, 8192)])
    def test_the_prompt_cache_fits_the_machine(self, memory: int, mib: int) -> None:
        assert server.complete({}, server.Host(1, memory))["cache_ram_mib"] == mib

    def test_what_is_given_stays(self) -> None:
        given: dict[str, flags.Value] = {flags.PORT: 1, "cache_ram_mib": -1, "cors_origins": "*", flags.HOSTS: ("::1",)}
        assert given.items() <= server.complete(given, HOST).items()

    def test_this_machine(self) -> None:
        here = server.Host.here()
        assert here.cores >= 1
        assert here.memory > 2**26


class TestCheck:
    @pytest.fixture
    def settings(self, tmp_path: pathlib.Path) -> dict[str, flags.Value]:
        model = tmp_path / "a.gguf"
        model.write_bytes(b"GGUF\x03\0\0\0")
        return server.complete({flags.MODEL: str(model), flags.PORT: 0}, HOST)

    def test_nothing_to_say(self, settings: dict[str, flags.Value]) -> None:
        server.check(settings)

    def test_no_model(self, settings: dict[str, flags.Value]) -> None:
        with pytest.raises(errors.ArgumentError, match="add --model"):
            server.check({**settings, flags.MODEL: ""})

    def test_a_missing_model(self, settings: dict[str, flags.Value]) -> None:
        with pytest.raises(errors.ArgumentError, match=r"model file /no/such\.gguf is missing"):
            server.check({**settings, flags.MODEL: "/no/such.gguf"})

    def test_a_folder(self, settings: dict[str, flags.Value], tmp_path: pathlib.Path) -> None:
        with pytest.raises(errors.ArgumentError, match="cannot be read: Is a directory"):
            server.check({**settings, flags.MODEL: str(tmp_path)})

    @pytest.mark.parametrize("content", [b"", b"GGU", b"PK\x03\x04 and so on"])
    def test_another_format(self, settings: dict[str, flags.Value], tmp_path: pathlib.Path, content: bytes) -> None:
        (tmp_path / "b.gguf").write_bytes(content)
        with pytest.raises(errors.ArgumentError, match="is no GGUF file"):
            server.check({**settings, flags.MODEL: str(tmp_path / "b.gguf")})

    @pytest.mark.parametrize("target", [flags.API_KEY_FILE, flags.TEMPLATE_FILE, "mmproj.path"])
    def test_other_missing_files(self, settings: dict[str, flags.Value], target: str) -> None:
        with pytest.raises(errors.ArgumentError, match="file /no/such is missing"):
            server.check({**settings, target: "/no/such"})

    def test_a_port_in_use(self, settings: dict[str, flags.Value]) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(
                errors.ServerError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"
            ):
                server.check({**settings, flags.PORT: port})

    def test_the_same_port_on_another_address_is_free(self, settings: dict[str, flags.Value]) -> None:
        with socket.socket() as taken:
            taken.bind(("127.64.0.1", 0))
            taken.listen()
            server.check({**settings, flags.HOSTS: ("127.64.0.2",), flags.PORT: taken.getsockname()[1]})

    def test_an_address_of_another_machine(self, settings: dict[str, flags.Value]) -> None:
        with pytest.raises(errors.ServerError, match="Cannot assign requested address"):
            server.check({**settings, flags.HOSTS: ("203.0.113.1",)})


class Engine:
    """llama.cpp's server as far as draining asks it: ``left`` requests, one fewer at each look."""

    listening_address = "http://127.64.0.1:8000"

    def __init__(self, left: int) -> None:
        self.left = left
        self.looks = 0

    def handle_metrics(self) -> str:
        self.looks += 1
        self.left = max(0, self.left - 1)
        return f"llamacpp:requests_processing {self.left}\nllamacpp:requests_deferred 0\n"


class TestDrain:
    @staticmethod
    async def ended(engine: Engine, drain: float, signals: int = 1, after: float = 0.0) -> float:
        """Seconds from the first signal to the end."""
        loop = asyncio.get_running_loop()
        work = asyncio.create_task(server.serve(engine, drain))
        await asyncio.sleep(0)  # its handlers are set
        started = loop.time()
        for number in range(signals):
            loop.call_later(after + number * 0.02, os.kill, os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(work, 5)
        return loop.time() - started

    async def test_an_idle_server_ends_at_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        engine = Engine(0)
        assert await self.ended(engine, 60) < 1
        assert engine.looks == 1
        assert capsys.readouterr().err == "", "it never became ready"

    async def test_it_says_where_it_is_ready(self, capsys: pytest.CaptureFixture[str]) -> None:
        await self.ended(Engine(0), 60, after=0.2)
        assert capsys.readouterr().err == "llamacpp: ready on http://127.64.0.1:8000\n"

    async def test_requests_in_flight_finish(self) -> None:
        engine = Engine(3)
        await self.ended(engine, 60)
        assert engine.left == 0

    async def test_the_wait_is_bounded(self) -> None:
        engine = Engine(10**6)
        assert 0.1 <= await self.ended(engine, 0.1) < 1.5
        assert engine.left > 0

    async def test_a_second_signal_ends_the_wait(self) -> None:
        engine = Engine(10**6)
        assert await self.ended(engine, 60, signals=2) < 1.5
        assert engine.left > 0


def test_adapters_have_their_scale() -> None:
    found = server.adapters({flags.LORA: ("a.gguf",), flags.LORA_SCALED: ("/m/b:c.gguf:0.5",)})
    assert found == [("a.gguf", 1.0), ("/m/b:c.gguf", 0.5)]


@pytest.mark.parametrize("item", ["a.gguf", "a.gguf:much"])
def test_an_adapter_without_scale_is_refused(item: str) -> None:
    with pytest.raises(errors.ArgumentError, match="--lora-scaled takes FILE:SCALE"):
        server.adapters({flags.LORA_SCALED: (item,)})


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (
            ["-m", "/no/such.gguf"],
            2,
            "llamacpp: model file /no/such.gguf is missing: correct --model or put the file there\n",
        ),
        (["--foo"], 2, "llamacpp: unknown llama-server argument '--foo'."),
        ([], 2, "llamacpp: no model is named: add --model PATH.gguf\n"),
    ],
)
def test_a_wrong_command_line_ends_the_process_with_one_line(args: list[str], code: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "brickyard.engines.llamacpp.server", *args],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize("flag", ["-h", "--help", "--usage"])
def test_help_names_every_flag(flag: str) -> None:
    command = [sys.executable, "-P", "-m", "brickyard.engines.llamacpp.server", "-m", "x", flag]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + len(flags.FLAGS)
    row = next(line for line in lines if "--ctx-size" in line)
    assert row.split() == ["-c,", "--ctx-size", "VALUE", "LLAMA_ARG_CTX_SIZE"]
    assert done.stderr == ""


def test_a_missing_wheel_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(errors.ServerError, match=r"pip install 'brickyard\[llamacpp\]'"):
        server.start({})
