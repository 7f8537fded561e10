"""Looks at this machine for ``brickyard doctor``. Nothing is changed, but for a socket that is opened and closed."""

from __future__ import annotations

import asyncio
import os
import pathlib
import platform
import resource
import shutil
import socket
import sys

import psutil

import brickyard
from brickyard.assembly import engines
from brickyard.cli import diagnosis, gatewaypages, place
from brickyard.embedded import home
from brickyard.embedded import up as life
from brickyard.embedded.kubelet import devices
from brickyard.engines import contract
from brickyard.kube.client import rest
from brickyard.lib import errors

DEADLINE = 5.0
_POD_ADDRESS = "127.77.77.77"
"""One of many that a pod could have."""


def examine(at: home.Home, ports: life.UpSettings) -> diagnosis.Facts:
    """The facts of this machine, of what lies in ``at`` and of ``ports``, where it would serve or, if it runs, serves."""
    running = at.running()
    there = _nearest(at.path)
    return diagnosis.Facts(
        versions=(brickyard.__version__, sys.version_info[:3]),
        system=platform.system(),
        pod_addresses=_bindable(_POD_ADDRESS),
        folder=str(at.path),
        folder_trouble=_folder_trouble(there),
        disk_free=shutil.disk_usage(there).free,
        memory_free=psutil.virtual_memory().available,
        open_files=_open_files(),
        running=running is not None,
        parts=_wanted_ports(ports) if running is None else _answers(at, running),
        engines={name: _missing(engine) for name, engine in engines.engines().items()},
        gpus=len(devices.detect(os.environ).get(devices.NVIDIA_GPU, ())),
        programs={"kubectl": shutil.which("kubectl") is not None},
    )


def _open_files() -> tuple[int, int]:
    soft, hard = (
        sys.maxsize if each == resource.RLIM_INFINITY else each for each in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    return soft, hard


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
    api, gateway = asyncio.run(_ask_api(at)), _ask_gateway(running.gateway_url)
    return {
        "Kubernetes API": diagnosis.Part(running.api_url, api, remedy.format(part="machine")),
        "OpenAI API": diagnosis.Part(running.gateway_url, gateway, remedy.format(part="gateway")),
    }


async def _ask_api(at: home.Home) -> str:
    """Why the API does not answer, "" when it does."""
    try:
        async with rest.RestClient.from_kubeconfig(at.kubeconfig, deadline=DEADLINE) as client:
            await client.read("/version")
    except errors.BrickyardError as error:
        return str(error)
    return ""


def _ask_gateway(url: str) -> str:
    """Why the gateway does not answer, "" when it does."""
    try:
        gatewaypages.text(url, "/healthz", deadline=DEADLINE)
    except errors.BrickyardError as error:
        return str(error)
    return ""


def _missing(engine: contract.Engine) -> str:
    """Why ``engine`` cannot run here, "" when it can: its launcher is asked for a container of its first image."""
    if engine.launcher is None:
        return "runs on Kubernetes only"
    image = engine.launcher.images[0].replace("*", "latest")
    try:
        engine.launcher.launch(contract.ContainerSpec(image, (), ("--model", "model.gguf"), {}, life.LOOPBACK, 8000))
    except contract.LaunchError as error:
        return str(error) if error.reason == "EngineNotInstalled" else ""
    return ""
