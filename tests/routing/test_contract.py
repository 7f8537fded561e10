"""What the contract's values promise by themselves."""

from __future__ import annotations

import dataclasses

import pytest

from brickyard.routing import contract, testing


@pytest.mark.parametrize(
    ("address", "authority"),
    [("10.1.2.3", "10.1.2.3:8000"), ("fd00::7", "[fd00::7]:8000"), ("localhost", "localhost:8000")],
)
def test_an_authority_is_what_the_wire_wants(address: str, authority: str) -> None:
    assert dataclasses.replace(testing.endpoint("a"), address=address).authority == authority


def test_the_shared_empty_mapping_cannot_be_filled() -> None:
    with pytest.raises(TypeError):
        contract.NOTHING_REMOVED[0] = "oops"  # type: ignore[index]


def test_a_snapshot_bars_nobody_unless_told() -> None:
    assert contract.EndpointSnapshot((), (), (), (), 0).barred is contract.NOTHING_REMOVED
