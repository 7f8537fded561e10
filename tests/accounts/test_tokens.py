from __future__ import annotations

import os

import pytest

from brickyard.accounts import errors, tokens

SECRET = b"s" * 32


def test_a_token_holds_256_bits_and_looks_like_one() -> None:
    token = tokens.make(lambda count: b"\xff" * count)
    assert token == "bk-" + "_" * 42 + "8"
    assert tokens.plausible(token)
    assert len({tokens.make(os.urandom) for _ in range(100)}) == 100


@pytest.mark.parametrize("text", ["", "bk-", "sk-" + "a" * 43, "bk-" + "a" * 42, "bk-" + "a" * 44, "bk-" + "ä" * 43])
def test_what_cannot_be_one_is_not_asked_for(text: str) -> None:
    assert not tokens.plausible(text)


def test_the_hash_depends_on_the_token_and_on_the_secret() -> None:
    hasher = tokens.Hasher(SECRET)
    first, second = hasher.digest("bk-a"), hasher.digest("bk-b")
    assert first == hasher.digest("bk-a") == tokens.Hasher(SECRET).digest("bk-a")
    assert len({first, second, tokens.Hasher(b"t" * 32).digest("bk-a")}) == 3
    assert len(first) == 64


def test_a_short_secret_is_none() -> None:
    with pytest.raises(errors.KeysUnavailableError, match="15 bytes"):
        tokens.Hasher(b"s" * 15)


def test_the_secret_is_not_shown() -> None:
    assert "ssss" not in repr(tokens.Hasher(SECRET))
