"""Where an endpoint's KV events come from. Pure.

    wanted     pod label model.aibrix.ai/kv-events-enabled, "true" in any letters
    events     label model.aibrix.ai/kv-events-port, else the setting (5557)
    replay     label model.aibrix.ai/kv-replay-port, else the setting, else 5558 (vLLM's documentation) and 5559 (AIBrix' samples)

Ports are those of data-parallel rank 0; each further rank has both one higher, as vLLM counts them.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from brickyard.api import names
from brickyard.api.names import ports
from brickyard.gateway.endpoints import pods
from brickyard.gateway.kvevents import settings
from brickyard.routing import contract

REPLAY_PORTS: Final = (5558, ports.KV_EVENTS_REPLAY)


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """One publisher.

    Attributes:
        key: the endpoint's.
        pod: ``namespace/name``, for series.
        model: that of the endpoint: what adapters hold is told apart by the events.
        engine: whose messages they are.
        events, replays: ZeroMQ addresses; of the replays any may answer.
    """

    key: str
    pod: str
    model: str
    engine: str
    events: str
    replays: tuple[str, ...]


def source(endpoint: contract.Endpoint, given: settings.KvEventSettings) -> Source | None:
    """Where ``endpoint`` publishes; None where it does not say so."""
    labels = endpoint.labels
    if labels.get(names.KV_EVENTS_ENABLED, "").lower() != "true":
        return None
    rank = max(0, endpoint.port - (_port(labels.get(names.MODEL_PORT)) or endpoint.port))
    events = _port(labels.get(names.KV_EVENTS_PORT)) or given.port
    replay = _port(labels.get(names.KV_REPLAY_PORT)) or given.replay_port
    replays = (replay,) if replay else tuple(port for port in REPLAY_PORTS if port != events)
    return Source(
        endpoint.key,
        f"{endpoint.namespace}/{endpoint.pod}",
        endpoint.model,
        endpoint.engine,
        _address(endpoint, events + rank),
        tuple(_address(endpoint, port + rank) for port in replays),
    )


def _address(endpoint: contract.Endpoint, port: int) -> str:
    return f"tcp://{dataclasses.replace(endpoint, port=port).authority}"


def _port(text: str | None) -> int | None:
    number = int(text) if text and text.isascii() and text.isdecimal() and len(text) <= 5 else 0
    return number if 1 <= number <= pods.HIGHEST_PORT else None
