from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.objects import names


@pytest.mark.parametrize(
    ("text", "label", "label1035", "subdomain"),
    [
        ("a", True, True, True),
        ("a-b", True, True, True),
        ("0a", True, False, True),
        ("a.b", False, False, True),
        ("a..b", False, False, False),
        ("A", False, False, False),
        ("-a", False, False, False),
        ("a-", False, False, False),
        ("", False, False, False),
        ("a\n", False, False, False),
        ("ä", False, False, False),
        ("a" * 63, True, True, True),
        ("a" * 64, False, False, True),
        ("a" * 253, False, False, True),
        ("a" * 254, False, False, False),
        ("a_b", False, False, False),
    ],
)
def test_dns_names(text: str, label: bool, label1035: bool, subdomain: bool) -> None:
    assert (names.is_dns_label(text), names.is_dns1035_label(text), names.is_dns_subdomain(text)) == (
        label,
        label1035,
        subdomain,
    )


@pytest.mark.parametrize(
    ("text", "legal"),
    [
        ("a", True),
        ("A_b.c-d", True),
        ("model.aibrix.ai/name", True),
        ("/a", False),
        ("a/", False),
        ("a/b/c", False),
        ("A/b", False),
        ("", False),
        ("_a", False),
        ("x" * 63, True),
        ("x" * 64, False),
    ],
)
def test_label_keys(text: str, legal: bool) -> None:
    assert names.is_qualified_name(text) is legal


@pytest.mark.parametrize(
    ("text", "legal"), [("", True), ("a", True), ("A.b_c", True), ("a b", False), ("x" * 64, False)]
)
def test_label_values(text: str, legal: bool) -> None:
    assert names.is_label_value(text) is legal


@given(prefix=st.from_regex(r"[a-z][a-z0-9-]{0,99}", fullmatch=True), seed=st.integers())
def test_generated_names_are_legal_and_begin_with_the_prefix(prefix: str, seed: int) -> None:
    name = names.generate(prefix, random.Random(seed))
    assert names.is_dns_label(name)
    assert name.startswith(prefix[:58])
    assert len(name) == min(len(prefix), 58) + 5
    assert set(name[-5:]) <= set(names.SAFE_ALPHABET)


@given(name=st.from_regex(r"[a-z]([a-z0-9.-]{0,300}[a-z0-9])?", fullmatch=True), limit=st.integers(20, 253))
def test_truncated_names_fit(name: str, limit: int) -> None:
    cut = names.truncated(name, limit)
    assert len(cut) <= limit
    assert cut == names.truncated(name, limit)
    assert (cut == name) == (len(name) <= limit)


def test_long_names_that_differ_at_the_end_stay_different() -> None:
    assert names.truncated("a" * 80 + "x") != names.truncated("a" * 80 + "y")


def test_truncation_is_the_same_in_every_run() -> None:
    assert names.truncated("n" * 64) == "n" * 54 + "-" + names.truncated("n" * 64)[-8:]
    assert names.truncated("n" * 64)[-8:] == names.truncated("n" * 64, 40)[-8:]


@given(data=st.binary(min_size=16, max_size=32), length=st.integers(1, 12))
def test_encoding_uses_the_safe_alphabet(data: bytes, length: int) -> None:
    text = names.encode_safe(data, length)
    assert len(text) == length
    assert set(text) <= set(names.SAFE_ALPHABET)


LONG = "abcdefghijklmnopqrstuvwxyz-" + "1234567890" * 4 + "xyz"


def test_shortened_keeps_the_first_character_and_the_end() -> None:
    assert len(LONG) == 70
    assert names.shortened("a" * 26) == "a" * 26
    assert names.shortened(LONG) == "a" + LONG[-62:]
    assert names.shortened(LONG, generate=True) == "a" + LONG[-57:]
    assert names.shortened(LONG, keep_prefix=True) == LONG[:63]
    assert names.shortened(LONG, keep_prefix=True, generate=True) == LONG[:58]


@given(st.text("abc", max_size=100), st.booleans(), st.booleans())
def test_shortened_is_never_longer_and_changes_nothing_twice(name: str, keep_prefix: bool, generate: bool) -> None:
    once = names.shortened(name, keep_prefix=keep_prefix, generate=generate)
    assert len(once) == min(len(name), 58 if generate else 63)
    assert names.shortened(once, keep_prefix=keep_prefix, generate=generate) == once
    assert once[:1] == name[:1]
