"""What an operator may set about KV events."""

from __future__ import annotations

import dataclasses

from brickyard.api.names import environment, ports
from brickyard.lib import settings


@dataclasses.dataclass(frozen=True)
class KvEventSettings:
    """How the gateway listens to engines that publish KV events. Pods ask for it by the label ``model.aibrix.ai/kv-events-enabled``."""

    wanted: bool = settings.field(
        True,
        env=environment.PREFIX_CACHE_KV_EVENT_SYNC_ENABLED,
        help="Listen to the KV events of pods that say they publish them; needs no tokenizer.",
    )
    port: int = settings.field(
        ports.KV_EVENTS,
        env="BRICKYARD_GATEWAY_KV_EVENTS_PORT",
        help="Where a pod without a label publishes; further data-parallel ranks on the ports after it.",
    )
    replay_port: int = settings.field(
        0,
        env="BRICKYARD_GATEWAY_KV_REPLAY_PORT",
        help="Where such a pod tells again what was missed; 0: 5558 or 5559, whichever answers.",
    )
    replay_timeout: float = settings.field(
        5.0,
        env="BRICKYARD_GATEWAY_KV_REPLAY_TIMEOUT",
        help="Seconds between two messages of a replay after which it counts as failed.",
    )
    blocks: int = settings.field(
        262_144,
        env="BRICKYARD_GATEWAY_KV_BLOCKS",
        help="Different blocks of tokens of one model that are followed, rounded up to a power of two; the oldest go first.",
    )
    links: int = settings.field(
        262_144,
        env="BRICKYARD_GATEWAY_KV_LINKS",
        help="Blocks of prompts of one model whose blocks of tokens are remembered.",
    )
