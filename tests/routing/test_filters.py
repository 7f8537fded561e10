"""The filters that every strategy runs first."""

from __future__ import annotations

import pytest

from brickyard.api import serving
from brickyard.routing import contract, errors, filters, pickers, pipeline, testing

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
        longest = "zone=north".ljust(filters.LONGEST)
        assert list(filters.LabelFilter().removed(testing.request(label_filter=longest), TABLE)) == [1, 2]
        with pytest.raises(errors.BadLabelFilterError, match="1001 characters is too long: at most 1000"):
            filters.LabelFilter().removed(testing.request(label_filter=longest + " "), TABLE)


class TestHasRoom:
    def test_no_limit_removes_nothing(self) -> None:
        busy = testing.snapshot(9, 99, loads=[serving.EngineLoad(waiting=50.0), None])
        assert filters.HasRoom(0).removed(testing.request(), busy) is contract.NOTHING_REMOVED

    def test_room_costs_nothing(self) -> None:
        assert filters.HasRoom(3).removed(testing.request(), testing.snapshot(2, 0)) is contract.NOTHING_REMOVED

    def test_as_many_as_may_be_is_full(self) -> None:
        out = filters.HasRoom(3).removed(testing.request(), testing.snapshot(2, 3, 4))
        assert out == dict.fromkeys((1, 2), "full: 3 requests in flight, as many as may be")

    def test_more_waiting_in_an_engine_than_may_is_full(self) -> None:
        loads = [serving.EngineLoad(waiting=2.0), serving.EngineLoad(waiting=3.0), serving.EngineLoad(), None]
        out = filters.HasRoom(0, 2).removed(testing.request(), testing.snapshot(0, 0, 0, 0, loads=loads))
        assert out == {1: "full: more than 2 requests wait in its engine"}
        assert list(filters.HasRoom(0, 0).removed(testing.request(), testing.snapshot(0, 0, 0, 0, loads=loads))) == [
            0,
            1,
        ]


class TestSaturation:
    """Whether waiting helps, by what took the rows away."""

    @pytest.mark.parametrize(
        ("in_flight", "label_filter", "barred", "answer"),
        [
            ((1, 1, 1), "", {}, "full"),
            ((1, 1, 0), "", {}, "c"),
            ((1, 1, 1), "zone=north", {}, "full"),
            ((0, 1, 1), "zone=south", {}, "full"),
            ((1, 1, 1), "zone=west", {}, "nobody"),
            ((1, 1, 0), "", {2: "broken"}, "full"),
            ((1, 1, 0), "", {1: "broken", 2: "broken"}, "full"),
            ((1, 1, 0), "", {0: "broken", 1: "broken", 2: "broken"}, "c"),
            ((1, 1, 1), "", {0: "broken", 1: "broken", 2: "broken"}, "full"),
            ((0, 1, 1), "zone=south", {1: "broken"}, "full"),
        ],
    )
    def test_who_takes_it(
        self, in_flight: tuple[int, ...], label_filter: str, barred: dict[int, str], answer: str
    ) -> None:
        table = testing.snapshot(*in_flight, endpoints=TABLE.endpoints, barred=barred)
        profile = contract.Profile("p", (*filters.ALWAYS, filters.HasRoom(1)), (), pickers.Best())
        made = pipeline.route(testing.request(label_filter=label_filter), table, profile, 0.0, testing.Dice())
        if isinstance(made, contract.Decision):
            assert made.endpoint.pod == answer
        else:
            assert ("full" if made.saturated else "nobody") == answer
