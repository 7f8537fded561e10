"""Which policies there are, and how those of other packages come in."""

from __future__ import annotations

import importlib.metadata
import sys
import types
from collections.abc import Iterator

import pytest

from brickyard.assembly import routing_policies
from brickyard.routing import contract, errors, pickers
from brickyard.routing.policies import least_request

MODULE = "a_package_of_somebody_else"


def build(parameters: contract.NoParameters) -> contract.Profile:
    return contract.Profile("coldest", (), (), pickers.Uniform())


COLDEST = contract.Policy("coldest", contract.Stability.ALPHA, "for tests", frozenset(), build)


@pytest.fixture(autouse=True)
def _package() -> Iterator[None]:
    module = types.ModuleType(MODULE)
    vars(module).update(POLICY=COLDEST, NONSENSE=42)
    sys.modules[MODULE] = module
    yield
    del sys.modules[MODULE]


def entry(name: str, value: str) -> importlib.metadata.EntryPoint:
    return importlib.metadata.EntryPoint(name, value, routing_policies.GROUP)


def test_the_built_in_ones() -> None:
    assert routing_policies.make().names() == (
        "consistent-hash",
        "least-busy-time",
        "least-gpu-cache",
        "least-kv-cache",
        "least-latency",
        "least-request",
        "least-tokens",
        "least-utilization",
        "lora-affinity",
        "power-of-two",
        "prefix-and-load",
        "prefix-cache",
        "prefix-cache-preble",
        "random",
        "session-affinity",
        "slo",
        "slo-least-load",
        "slo-pack-load",
        "throughput",
        "vtc-basic",
    )


def test_every_built_in_builds_under_its_own_name() -> None:
    made = routing_policies.make()
    for policy in routing_policies.BUILT_IN:
        assert made.profile(policy.name).name == policy.name


def test_another_package_may_bring_one() -> None:
    assert routing_policies.installed([entry("coldest", f"{MODULE}:POLICY")]) == [COLDEST]


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("no_such_module_anywhere:POLICY", "does not load: No module named"),
        (f"{MODULE}:MISSING", "does not load: module .* has no attribute"),
        (f"{MODULE}:NONSENSE", "is a int, not a routing Policy"),
    ],
)
def test_one_that_is_broken_stops_the_start_and_is_named(value: str, complaint: str) -> None:
    with pytest.raises(errors.PolicyError, match=complaint) as caught:
        routing_policies.installed([entry("coldest", value)])
    assert "'coldest'" in str(caught.value)
    assert "uninstall" in caught.value.hint


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"random": 1}', '"x"'])
def test_parameters_of_another_shape_show_the_right_one(text: str) -> None:
    with pytest.raises(errors.PolicyError) as caught:
        routing_policies.make(text)
    assert '{"policy": {"parameter": 1}}' in caught.value.hint


def test_parameters_go_to_their_policies() -> None:
    with pytest.raises(errors.UnknownParameterError, match="'least-request' has no parameter 'bias'"):
        routing_policies.make('{"least-request": {"bias": 1}}')
    assert least_request.POLICY in routing_policies.make('{"least-request": {}}').policies()
