"""Looks at this machine for ``brickyard doctor``. Nothing is changed, but for a socket that is opened and closed."""

from __future__ import annotations

import asyncio
import os
import pathlib
import platform
import shutil
import socket
import subprocess
import sys
from importlib import metadata

import orjson

import brickyard
from brickyard.assembly import engines
from brickyard.cli import allowances, diagnosis, gatewaypages, part, place
from brickyard.embedded import home
from brickyard.embedded import up as life
from brickyard.embedded.kubelet import views
from brickyard.embedded.kubelet.gpus import find as gpus
from brickyard.engines import contract
from brickyard.kube.client import rest
from brickyard.lib import errors

DEADLINE = 5.0
_PACKAGES = {"llamacpp": "xllamacpp", "sglang": "sglang", "trtllm": "tensorrt_llm", "vllm": "vllm"}
"""Engine → the distribution that it comes in."""
_POD_ADDRESS = "127.77.77.77"
"""One of many that a pod could have."""


def examine(at: home.Home, ports: life.UpSettings) -> diagnosis.Facts:
    """The facts of this machine, of what lies in ``at`` and of ``ports``, where it would serve or, if it runs, serves."""
    running = at.running()
    there, memory = _nearest(at.path), allowances.memory()
    return diagnosis.Facts(
        versions=(brickyard.__version__, sys.version_info[:3]),
        system=platform.system(),
        pod_addresses=_bindable(_POD_ADDRESS),
        mounts=views.survey(()).mounts,
        folder=str(at.path),
        folder_trouble=_folder_trouble(there),
        disk_free=shutil.disk_usage(there).free,
        memory_free=memory.free,
        memory_limit=memory.limit,
        open_files=allowances.open_files(),
        processes=allowances.processes(),
        running=running is not None,
        parts=_wanted_ports(ports) if running is None else _answers(at, running),
        engines={name: _engine(engine) for name, engine in engines.engines().items()},
        gpus=_gpus(),
        programs={"kubectl": _kubectl()},
        unread=part.unread(),
    )


def _nearest(path: pathlib.Path) -> pathlib.Path:
    """``path``, or the folder above it that exists: there it would be made."""
    return next(each for each in (path, *path.parents) if each.exists())


def _folder_trouble(there: pathlib.Path) -> str:
    if not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"{there} is not writable"


def _bindable(address: str) -> str:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _wanted_ports(ports: life.UpSettings) -> dict[str, diagnosis.Part]:
    wanted = {
        "Kubernetes API": ("https", ports.api_port, "--api-port"),
        "OpenAI API": ("http", ports.gateway_port, "--gateway-port"),
        "services": ("http", ports.services_port, "--services-port"),
    }
    return {name: _port(*each) for name, each in wanted.items()}


def _port(scheme: str, port: int, flag: str) -> diagnosis.Part:
    url = f"{scheme}://{life.LOOPBACK}:{port}"
    try:
        life.check_port(port, flag)
    except life.PortTaken as error:
        return diagnosis.Part(url, str(error), error.hint)
    return diagnosis.Part(url)


def _answers(at: home.Home, running: home.Running) -> dict[str, diagnosis.Part]:
    remedy = "see its log: `brickyard logs {part}" + f"{place.option(at)}`; `brickyard down` and `up` start it anew"
    api, gateway = asyncio.run(_ask_api(at)), gatewaypages.ask(running.gateway_url, "/healthz", deadline=DEADLINE)
    found = {
        "Kubernetes API": diagnosis.Part(running.api_url, api, remedy.format(part="machine")),
        "OpenAI API": diagnosis.Part(running.gateway_url, gateway, remedy.format(part="gateway")),
    }
    if running.services_url:
        trouble = gatewaypages.ask(running.services_url, "/healthz", deadline=DEADLINE)
        found["services"] = diagnosis.Part(running.services_url, trouble, remedy.format(part="services"))
    return found


async def _ask_api(at: home.Home) -> str:
    """Why the API does not answer, "" when it does."""
    try:
        async with rest.RestClient.from_kubeconfig(at.kubeconfig, deadline=DEADLINE) as client:
            await client.read("/version")
    except errors.BrickyardError as error:
        return str(error)
    return ""


def _engine(engine: contract.Engine) -> diagnosis.Engine:
    """Whether ``engine`` can run here: its launcher is asked for a container of its first image."""
    if engine.launcher is None:
        return diagnosis.Engine("runs on Kubernetes only")
    image = engine.launcher.images[0].replace("*", "latest")
    serve = ("trtllm-serve",) if engine.name == "trtllm" else ()  # its images have no entry point of their own
    arguments = ("model",) if serve else ("--model", "model.gguf")
    try:
        launch = engine.launcher.launch(contract.ContainerSpec(image, serve, arguments, {}, life.LOOPBACK, 8000))
    except contract.LaunchError as error:
        return diagnosis.Engine(str(error) if error.reason == "EngineNotInstalled" else "")
    return diagnosis.Engine(version=_version(engine.name, pathlib.Path(launch.argv[0])))


def _version(engine: str, program: pathlib.Path) -> str:
    """The version of the package in the environment that ``program`` lies in, "" where it is none of a package."""
    package = _PACKAGES.get(engine)
    places = [str(each) for each in program.parent.parent.glob("lib*/python3*/site-packages")]
    if package is None or not places:
        return ""
    found = metadata.distributions(name=package, path=places)
    return next((each.version for each in found), "")


def _gpus() -> list[str]:
    """What each GPU is called that pods can have here; a part of one by its MIG profile too."""
    return [f"{each.name or 'NVIDIA'} {each.profile}".rstrip() for each in gpus.find(os.environ)]


def _kubectl() -> str | None:
    """kubectl's version; "" when it does not tell, None when there is none."""
    program = shutil.which("kubectl")
    if program is None:
        return None
    command = [program, "version", "--client", "--output=json"]
    try:
        said = subprocess.run(command, capture_output=True, timeout=DEADLINE, check=True, stdin=subprocess.DEVNULL)
        return str(orjson.loads(said.stdout)["clientVersion"]["gitVersion"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return ""
