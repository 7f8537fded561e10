"""Numbers and times for people."""

import pytest

from brickyard.scaling import contract, rounding, words


class TestWords:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0, "0"),
            (1 / 3, "0.3333"),
            (12.5, "12.5"),
            (999.96, "1000"),
            (51_200_000, "51200000"),
            (1234.56, "1235"),
            (0.00001, "1e-05"),
            (-5, "-5"),
        ],
    )
    def test_amounts(self, value: float, text: str) -> None:
        assert words.amount(value) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0s"),
            (0.4, "0s"),
            (45, "45s"),
            (59.6, "1m"),
            (180, "3m"),
            (270, "4m30s"),
            (3600, "1h"),
            (7500, "2h5m"),
            (90_000, "25h"),
        ],
    )
    def test_seconds(self, seconds: float, text: str) -> None:
        assert words.seconds(seconds) == text

    @pytest.mark.parametrize(("low", "high", "text"), [(21, 31, "21 to 31"), (21, 21, "21"), (21, 21.00001, "21")])
    def test_spans(self, low: float, high: float, text: str) -> None:
        assert words.span(contract.Span(low, high)) == text

    @pytest.mark.parametrize(("low", "high", "text"), [(0.6, 1.1, "60% to 110%"), (1.5, 1.5001, "150%"), (0, 0, "0%")])
    def test_percents(self, low: float, high: float, text: str) -> None:
        assert words.percent(contract.Span(low, high)) == text

    @pytest.mark.parametrize(
        ("value", "text"), [(0.075, "7.5%"), (0.9, "90%"), (1.104, "110.4%"), (9.999, "999.9%"), (12.347, "1235%")]
    )
    def test_shares(self, value: float, text: str) -> None:
        assert words.share(value) == text

    @pytest.mark.parametrize(
        ("minimum", "maximum", "text"),
        [
            (0, 1, "0 to 1 replica"),
            (1, 10, "1 to 10 replicas"),
            (3, 3, "exactly 3 replicas"),
            (1, rounding.MOST, "1 replica or more"),
        ],
    )
    def test_bounds(self, minimum: int, maximum: int, text: str) -> None:
        assert words.bounds(minimum, maximum) == text

    def test_what_is_wanted(self) -> None:
        assert words.wanted(contract.Metric("k", "k", 12.5)) == "target 12.5 for each replica"
        assert words.wanted(contract.Metric("k", "k", 12.5), of="") == "target 12.5"
        assert words.wanted(contract.Metric("k", "k", 1e6, presence=True)) == "any number for one replica"

    @pytest.mark.parametrize(("count", "text"), [(0, "0 replicas"), (1, "1 replica"), (2, "2 replicas")])
    def test_counts(self, count: int, text: str) -> None:
        assert words.replicas(count) == text
        assert words.pods(count) == text.replace("replica", "pod")

    def test_moments(self) -> None:
        assert words.moment(1_800_000_000.9) == "2027-01-15T08:00:00Z"
