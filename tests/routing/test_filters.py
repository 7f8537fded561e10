"""The filters that every strategy runs first."""

from __future__ import annotations

import pytest

from brickyard.routing import contract, errors, filters, testing

TABLE = testing.snapshot(
    0,
    0,
    0,
    endpoints=[
        testing.endpoint("a", zone="north", tier="gold"),
        testing.endpoint("b", zone="south"),
        testing.endpoint("c"),
    ],
)


class TestNotTriedYet:
    def test_nothing_excluded_costs_nothing(self) -> None:
        assert filters.NotTriedYet().removed(testing.request(), TABLE) is contract.NOTHING_REMOVED

    def test_excluded_keys_are_out(self) -> None:
        asked = testing.request(excluded=["default/a:8000", "default/c:8000", "default/gone:8000"])
        assert filters.NotTriedYet().removed(asked, TABLE) == {
            0: "already failed this request",
            2: "already failed this request",
        }


class TestLabelFilter:
    def test_no_header_costs_nothing(self) -> None:
        assert filters.LabelFilter().removed(testing.request(), TABLE) is contract.NOTHING_REMOVED

    @pytest.mark.parametrize(
        ("text", "left"),
        [
            ("zone=north", [0]),
            ("zone==north", [0]),
            ("zone!=north", [1, 2]),
            ("zone in (north, south)", [0, 1]),
            ("zone notin (north)", [1, 2]),
            ("zone", [0, 1]),
            ("!zone", [2]),
            ("zone,tier", [0]),
            ("zone=north,tier=silver", []),
        ],
    )
    def test_kubernetes_selectors(self, text: str, left: list[int]) -> None:
        out = filters.LabelFilter().removed(testing.request(label_filter=text), TABLE)
        assert [row for row in range(3) if row not in out] == left
        assert all(repr(text) in reason for reason in out.values())

    @pytest.mark.parametrize("text", ["zone in north", "=", "a b", "zone in (", "!!zone"])
    def test_anything_else_is_the_clients_fault_and_shown_how_to_write(self, text: str) -> None:
        with pytest.raises(errors.BadLabelFilterError, match="zone=a,tier in"):
            filters.LabelFilter().removed(testing.request(label_filter=text), TABLE)

    def test_what_is_kept_with_every_decision_has_a_bound(self) -> None:
        with pytest.raises(errors.BadLabelFilterError, match="too long"):
            filters.LabelFilter().removed(testing.request(label_filter="zone=" + "a" * 1000), TABLE)
