"""Where an engine's event bus listens: on one machine at its pod's own address, not at all of them. Pure.

vLLM and SGLang take ``--kv-events-config`` with the endpoints of a ZeroMQ publisher. A manifest says ``tcp://*:5557``, which is one
pod's on Kubernetes and everybody's here, so that a second replica could not start. Both engines listen where an endpoint holds
``*`` or ``::`` and connect to it otherwise, so a plain address would turn the publisher round; the same address, written as an
IPv6 one that stands for an IPv4 one, listens there alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

FLAG: Final = "--kv-events-config"
_EVERYWHERE: Final = "tcp://*:"
_ENDPOINTS: Final = ("endpoint", "replay_endpoint")
_USUAL: Final = "tcp://*:5557"
"""Where both engines publish when nothing else is said."""


def bound(argv: Sequence[str], address: str) -> tuple[str, ...]:
    """``argv`` with the endpoints of its event bus at ``address``, an IPv4 one; what is no configuration stays for the engine to judge."""
    kept: list[str] = []
    before = ""
    for item in argv:
        head, equals, value = item.partition("=")
        if _names(before) and not item.startswith("--"):
            kept.append(_moved(before, item, address))
        elif equals and _names(head):
            kept.append(f"{head}={_moved(head, value, address)}")
        else:
            kept.append(item)
        before = item
    return tuple(kept)


def _names(flag: str) -> bool:
    name = flag.replace("_", "-")
    return name == FLAG or name in {f"{FLAG}.{each.replace('_', '-')}" for each in _ENDPOINTS}


def _moved(flag: str, text: str, address: str) -> str:
    if "." in flag:
        return _at(text, address)
    try:
        config: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    if not isinstance(config, dict) or config.get("publisher", "zmq") != "zmq":
        return text
    if config.get("enable_kv_cache_events", True):
        config.setdefault("endpoint", _USUAL)
    moved = {name: _at(config[name], address) for name in _ENDPOINTS if isinstance(config.get(name), str)}
    return orjson.dumps({**config, **moved}).decode()


def _at(endpoint: str, address: str) -> str:
    if not endpoint.startswith(_EVERYWHERE):
        return endpoint
    return f"tcp://[::ffff:{address}]:{endpoint.removeprefix(_EVERYWHERE)}"
