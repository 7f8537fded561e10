"""Which strategy a request gets: the model's own configuration, the client's wish, the gateway's default.

Pods carry the annotation ``model.aibrix.ai/config``:

    {"lockedRoutingStrategy": "least-request",
     "defaultProfile": "short",
     "profiles": {"short": {"routingStrategy": "prefix-cache", "requestsPerSecond": 20, "routingConfig": {"promptTokensLt": 2000}},
                  "long":  {"routingStrategy": "least-tokens", "routingConfig": {"promptTokensGte": 2000}}}}

The first of these that is not blank decides:

| strategy of | source |
|---|---|
| ``lockedRoutingStrategy``: nothing goes past it | ``locked`` |
| header ``routing-strategy`` | ``header`` |
| ``routingStrategy`` of the chosen profile | ``profile`` |
| the gateway's default (``ROUTING_ALGORITHM``) | ``default`` |

The profile is the one that header ``config-profile`` names, else ``defaultProfile``, else ``default``; a name nobody knows means the
default one. ``config-profile: auto`` takes the most specific profile whose hints all hold of the request.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from brickyard.routing import errors

AUTO: Final = "auto"
DEFAULT_PROFILE: Final = "default"
LONGEST: Final = 65536
"""Characters of an annotation that are read."""


@dataclasses.dataclass(frozen=True, slots=True)
class Features:
    """What ``auto`` looks at: tokens of the prompt and the most tokens to generate, None when nobody knows."""

    prompt_tokens: int | None
    max_tokens: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class ConfigProfile:
    """One profile.

    Attributes:
        strategy: the strategy it asks for, "" for none.
        requests_per_second: its limit for the model; None for none.
        routing: ``routingConfig`` as written; strategies read what is theirs.
    """

    strategy: str = ""
    requests_per_second: int | None = None
    routing: Mapping[str, Any] = dataclasses.field(default_factory=lambda: _NOTHING)


@dataclasses.dataclass(frozen=True, slots=True)
class ModelConfig:
    """A model's annotation, read."""

    locked: str = ""
    default: str = DEFAULT_PROFILE
    profiles: Mapping[str, ConfigProfile] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """What a request gets: the strategy and where it comes from, the profile's name ("" without one) and the profile."""

    strategy: str
    source: str
    name: str = ""
    profile: ConfigProfile | None = None


def parse(text: str) -> ModelConfig:
    """The annotation's text.

    Raises:
        ModelConfigError: it is no JSON of this shape; the message says where.
    """
    if len(text) > LONGEST:
        raise errors.ModelConfigError(f"model config of {len(text)} characters is too long: at most {LONGEST}")
    try:
        read = msgspec.json.decode(text, type=_Config)
    except msgspec.MsgspecError as error:
        raise errors.ModelConfigError(f"the annotation model.aibrix.ai/config cannot be read: {error}") from error
    profiles = {name: _profile(written) for name, written in (read.profiles or {}).items()}
    return ModelConfig((read.locked or "").strip(), (read.default or "").strip() or DEFAULT_PROFILE, profiles)


def of_label(strategy: str) -> ModelConfig:
    """What the pod label ``model.aibrix.ai/routing-strategy`` of earlier releases stands for: a default profile with that strategy."""
    return ModelConfig(profiles={DEFAULT_PROFILE: ConfigProfile(strategy.strip())})


def choose(config: ModelConfig | None, header: str, profile: str, default: str, features: Features) -> Choice:
    """The strategy of one request. ``header`` and ``profile`` are the two headers' values, ``default`` is the gateway's own."""
    if config is None:
        return Choice(header.strip(), "header") if header.strip() else Choice(default, "default")
    name, found = _resolve(config, profile.strip(), features)
    for strategy, source in (
        (config.locked, "locked"),
        (header.strip(), "header"),
        (found.strategy if found is not None else "", "profile"),
    ):
        if strategy:
            return Choice(strategy, source, name, found)
    return Choice(default, "default", name, found)


def _resolve(config: ModelConfig, wanted: str, features: Features) -> tuple[str, ConfigProfile | None]:
    name = wanted or config.default
    if wanted.lower() == AUTO:
        name = _most_specific(config.profiles, features) or config.default
    found = config.profiles.get(name)
    if found is None:
        name, found = config.default, config.profiles.get(config.default)
    return (name, found) if found is not None else ("", None)


_HINTS: Final = ("promptTokensGte", "promptTokensLt", "maxTokensGte", "maxTokensLt")


def _most_specific(profiles: Mapping[str, ConfigProfile], features: Features) -> str:
    """The name of the profile whose hints hold and say most; "" when none does.

    More hints first, then the larger promptTokensGte, the smaller promptTokensLt, the larger maxTokensGte, the smaller maxTokensLt,
    the name.
    """
    fitting = []
    for name, profile in profiles.items():
        hints = {hint: _bound(profile.routing[hint]) for hint in _HINTS if profile.routing.get(hint) is not None}
        if hints and all(_holds(hint, bound, features) for hint, bound in hints.items()):
            low, high, most_low, most_high = (hints.get(hint) for hint in _HINTS)
            order = (-len(hints), -(low or 0), _or_endless(high), -(most_low or 0), _or_endless(most_high), name)
            fitting.append((order, name))
    return min(fitting)[1] if fitting else ""


def _bound(written: object) -> float | None:
    """A hint's number; None when it is none, and then the hint never holds."""
    return written if isinstance(written, (int, float)) and not isinstance(written, bool) else None


def _or_endless(bound: float | None) -> float:
    return bound if bound is not None else float("inf")


def _holds(hint: str, bound: float | None, features: Features) -> bool:
    actual = features.prompt_tokens if hint.startswith("prompt") else features.max_tokens
    if actual is None or bound is None:
        return False
    return actual >= bound if hint.endswith("Gte") else actual < bound


def _profile(written: _Profile) -> ConfigProfile:
    limit = written.requests_per_second
    return ConfigProfile(
        (written.strategy or "").strip(),
        limit if limit is not None and limit > 0 else None,
        written.routing if isinstance(written.routing, dict) else _NOTHING,
    )


class _Profile(
    msgspec.Struct,
    rename={"strategy": "routingStrategy", "requests_per_second": "requestsPerSecond", "routing": "routingConfig"},
):
    strategy: str | None = None
    requests_per_second: int | None = None
    routing: Any = None


class _Config(msgspec.Struct, rename={"locked": "lockedRoutingStrategy", "default": "defaultProfile"}):
    locked: str | None = None
    default: str | None = None
    profiles: dict[str, _Profile] | None = None


_NOTHING: Final[Mapping[str, Any]] = types.MappingProxyType({})
