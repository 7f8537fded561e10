"""AIBrix' variables for its gateway that mean nothing to ours, and what does the same here.

Who moves from AIBrix brings an environment along. What we read of it stands in ``docs/settings.md``; what we know and do not read is told
at the start, where it is set to something else than AIBrix' own default, so that nobody turns a knob that is not connected.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final

from brickyard.api.names import environment as names
from brickyard.lib import logs

log = logs.get(__name__)

_NO_ENVOY: Final = "there is no Envoy in front of this gateway"
_NO_TOKENIZER: Final = "prompts are compared by their bytes, which takes no tokenizer"
_NO_PROMETHEUS: Final = "engines' own pages are read; no Prometheus is asked"
_EVICTION: Final = "what is old goes as new comes, without rounds"


@dataclasses.dataclass(frozen=True, slots=True)
class Unread:
    """A variable, AIBrix' default for it, and what to do or know instead."""

    name: str
    default: str
    instead: str


UNREAD: Final = (
    Unread(names.POD_METRIC_REFRESH_INTERVAL_MS, "50", "set BRICKYARD_GATEWAY_SCRAPE_INTERVAL, in seconds"),
    Unread(
        names.STATE_SYNC_ENABLED,
        "false",
        "gateways that keep accounts in the same Redis share what they know; BRICKYARD_GATEWAY_SHARING names another channel, or off",
    ),
    Unread(names.STATE_SYNC_PERIOD, "10s", "set BRICKYARD_GATEWAY_SHARING_INTERVAL, in seconds"),
    Unread(names.HTTP_ROUTE_CACHE_TTL, "30s", _NO_ENVOY),
    Unread(
        names.GRPC_MAX_MESSAGE_SIZE_BYTES, "4194304", f"{_NO_ENVOY}; BRICKYARD_GATEWAY_MAX_BODY_BYTES bounds requests"
    ),
    Unread(names.TTFT_THRESHOLD_S, "1", "the distribution of times to the first token tells it for any threshold"),
    Unread(names.PREFIX_CACHE_TOKENIZER_TYPE, "character", _NO_TOKENIZER),
    Unread(names.PREFIX_CACHE_USE_REMOTE_TOKENIZER, "false", _NO_TOKENIZER),
    Unread(names.PREFIX_CACHE_REMOTE_TOKENIZER_ENDPOINT, "", _NO_TOKENIZER),
    Unread(names.VLLM_TOKENIZER_ENDPOINT_TEMPLATE, "http://%s:8000", _NO_TOKENIZER),
    Unread(names.TOKENIZER_HEALTH_CHECK_PERIOD, "30s", _NO_TOKENIZER),
    Unread(names.TOKENIZER_TTL, "300s", _NO_TOKENIZER),
    Unread(names.MAX_TOKENIZERS_PER_POOL, "100", _NO_TOKENIZER),
    Unread(names.TOKENIZER_REQUEST_TIMEOUT, "5s", _NO_TOKENIZER),
    Unread(names.PREFIX_CACHE_EVICTION_INTERVAL_SECONDS, "1", _EVICTION),
    Unread(names.PREBLE_EVICTION_LOOP_INTERVAL, "1000", _EVICTION),
    Unread(names.PROMETHEUS_ENDPOINT, "", _NO_PROMETHEUS),
    Unread(names.PROMETHEUS_QUERY_INTERVAL_MS, "200", _NO_PROMETHEUS),
    Unread(names.PROMETHEUS_QUERY_TIMEOUT_MS, "2000", _NO_PROMETHEUS),
    Unread(
        names.OTLP_INSECURE_SKIP_VERIFY,
        "false",
        "a collector's certificate is always checked: OTEL_EXPORTER_OTLP_CERTIFICATE names whom to trust",
    ),
)


def found(environ: Mapping[str, str]) -> Iterator[Unread]:
    """Those that ``environ`` sets to something that would mean a change."""
    for each in UNREAD:
        value = environ.get(each.name, "").strip()
        if value and value.lower() != each.default:
            yield each


def tell(environ: Mapping[str, str]) -> None:
    """Warn of each. Values are left out: an address may carry a password."""
    for each in found(environ):
        log.warning("a variable of AIBrix is not read here", variable=each.name, instead=each.instead)
