"""Which policies there are, and how those of other packages come in."""

from __future__ import annotations

import importlib.metadata
import sys
import types
from collections.abc import Iterator

import pytest

from brickyard.api.names import environment
from brickyard.assembly import routing_policies
from brickyard.lib import settings
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


def test_aliases_lead_to_the_same_profile() -> None:
    made = routing_policies.make()
    for policy in routing_policies.BUILT_IN:
        for alias in policy.aliases:
            assert made.profile(alias) is made.profile(policy.name)


def test_what_can_be_mixed_and_what_takes_over() -> None:
    made = routing_policies.make()
    mixable = {policy.name for policy in routing_policies.BUILT_IN if made.profile(policy.name).mixable}
    assert set(made.names()) - mixable == {"random", "power-of-two", "slo", "slo-least-load", "slo-pack-load"}
    assert {policy.name for policy in routing_policies.BUILT_IN if policy.alone} == {
        "slo",
        "slo-least-load",
        "slo-pack-load",
    }
    everything = made.profile(",".join(sorted(mixable)))
    assert len(everything.scorers) == len(mixable)


def test_variables_set_parameters_and_json_comes_before_them() -> None:
    environ = {"AIBRIX_ROUTER_PREBLE_TARGET_GPU": "A6000", "UNRELATED": "1"}
    assert "AIBRIX_ROUTER_PREBLE_TARGET_GPU" in routing_policies.variables()
    routing_policies.make('{"prefix-cache-preble": {"target_gpu": "V100"}}', environ)
    with pytest.raises(errors.BadParameterError, match="target_gpu"):
        routing_policies.make('{"prefix-cache-preble": {"target_gpu": 3}}', environ)


@pytest.mark.parametrize(
    ("environ", "kind", "complaint"),
    [
        ({"AIBRIX_ROUTER_VTC_TOKEN_TRACKER_WINDOW_SIZE": "long"}, settings.SettingError, "WINDOW_SIZE='long'"),
        ({"AIBRIX_ROUTER_VTC_TOKEN_TRACKER_TIME_UNIT": "eons"}, errors.PolicyError, "one of minutes, seconds"),
    ],
)
def test_variables_that_do_not_fit_stop_the_start(
    environ: dict[str, str], kind: type[Exception], complaint: str
) -> None:
    with pytest.raises(kind, match=complaint):
        routing_policies.make("", environ)


def test_every_variable_of_the_original_reaches_a_policy() -> None:
    """The knobs of the strategies; those of the prefix index itself belong to the index."""
    routers = {
        value
        for name, value in vars(environment).items()
        if name.startswith(("VTC_", "PREBLE_")) and name != "PREBLE_EVICTION_LOOP_INTERVAL"
    }
    assert routers <= routing_policies.variables()
