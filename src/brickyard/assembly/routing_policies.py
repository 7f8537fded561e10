"""The one place where routing policies are listed: Brickyard's own, then those of installed packages.

A package offers a policy by an entry point of group ``brickyard.policies`` that names a ``routing.contract.Policy``:

    [project.entry-points."brickyard.policies"]
    coldest = "my_package.coldest:POLICY"
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from brickyard.routing import contract, errors, registry
from brickyard.routing.policies import least_request
from brickyard.routing.policies import random as random_policy

GROUP: Final = "brickyard.policies"

BUILT_IN: Final[tuple[contract.Policy, ...]] = (
    least_request.POLICY,
    random_policy.POLICY,
)


def make(parameters: str = "") -> registry.Registry:
    """All policies that are installed here. ``parameters`` is JSON, ``{"policy": {"parameter": value}}``, or "".

    Raises:
        PolicyError: the JSON has another shape, a parameter does not fit, an entry point does not load, or two policies share a name.
    """
    return registry.Registry((*BUILT_IN, *installed()), _parameters(parameters))


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
