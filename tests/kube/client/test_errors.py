from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.client import errors


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", errors.BadRequest),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "AlreadyExists", errors.AlreadyExists),
        (409, "Conflict", errors.Conflict),
        (410, "Expired", errors.Gone),
        (410, "Gone", errors.Gone),
        (413, "RequestEntityTooLarge", errors.TooLarge),
        (415, "UnsupportedMediaType", errors.UnsupportedMediaType),
        (422, "Invalid", errors.Invalid),
        (429, "TooManyRequests", errors.TooManyRequests),
        (500, "ServerTimeout", errors.ServerTimeout),
        (500, "InternalError", errors.InternalError),
        (503, "ServiceUnavailable", errors.Unavailable),
        (504, "Timeout", errors.ServerTimeout),
        (409, "", errors.Conflict),
        (404, "SomethingNew", errors.NotFound),
        (405, "MethodNotAllowed", errors.KubeError),
        (599, "", errors.InternalError),
    ],
)
def test_a_status_becomes_the_error_of_its_reason(code: int, reason: str, kind: type[errors.KubeError]) -> None:
    error = errors.from_status(code, {"reason": reason, "message": "words"})
    assert type(error) is kind
    assert (error.status, error.reason, str(error)) == (code, reason, "words")


def test_waiting_times_come_from_the_header_or_the_details() -> None:
    assert errors.from_status(429, {"details": {"retryAfterSeconds": 7}}).retry_after == 7
    assert errors.from_status(429, {"details": {"retryAfterSeconds": 7}}, 3.0).retry_after == 3
    assert errors.from_status(429, {}).retry_after is None


def test_an_error_without_words_still_says_something() -> None:
    assert "503" in str(errors.from_status(503, {}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(
    code=st.integers(400, 599),
    status=st.dictionaries(st.sampled_from(["reason", "message", "details", "code"]), JSON),
)
def test_whatever_claims_to_be_a_status_becomes_an_error(code: int, status: dict[str, Any]) -> None:
    error = errors.from_status(code, status)
    assert error.status == code
    assert str(error)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [(errors.Unreachable("x"), True), (errors.Unavailable("x"), True), (errors.Conflict("x"), False)],
)
def test_who_should_try_again(error: errors.KubeError, retryable: bool) -> None:
    assert error.retryable is retryable
    assert error.status == error.code
