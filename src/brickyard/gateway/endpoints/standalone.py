"""Endpoints from a file, for a gateway without any control plane.

    models:
      - name: qwen3-8b                          # what clients ask for
        engine: vllm                            # vllm when left out
        kv_events: true                         # the engines publish their KV events, on the usual ports; false when left out
        endpoints: ["10.0.0.1:8000", "host2", "[::1]:8000"]   # port 8000 when left out
      - name: llama-pd
        engine: sglang
        rolesets:                               # in place of endpoints: prefill and decode apart
          - name: rs0
            prefill: ["10.0.0.3:8000"]
            decode: ["10.0.0.4:8000"]

An address may also be ``{address: "127.0.0.1:8001", kv_events: 6557, kv_replay: 6558}``: an engine that publishes on ports of its own.

Each address stands for a pod that is ready, in namespace ``standalone``. Its name comes from model and address alone, so that a file that
is read again leaves alone what did not change. Everything wrong with a file is told at once, and a file with faults changes nothing.
"""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from brickyard.api import names
from brickyard.gateway import errors
from brickyard.gateway.endpoints import pods
from brickyard.lib import yamltext
from brickyard.routing import contract

NAMESPACE: Final = "standalone"
_NAME_LIMIT: Final = 50
_MODEL: Final = frozenset({"name", "engine", "endpoints", "rolesets", "kv_events"})
_ROLESET: Final = frozenset({"name", "prefill", "decode"})
_PORTS: Final = {"kv_events": names.KV_EVENTS_PORT, "kv_replay": names.KV_REPLAY_PORT}
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:.]+(%[A-Za-z0-9_.-]+)?")


@dataclasses.dataclass(frozen=True, slots=True)
class _Address:
    """Where an engine listens, its role in a roleset, "" without one, and the labels that say where it publishes KV events."""

    host: str
    port: int
    roleset: str = ""
    role: str = ""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


def read(text: str) -> tuple[pods.ModelPod, ...]:
    """The pods that a file stands for.

    Raises:
        EndpointsFileError: the file is not as above; the message names every fault.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise errors.EndpointsFileError([f"it is no YAML: {yamltext.fault(error)}"]) from error
    faults: list[str] = []
    found: dict[str, pods.ModelPod] = {}
    for model, engine, address in _addresses(document, faults):
        pod = _pod(model, engine, address)
        if pod.key in found:
            faults.append(f"{model}: {address.host}:{address.port} stands twice")
        found[pod.key] = pod
    if faults:
        raise errors.EndpointsFileError(faults)
    return tuple(found.values())


def _addresses(document: Any, faults: list[str]) -> Iterator[tuple[str, str, _Address]]:
    models = document.get("models") if isinstance(document, dict) else None
    if not isinstance(models, list) or not models:
        faults.append("it names no models: begin with models: and a list of them")
        return
    names_seen: set[str] = set()
    for index, model in enumerate(models):
        where = f"models[{index}]"
        if not isinstance(model, dict) or not isinstance(model.get("name"), str) or not model["name"]:
            faults.append(f"{where}: a model needs a name")
            continue
        name = model["name"]
        faults += [f"{name}: there is no field {key!r}" for key in sorted(map(str, model.keys() - _MODEL))]
        if name in names_seen:
            faults.append(f"{name}: the model stands twice: give all of its endpoints in one place")
        names_seen.add(name)
        engine = model.get("engine") or names.DEFAULT_ENGINE
        if not isinstance(engine, str):
            faults.append(f"{name}: engine must be a text")
            continue
        publishes = model.get("kv_events", False)
        if not isinstance(publishes, bool):
            faults.append(f"{name}: kv_events must be true or false; ports stand beside an address")
            continue
        for address in _of_model(name, model, faults):
            labels = {names.KV_EVENTS_ENABLED: "true", **address.labels} if publishes else address.labels
            yield name, engine, dataclasses.replace(address, labels=labels)


def _of_model(name: str, model: Mapping[str, Any], faults: list[str]) -> Iterator[_Address]:
    plain, rolesets = model.get("endpoints"), model.get("rolesets")
    if plain and rolesets:
        faults.append(f"{name}: endpoints and rolesets exclude each other: keep one of them")
    elif rolesets:
        yield from _of_rolesets(name, rolesets, faults)
    elif plain:
        yield from _parsed(f"{name}: endpoints", plain, faults)
    else:
        faults.append(f"{name}: it has no endpoints: list at least one address")


def _of_rolesets(name: str, rolesets: Any, faults: list[str]) -> Iterator[_Address]:
    if not isinstance(rolesets, list):
        faults.append(f"{name}: rolesets must be a list")
        return
    for index, roleset in enumerate(rolesets):
        title = roleset.get("name") if isinstance(roleset, dict) else None
        if not isinstance(title, str) or not title:
            faults.append(f"{name}: rolesets[{index}] needs a name")
            continue
        faults += [
            f"{name}: roleset {title} has no field {key!r}" for key in sorted(map(str, roleset.keys() - _ROLESET))
        ]
        for role in ("prefill", "decode"):
            for address in _parsed(f"{name}: {role} of roleset {title}", roleset.get(role) or (), faults):
                yield dataclasses.replace(address, roleset=title, role=role)


def _parsed(where: str, addresses: Any, faults: list[str]) -> Iterator[_Address]:
    if not isinstance(addresses, (list, tuple)):
        faults.append(f"{where} must be a list of addresses")
        return
    for item in addresses:
        text, labels = _split(where, item, faults)
        address = _address(text)
        if address is None:
            faults.append(
                f"{where}: {text!r} is no address: write host, host:port or [IPv6]:port, a port from 1 to {pods.HIGHEST_PORT}"
            )
        else:
            yield dataclasses.replace(address, labels=labels)


def _split(where: str, item: Any, faults: list[str]) -> tuple[Any, Mapping[str, str]]:
    """An address as written, and the labels of what stands beside it."""
    if not isinstance(item, dict):
        return item, {}
    text = item.get("address")
    labels = {names.KV_EVENTS_ENABLED: "true"} if "kv_events" in item else {}
    for key, value in item.items():
        if key in _PORTS:
            labels[_PORTS[key]] = str(value)
            if type(value) is not int or not 1 <= value <= pods.HIGHEST_PORT:
                faults.append(f"{where}: {key} of {text!r} must be a port from 1 to {pods.HIGHEST_PORT}")
        elif key != "address":
            faults.append(f"{where}: there is no field {key!r} beside an address")
    return text, labels


def _address(text: Any) -> _Address | None:
    if not isinstance(text, str):
        return None
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(\d{1,5}))?", text)
    if bracketed:
        host, port = bracketed.groups()
    elif text.count(":") > 1:
        host, port = text, None
    else:
        host, colon, port = text.partition(":")
        if colon and not port:
            return None
    number = int(port) if port and port.isascii() and port.isdecimal() else None if port else names.DEFAULT_MODEL_PORT
    if number is None or not 1 <= number <= pods.HIGHEST_PORT or not _HOST.fullmatch(host):
        return None
    return _Address(host, number)


def _pod(model: str, engine: str, address: _Address) -> pods.ModelPod:
    labels = {names.MODEL_NAME: model, names.MODEL_PORT: str(address.port), names.MODEL_ENGINE: engine}
    labels |= address.labels
    if address.roleset:
        labels |= {names.ROLE_SET_NAME: address.roleset, names.ROLE_NAME: address.role}
    exact = f"{model} {address.host} {address.port}".encode()  # plain names of different ones may be the same
    name = f"{_plain(model)}-{_plain(address.host)}-{address.port}-{zlib.crc32(exact):08x}"
    key = f"{NAMESPACE}/{name}"
    endpoint = contract.Endpoint(
        f"{key}:{address.port}", NAMESPACE, name, address.host, address.port, model, engine, labels
    )
    return pods.ModelPod(key, f"{engine} {address.roleset} {address.role}", model, 0.0, "", (endpoint,))


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", text.lower())[:_NAME_LIMIT].strip("-")
