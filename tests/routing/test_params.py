"""Parameters of policies are strict."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from brickyard.routing import contract, errors, params


@dataclasses.dataclass(frozen=True)
class Knobs:
    """One field of each kind."""

    block_size: int = 16
    factor: float = 1.0
    sticky: bool = False
    header: str = "user"

    def __post_init__(self) -> None:
        if self.block_size < 1:
            raise ValueError("block_size must be at least 1")


def test_defaults_stand_where_nothing_is_given() -> None:
    assert params.parse(Knobs, {}, "p") == Knobs()


def test_given_values_win() -> None:
    given = {"block_size": 32, "factor": 2.5, "sticky": True, "header": "tenant"}
    assert params.parse(Knobs, given, "p") == Knobs(32, 2.5, True, "tenant")


def test_a_whole_number_is_a_float_too() -> None:
    assert params.parse(Knobs, {"factor": 2}, "p") == Knobs(factor=2)


def test_an_unknown_name_is_refused_and_the_nearest_shown() -> None:
    with pytest.raises(errors.UnknownParameterError, match=r"no parameter 'blok_size': did you mean 'block_size'\?"):
        params.parse(Knobs, {"blok_size": 1}, "p")


def test_far_from_any_name_all_are_listed() -> None:
    with pytest.raises(errors.UnknownParameterError, match="it takes block_size, factor, sticky, header"):
        params.parse(Knobs, {"zzz": 1}, "p")


def test_a_policy_without_parameters_says_so() -> None:
    with pytest.raises(errors.UnknownParameterError, match="'p' has no parameter 'x': it takes none"):
        params.parse(contract.NoParameters, {"x": 1}, "p")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("block_size", "16"),
        ("block_size", 1.5),
        ("block_size", True),
        ("block_size", None),
        ("factor", "1"),
        ("factor", False),
        ("factor", float("nan")),
        ("factor", float("inf")),
        ("factor", float("-inf")),
        ("sticky", 1),
        ("sticky", "true"),
        ("header", 3),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(errors.BadParameterError, match=f"parameter '{name}' of policy 'p' must be of type"):
        params.parse(Knobs, {name: value}, "p")


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("block_size", 1.5, "int, not 1.5"),
        ("factor", float("inf"), "float and finite, not inf"),
        ("sticky", 1, "bool, not 1"),
        ("header", 3, "str, not 3"),
    ],
)
def test_the_refusal_says_what_would_do(name: str, value: Any, wanted: str) -> None:
    with pytest.raises(errors.BadParameterError) as caught:
        params.parse(Knobs, {name: value}, "p")
    assert str(caught.value) == f"parameter {name!r} of policy 'p' must be of type {wanted}"


def test_the_class_may_refuse_a_value() -> None:
    with pytest.raises(errors.BadParameterError, match="policy 'p': block_size must be at least 1"):
        params.parse(Knobs, {"block_size": 0}, "p")
