from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.objects import errors, quantities


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1", 1),
        (2, 2),
        (0.5, "0.5"),
        ("500m", "0.5"),
        ("-1", -1),
        ("+1", 1),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("1.", 1),
        ("100u", "0.0001"),
        ("100n", "0.0000001"),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Gi", 1610612736),
        ("128974848", 128974848),
        ("129e6", 129000000),
        ("129M", 129000000),
        ("123Mi", 128974848),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1e-3", "0.001"),
        ("0.1n", "0.000000001"),
        ("1.2345678901n", "0.000000002"),
    ],
)
def test_quantities_are_exact(text: Any, value: Any) -> None:
    assert quantities.parse(text) == Decimal(value)
    assert quantities.is_quantity(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "1 ",
        "1K",
        "1mi",
        "m",
        "1.2.3",
        "1e",
        "0x1",
        "1_0",
        "nan",
        "inf",
        "1e999",
        "9" * 100,
        "\uff11",
        True,
        "--1",
    ],
)
def test_what_is_no_quantity_is_refused(text: Any) -> None:
    assert not quantities.is_quantity(text)
    with pytest.raises(errors.QuantityError):
        quantities.parse(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (0.5, "500m"),
        (1000000000, "1G"),
        (1e9, "1G"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1000M", "1G"),
        ("1E", "1E"),
        ("1024Mi", "1Gi"),
        ("1000Mi", "1000Mi"),
        ("0.5Gi", "512Mi"),
        ("0.1Gi", "107374182400m"),
        (".001Ki", "1024m"),
        (".000000000001Ki", "2n"),
        ("-1024Mi", "-1Gi"),
        ("0Gi", "0"),
        ("1e3", "1e3"),
        ("1E4", "10e3"),
        ("1.5e3", "1500"),
        ("1e-4", "100e-6"),
        ("0e9", "0"),
    ],
)
def test_each_notation_has_one_text_for_a_quantity(value: str | float, text: str) -> None:
    assert quantities.canonical(value) == text
    assert quantities.canonical(text) == text
    assert quantities.parse(text) == quantities.parse(value)


@pytest.mark.parametrize("value", [None, [], {}])
def test_other_types_are_no_quantities(value: object) -> None:
    assert not quantities.is_quantity(value)


@pytest.mark.parametrize(
    ("value", "decimal", "binary"),
    [
        ("0", "0", "0"),
        ("0.5", "500m", "500m"),
        ("1", "1", "1"),
        ("1000", "1k", "1k"),
        ("1024", "1024", "1Ki"),
        ("1073741824", "1073741824", "1Gi"),
        ("1500", "1500", "1500"),
        ("2048000", "2048k", "2000Ki"),
        ("-2048", "-2048", "-2Ki"),
        ("0.000000001", "1n", "1n"),
    ],
)
def test_canonical_text(value: str, decimal: str, binary: str) -> None:
    assert quantities.format_decimal(Decimal(value)) == decimal
    assert quantities.format_binary(Decimal(value)) == binary


@given(value=st.integers(-(10**24), 10**24), scale=st.integers(-9, 6))
def test_what_is_written_reads_back(value: int, scale: int) -> None:
    number = Decimal(value).scaleb(scale)
    assert quantities.parse(quantities.format_decimal(number)) == number
    assert quantities.parse(quantities.format_binary(number)) == number


@given(text=st.text(alphabet="0123456789.eE+-KMGimnu", max_size=12))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    if quantities.is_quantity(text):
        assert quantities.parse(text).is_finite()
