"""llama-server as a Python process: ``python -m brickyard.engines.llamacpp.server -m model.gguf --port 8000``.

The HTTP server, the batch and the model are llama.cpp's own, inside the ``xllamacpp`` wheel; this module gives them llama-server's
command line, says in one line why a start failed, and ends them well:

* while the model loads, ``/health`` answers 503 and a signal ends the process at once. Loading holds the interpreter, so the
  kernel's own reaction to SIGTERM stays in force until it is done;
* then SIGTERM lets the requests in flight finish for a bounded time. A second signal ends that wait.

Exit codes: 0 after a signal, 1 the engine could not start, 2 the command line or the model file is wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import psutil

from brickyard.engines import errors
from brickyard.engines.llamacpp import arguments, flags, launch, metrics
from brickyard.lib import errors as roots
from brickyard.lib import settings as setting
from brickyard.lib import tasks

_MAGIC: Final = b"GGUF"
_HELP: Final = frozenset({"-h", "--help", "--usage"})
_POLL: Final = 0.05
"""Seconds between two looks at the requests in flight."""
_SETTLE: Final = 0.1
"""Seconds that llama.cpp's threads get to write out what is decided: a stream's last bytes, the last lines of a log."""


@dataclasses.dataclass(frozen=True)
class ServerSettings:
    """The llama.cpp server process."""

    drain: float = setting.field(
        5.0,
        env="BRICKYARD_LLAMACPP_DRAIN",
        help="longest time that requests in flight may take to finish after SIGTERM",
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """What the defaults depend on: usable CPU cores, bytes of memory."""

    cores: int
    memory: int

    @classmethod
    def here(cls) -> Host:
        """This machine, within this process's CPU affinity."""
        return cls(len(os.sched_getaffinity(0)), psutil.virtual_memory().total)


def complete(given: Mapping[str, flags.Value], host: Host) -> dict[str, flags.Value]:
    """``given`` with the defaults that llama-server's command line adds, and three of our own.

    Threads are half the usable cores: as a rule the physical ones, and on a small machine they leave room for a second replica
    and the gateway. The cache of finished prompts may take a sixteenth of the memory where llama-server takes up to 8 GiB
    whatever the machine. Other web origins may not read answers unless ``--cors-origins`` allows it.
    """
    full: dict[str, flags.Value] = {
        flags.HOSTS: ("127.0.0.1",),
        flags.PORT: 8080,
        flags.THREADS: max(1, host.cores // 2),
        "cache_ram_mib": min(8192, host.memory // 2**20 // 16),
        "cors_origins": "",
        "cors_origins_explicit": True,
        # llama-server's choice when --parallel is absent: four requests that share the whole context.
        **({} if flags.PARALLEL in given else {flags.PARALLEL: 4, "kv_unified": True}),
        **given,
    }
    if isinstance(threads := full[flags.THREADS], int) and threads <= 0:
        full[flags.THREADS] = max(1, host.cores // 2)
    full.setdefault(flags.THREADS_BATCH, full[flags.THREADS])
    return full


def check(settings: Mapping[str, flags.Value]) -> None:
    """Find the mistakes that llama.cpp only reports as "failed to init".

    Raises:
        ArgumentError: the model is not named, missing, unreadable or no GGUF file.
        ServerError: the address cannot be bound.
    """
    if not settings.get(flags.MODEL) and flags.FETCHED & settings.keys():
        raise errors.ArgumentError(
            "models are fetched before the engine starts, by whoever starts it: name a file with --model"
        )
    _check_model(str(settings.get(flags.MODEL, "")))
    for name in (flags.API_KEY_FILE, flags.TEMPLATE_FILE, "mmproj.path"):
        if (path := settings.get(name)) and not pathlib.Path(str(path)).is_file():
            raise errors.ArgumentError(f"file {path} is missing: correct the path or create it")
    for host in _many(settings, flags.HOSTS):
        _check_address(host, int(str(settings[flags.PORT])))


def _check_model(path: str) -> None:
    if not path:
        raise errors.ArgumentError("no model is named: add --model PATH.gguf")
    try:
        with pathlib.Path(path).open("rb") as file:
            magic = file.read(len(_MAGIC))
    except FileNotFoundError:
        raise errors.ArgumentError(f"model file {path} is missing: correct --model or put the file there") from None
    except OSError as error:
        raise errors.ArgumentError(f"model file {path} cannot be read: {error.strerror}") from error
    if magic != _MAGIC:
        raise errors.ArgumentError(f"model file {path} is no GGUF file: llama.cpp reads no other format")


def _check_address(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            raise errors.ServerError(
                f"cannot listen on {host}:{port}: {error.strerror}. Stop what listens there or choose another --port"
            ) from error


def _set(params: Any, target: str, value: flags.Value) -> None:
    *path, name = target.split(".")
    holder = params
    for attribute in path:
        holder = getattr(holder, attribute)
    shape = set if target == flags.ALIASES else list
    setattr(holder, name, shape(value) if isinstance(value, tuple) else value)


def _fill(params: Any, module: Any, settings: Mapping[str, flags.Value]) -> None:
    for target, value in settings.items():
        if target not in flags.UNBOUND:
            _set(params, target, value)
    params.lora_adapters = [module.CommonAdapterLoraInfo(path, scale) for path, scale in adapters(settings)]
    if path := settings.get(flags.TEMPLATE_FILE):
        params.chat_template = pathlib.Path(str(path)).read_text()
    if path := settings.get(flags.API_KEY_FILE):
        lines = pathlib.Path(str(path)).read_text().splitlines()
        params.api_keys = [*params.api_keys, *(line.strip() for line in lines if line.strip())]


def _many(settings: Mapping[str, flags.Value], target: str) -> tuple[str, ...]:
    value = settings.get(target)
    return value if isinstance(value, tuple) else ()


def adapters(settings: Mapping[str, flags.Value]) -> list[tuple[str, float]]:
    """LoRA files with their scales.

    Raises:
        ArgumentError: a scaled one has no scale.
    """
    found = [(path, 1.0) for path in _many(settings, flags.LORA)]
    for item in _many(settings, flags.LORA_SCALED):
        path, _, scale = item.rpartition(":")
        try:
            found.append((path, float(scale)))
        except ValueError as error:
            raise errors.ArgumentError(f"--lora-scaled takes FILE:SCALE, not {item!r}") from error
    return found


def start(settings: Mapping[str, flags.Value]) -> Any:
    """Load the model and serve; returns llama.cpp's server, listening. Blocks for as long as loading takes.

    Raises:
        ServerError: the wheel is missing, or llama.cpp refuses; its own lines on standard error say why.
    """
    try:
        import xllamacpp  # noqa: PLC0415 - an optional wheel of 100 MB
    except ImportError as error:
        raise errors.ServerError(f"llama.cpp is not installed here ({error}): run {launch.INSTALL}") from error
    params = xllamacpp.CommonParams()
    _fill(params, xllamacpp, settings)
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        time.sleep(_SETTLE)  # the reason must stand above our line, not below
        raise errors.ServerError("llama.cpp could not start: its own lines above say why") from error


def in_flight(server: Any) -> float:
    """Requests in llama.cpp's batch and queue. It answers at once, from a snapshot that the batch refreshes."""
    load = metrics.PAGE.parse(server.handle_metrics().encode())
    return (load.running or 0.0) + (load.waiting or 0.0)


def _say(line: str) -> None:
    sys.stderr.write(f"llamacpp: {line}\n")
    sys.stderr.flush()


async def serve(server: Any, drain: float) -> None:
    """Until a signal, and then until the requests in flight are done, ``drain`` seconds have passed or a second signal comes."""
    async with tasks.stop_signal() as stop:
        # Said a little later: llama.cpp's log has a thread of its own, which would write into the line.
        ready = f"ready on {server.listening_address}"
        announcement = asyncio.get_running_loop().call_later(_SETTLE, _say, ready)
        await stop.wait()
        announcement.cancel()
        stop.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain):
                while not stop.is_set() and in_flight(server):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), _POLL)
        await asyncio.sleep(_SETTLE)


def prepare(argv: Sequence[str], environ: Mapping[str, str]) -> dict[str, flags.Value]:
    """The checked settings of a command line, defaults included.

    Raises:
        ArgumentError, ServerError: it cannot be served as written.
    """
    settings = complete(arguments.settings(arguments.parse(argv, environ)), Host.here())
    check(settings)
    return settings


def main() -> NoReturn:
    """The process's entry point."""
    if _HELP & frozenset(sys.argv[1:]):
        sys.stdout.write(f"{arguments.usage()}\n")
        sys.exit(0)
    try:
        options = setting.load(ServerSettings, os.environ)
        server = start(prepare(sys.argv[1:], os.environ))
    except roots.BrickyardError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    asyncio.run(serve(server, options.drain))
    _say("stopped")
    # The server's destructor waits for every open stream, without a bound. There is nothing to save.
    os._exit(0)


if __name__ == "__main__":
    main()
