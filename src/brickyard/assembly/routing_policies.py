"""The one place where routing policies are listed: Brickyard's own, then those of installed packages.

| name | also called | mixes | reads |
|---|---|---|---|
| ``random`` | | no | nothing |
| ``least-request`` | | yes | leases |
| ``power-of-two`` | | no | leases |
| ``least-tokens`` | | yes | leases, lengths of prompts and answers |
| ``throughput`` | | yes | engines' token counters, leases |
| ``least-busy-time`` | | yes | engines, else leases |
| ``least-latency`` | | yes | engines' times, else the gateway's own |
| ``least-gpu-cache``, ``least-kv-cache``, ``least-utilization`` | | yes | engines |
| ``lora-affinity`` | | yes | engines, leases |
| ``session-affinity`` | | yes | session headers |
| ``consistent-hash`` | | yes | session key, user or prompt; leases |
| ``prefix-cache`` | | yes | prefix index, leases |
| ``prefix-cache-preble`` | ``prefix-cache-and-load`` | yes | prefix index, leases, what was computed of late |
| ``prefix-and-load`` | | yes | prefix index, leases in tokens |
| ``vtc-basic`` | | yes | users' tokens, leases |
| ``slo`` | ``slo-least-load-pulling`` | alone | GPU profiles, leases |
| ``slo-least-load``, ``slo-pack-load`` | | alone | GPU profiles, leases |

A package offers a policy by an entry point of group ``brickyard.policies`` that names a ``routing.contract.Policy``:

    [project.entry-points."brickyard.policies"]
    coldest = "my_package.coldest:POLICY"
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from brickyard.lib import settings
from brickyard.routing import contract, errors, registry
from brickyard.routing.policies import (
    consistent_hash,
    least_busy_time,
    least_gpu_cache,
    least_kv_cache,
    least_latency,
    least_request,
    least_tokens,
    least_utilization,
    lora_affinity,
    power_of_two,
    prefix_and_load,
    prefix_cache,
    prefix_cache_preble,
    session_affinity,
    slo,
    throughput,
    vtc_basic,
)
from brickyard.routing.policies import random as random_policy

GROUP: Final = "brickyard.policies"

BUILT_IN: Final[tuple[contract.Policy, ...]] = (
    consistent_hash.POLICY,
    least_busy_time.POLICY,
    least_gpu_cache.POLICY,
    least_kv_cache.POLICY,
    least_latency.POLICY,
    least_request.POLICY,
    least_tokens.POLICY,
    least_utilization.POLICY,
    lora_affinity.POLICY,
    power_of_two.POLICY,
    prefix_and_load.POLICY,
    prefix_cache.POLICY,
    prefix_cache_preble.POLICY,
    random_policy.POLICY,
    session_affinity.POLICY,
    *slo.POLICIES,
    throughput.POLICY,
    vtc_basic.POLICY,
)

NO_ENVIRONMENT: Final[Mapping[str, str]] = {}


def make(
    parameters: str = "",
    environ: Mapping[str, str] = NO_ENVIRONMENT,
    *,
    before: tuple[contract.Filter, ...] = (),
) -> registry.Registry:
    """All policies that are installed here. ``before``: filters that every strategy runs first.

    ``parameters`` is JSON, ``{"policy": {"parameter": value}}``, or "". What it does not say is taken from the variables in ``environ``
    that the parameters' fields name.

    Raises:
        PolicyError: the JSON has another shape, a parameter does not fit, an entry point does not load, or two policies share a name.
        SettingError: a variable does not parse.
    """
    policies = (*BUILT_IN, *installed())
    given = dict(_parameters(parameters))
    for policy in policies:
        told = {**_from_environment(policy, environ), **given.get(policy.name, {})}
        if told:
            given[policy.name] = told
    return registry.Registry(policies, given, before=before)


def variables() -> frozenset[str]:
    """The environment variables that parameters of the built-in policies can be set by."""
    fields = (field for policy in BUILT_IN for field in dataclasses.fields(policy.parameters))
    return frozenset(field.metadata["env"] for field in fields if field.metadata.get("env"))


def _from_environment(policy: contract.Policy, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """The policy's parameters that ``environ`` sets."""
    names = {field.name: field.metadata.get("env", "") for field in dataclasses.fields(policy.parameters)}
    named = [name for name, variable in names.items() if variable and environ.get(variable)]
    if not named:
        return {}
    try:
        read: object = settings.load(policy.parameters, environ)
    except ValueError as error:
        told = ", ".join(names[name] for name in named)
        raise errors.PolicyError(f"policy {policy.name!r}: {error}", hint=f"look at {told}") from error
    return {name: getattr(read, name) for name in named}


def installed(entries: Iterable[importlib.metadata.EntryPoint] | None = None) -> list[contract.Policy]:
    """Policies of other packages, in the order of their entry points' names.

    Raises:
        PolicyError: an entry point does not load or is no policy; the message names the package.
    """
    found = importlib.metadata.entry_points(group=GROUP) if entries is None else entries
    return [_load(entry) for entry in sorted(found, key=lambda entry: entry.name)]


def _load(entry: importlib.metadata.EntryPoint) -> contract.Policy:
    package = entry.dist.name if entry.dist is not None else entry.module
    try:
        policy = entry.load()
    except (ImportError, AttributeError) as error:
        raise errors.PolicyError(
            f"routing policy {entry.name!r} of package {package!r} does not load: {error}",
            hint=f"repair it, or uninstall {package}",
        ) from error
    if not isinstance(policy, contract.Policy):
        raise errors.PolicyError(
            f"entry point {entry.name!r} of package {package!r} is a {type(policy).__name__}, not a routing Policy",
            hint=f"repair it, or uninstall {package}",
        )
    return policy


def _parameters(text: str) -> Mapping[str, Mapping[str, Any]]:
    try:
        given = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        raise errors.PolicyError(f"the policies' parameters are no JSON: {error}", hint=_SHAPE) from error
    if not isinstance(given, dict) or not all(isinstance(each, dict) for each in given.values()):
        raise errors.PolicyError("the policies' parameters must be an object of objects", hint=_SHAPE)
    return given


_SHAPE: Final = 'write {"policy": {"parameter": 1}} into BRICKYARD_GATEWAY_POLICIES'
