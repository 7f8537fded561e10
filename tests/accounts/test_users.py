from __future__ import annotations

import json

import hypothesis
import pytest
from hypothesis import strategies as st

from brickyard.accounts import contract, errors, users

GOOD_NAMES = ["a", "ada", "a b", "a/b:c*", "zoë", "日本", "x" * 256]
BAD_NAMES = ["", " a", "a ", "a\nb", "a\x00", "\ud800", "x" * 257, "a\u2028b"]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_a_name(name: str) -> None:
    assert users.check_name(name) == name


@pytest.mark.parametrize("name", BAD_NAMES)
def test_no_name(name: str) -> None:
    with pytest.raises(errors.InvalidUserError) as refused:
        users.check_name(name)
    assert refused.value.param == "name"


@pytest.mark.parametrize(
    ("rpm", "tpm", "param"), [(-1, 0, "rpm"), (0, -1, "tpm"), (2**53, 0, "rpm"), (1, 2**60, "tpm")]
)
def test_limits_that_nobody_may_ask_for(rpm: int, tpm: int, param: str) -> None:
    with pytest.raises(errors.InvalidUserError) as refused:
        users.check(contract.User("ada", rpm, tpm))
    assert refused.value.param == param


def test_the_stored_form_is_the_originals() -> None:
    assert json.loads(users.encode(contract.User("ada", 3, 1000))) == {"name": "ada", "rpm": 3, "tpm": 1000}


# stored, rpm and tpm; None: it cannot be read
STORED = [
    (b'{"name":"ada","rpm":3,"tpm":1000}', (3, 1000)),
    (b'{"name":"ada"}', (0, 0)),
    (b'{"rpm":-1,"more":[1]}', (-1, 0)),
    (b"", None),
    (b"nonsense", None),
    (b"[1]", None),
    (b'{"rpm":"3"}', None),
    (b'{"rpm":1.5}', None),
    (b'{"tpm":null}', None),
    (b'{"tpm":true}', None),
]


@pytest.mark.parametrize(("raw", "limits"), STORED)
def test_what_others_stored(raw: bytes, limits: tuple[int, int] | None) -> None:
    if limits is None:
        with pytest.raises(errors.DamagedRecordError, match="ada"):
            users.decode("ada", raw)
    else:
        assert users.decode("ada", raw) == contract.User("ada", *limits)


@hypothesis.given(st.text(min_size=1), st.integers(-(2**53), 2**53), st.integers(-(2**53), 2**53))
def test_users_come_back_as_they_were(name: str, rpm: int, tpm: int) -> None:
    hypothesis.assume(name.isprintable())
    user = contract.User(name, rpm, tpm)
    assert users.decode(name, users.encode(user)) == user


def test_keys_come_back_as_they_were() -> None:
    key = contract.ApiKey("ab" * 32, "ada", 1_700_000_000.25, "laptop")
    assert users.decode_key(key.digest, users.encode_key(key)) == key
    assert key.id == "abababababab"


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b'{"user":1,"created":1}', b'{"user":"a"}', b'{"user":"a","created":1,"label":2}']
)
def test_a_damaged_key(raw: bytes) -> None:
    with pytest.raises(errors.DamagedRecordError, match="abababababab"):
        users.decode_key("ab" * 32, raw)
