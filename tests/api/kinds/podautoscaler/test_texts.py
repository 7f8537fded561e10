"""Numbers and durations as Go reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds.podautoscaler import texts


class TestSeconds:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("0", 0),
            ("0s", 0),
            ("300s", 300),
            ("30m", 1800),
            ("1h30m", 5400),
            ("1.5s", 1.5),
            ("1.s", 1),
            (".5s", 0.5),
            ("250ms", 0.25),
            ("5us", 5e-6),
            ("5µs", 5e-6),
            ("5μs", 5e-6),
            ("1000000000ns", 1),
            ("+2m", 120),
            ("-2m", -120),
            ("1h1h", 7200),
        ],
    )
    def test_durations(self, text: str, seconds: float) -> None:
        assert texts.seconds(text) == pytest.approx(seconds)

    @pytest.mark.parametrize(
        "text", ["", "60", "1d", "s", ".s", "1 s", " 1s", "1s ", "1s\n", "1m-2s", "٣s", "1e3s", "abc", "99999999h"]
    )
    def test_no_durations(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"no duration|longer than"):
            texts.seconds(text)
        assert not texts.is_duration(text)

    def test_a_negative_one_is_none_to_wait_for(self) -> None:
        assert not texts.is_duration("-1s")
        assert texts.is_duration("0")

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        assert texts.is_duration(text) in (True, False)

    def test_long_texts_are_refused_at_once(self) -> None:
        assert not texts.is_duration("1m" * 200_000 + "x")
        assert not texts.is_number("1" * 1_000_000 + "x")


class TestNumber:
    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_what_python_writes_is_read_back(self, value: float) -> None:
        assert texts.number(repr(value)) == value

    @pytest.mark.parametrize("text", ["", "nan", "inf", "1Gi", "50m", "0x1p4", "1_000", "1e400"])
    def test_no_numbers(self, text: str) -> None:
        with pytest.raises(ValueError, match="must be a valid number"):
            texts.number(text)
        assert not texts.is_number(text)


class TestWhole:
    @pytest.mark.parametrize(("text", "value"), [("0", 0), ("3", 3), ("007", 7), ("2147483647", 2**31 - 1)])
    def test_numbers(self, text: str, value: int) -> None:
        assert texts.whole(text) == value
        assert texts.is_whole(text)

    @pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1e3", " 1", "1\n", "٣", "2147483648", "9" * 5000])
    def test_no_numbers(self, text: str) -> None:
        with pytest.raises(ValueError, match="whole number"):
            texts.whole(text)
        assert not texts.is_whole(text)


class TestTruth:
    @pytest.mark.parametrize("text", ["1", "t", "T", "true", "TRUE", "True"])
    def test_true(self, text: str) -> None:
        assert texts.truth(text)

    @pytest.mark.parametrize("text", ["0", "f", "F", "false", "FALSE", "False"])
    def test_false(self, text: str) -> None:
        assert not texts.truth(text)

    @pytest.mark.parametrize("text", ["", "yes", "no", "tRUE", "2", "on", " true"])
    def test_neither(self, text: str) -> None:
        with pytest.raises(ValueError, match="true or false"):
            texts.truth(text)
