"""Field errors, word for word as Kubernetes writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import faults
from brickyard.api.kinds.faults import FieldError

PATH = "spec.a[0].b"


def nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


def circle() -> Any:
    found: list[Any] = []
    found.append(found)
    return found


class TestWords:
    @pytest.mark.parametrize(
        ("error", "reason", "message"),
        [
            (faults.required(PATH), "Required", "Required value"),
            (faults.required(PATH, "must be set"), "Required", "Required value: must be set"),
            (faults.invalid(PATH, -1, "must be positive"), "Invalid", "Invalid value: -1: must be positive"),
            (faults.invalid(PATH, "x", "no"), "Invalid", 'Invalid value: "x": no'),
            (faults.invalid(PATH, {"a": [None, True]}, "no"), "Invalid", 'Invalid value: {"a":[null,true]}: no'),
            (faults.wrong_type(PATH, "string", "must be of type integer"), "TypeInvalid", None),
            (
                faults.not_supported(PATH, "c", ["a", "b"]),
                "NotSupported",
                'Unsupported value: "c": supported values: "a", "b"',
            ),
            (faults.duplicate(PATH, "x"), "Duplicate", 'Duplicate value: "x"'),
            (faults.forbidden(PATH, "may not be changed"), "Forbidden", "Forbidden: may not be changed"),
            (faults.not_found(PATH, "x"), "NotFound", 'Not found: "x"'),
            (faults.too_long(PATH, 63), "TooLong", "Too long: may not be more than 63 bytes"),
            (faults.too_long(PATH, 63, "characters"), "TooLong", "Too long: may not be more than 63 characters"),
            (faults.too_many(PATH, 3, 2), "TooMany", "Too many: 3: must have at most 2 items"),
            (faults.too_many(PATH, 2, 1), "TooMany", "Too many: 2: must have at most 1 item"),
        ],
    )
    def test_row(self, error: FieldError, reason: str, message: str | None) -> None:
        message = message or 'Invalid value: "string": must be of type integer'
        assert error == FieldError(PATH, f"FieldValue{reason}", message)


class TestAnyValueIsShown:
    """A refusal tells of what it refuses, whatever that is; it never fails itself."""

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (2**63 - 1, "9223372036854775807"),
            (2**64, "18446744073709551616"),
            ({"a": [2**64]}, '{"a":[18446744073709551616]}'),
            ("\ud800", '"\\ud800"'),
            (nested(300), "[" * 300 + "1" + "]" * 300),
            (10**5000, '"..."'),
            ({(1, 2): 3}, '"..."'),
            (circle(), '"..."'),
            (nested(100_000), '"..."'),
        ],
        ids=["int64", "beyond", "beyond inside", "surrogate", "deep", "digits", "key", "circle", "deeper"],
    )
    def test_row(self, value: Any, shown: str) -> None:
        assert faults.invalid(PATH, value, "no").message == f"Invalid value: {shown}: no"

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        )
    )
    def test_json_is_shown_as_json(self, value: Any) -> None:
        message = faults.duplicate(PATH, value).message
        assert json.loads(message.removeprefix("Duplicate value: ")) == value


class TestOneOf:
    @pytest.mark.parametrize(
        ("value", "found"),
        [
            ("a", []),
            (None, [faults.required(PATH)]),
            ("", [faults.required(PATH)]),
            ("c", [faults.not_supported(PATH, "c", ["a", "b"])]),
            ({}, [faults.not_supported(PATH, {}, ["a", "b"])]),
        ],
    )
    def test_row(self, value: Any, found: list[FieldError]) -> None:
        assert list(faults.one_of(PATH, value, {"b", "a"})) == found


class TestNotNegative:
    @pytest.mark.parametrize(
        ("holder", "wrong"),
        [({}, []), ({"a": None}, []), ({"a": 0, "b": 1}, []), ({"a": -1, "b": -2}, ["a", "b"]), ({"c": -1}, [])],
    )
    def test_row(self, holder: dict[str, Any], wrong: list[str]) -> None:
        found = faults.not_negative("spec", holder, "a", "b")
        text = "must be greater than or equal to 0"
        assert list(found) == [faults.invalid(f"spec.{each}", holder[each], text) for each in wrong]


class TestUnique:
    @pytest.mark.parametrize(
        ("values", "twice"),
        [
            ([], []),
            (["a", "b"], []),
            (["a", "b", "a"], [2]),
            (["a", "a", "a"], [1, 2]),
            ([None, None, "", ""], []),
            ([0, 0], [1]),
        ],
    )
    def test_row(self, values: list[Any], twice: list[int]) -> None:
        found = faults.unique("spec", ((f"[{index}].name", value) for index, value in enumerate(values)))
        assert list(found) == [faults.duplicate(f"spec[{index}].name", values[index]) for index in twice]
