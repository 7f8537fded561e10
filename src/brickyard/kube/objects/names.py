"""Names: what Kubernetes accepts, and how new ones are made.

Checks answer a bool; the words of a refusal belong to whoever refuses.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Protocol

LABEL_LIMIT = 63
SUBDOMAIN_LIMIT = 253

SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' alphabet for generated suffixes: no vowels, so no words; no 0, 1 or 3, which read like letters."""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUFFIX_LENGTH = 5


class Chooser(Protocol):
    """The one thing asked of a random source: ``random.Random`` fits."""

    def choice(self, seq: Sequence[str], /) -> str:
        """An item of ``seq``."""
        ...


def is_dns_label(text: str) -> bool:
    """RFC 1123 label: what namespaces and containers are called."""
    return len(text) <= LABEL_LIMIT and _LABEL.fullmatch(text) is not None


def is_dns1035_label(text: str) -> bool:
    """RFC 1035 label: as above, and begins with a letter; what Services are called."""
    return len(text) <= LABEL_LIMIT and _LABEL_1035.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    """RFC 1123 subdomain: what most objects are called."""
    return len(text) <= SUBDOMAIN_LIMIT and _SUBDOMAIN.fullmatch(text) is not None


def is_qualified_name(text: str) -> bool:
    """A label or annotation key: ``name`` or ``dns.subdomain/name``."""
    prefix, slash, name = text.rpartition("/")
    if slash and not is_dns_subdomain(prefix):
        return False
    return len(name) <= LABEL_LIMIT and _QUALIFIED.fullmatch(name) is not None


def is_label_value(text: str) -> bool:
    """A label's value: may be empty."""
    return not text or (len(text) <= LABEL_LIMIT and _QUALIFIED.fullmatch(text) is not None)


def generate(prefix: str, rng: Chooser) -> str:
    """A name for ``metadata.generateName`` = ``prefix``: the prefix, cut to leave room, and five random characters."""
    return prefix[: LABEL_LIMIT - _SUFFIX_LENGTH] + "".join(rng.choice(SAFE_ALPHABET) for _ in range(_SUFFIX_LENGTH))


def truncated(name: str, limit: int = LABEL_LIMIT) -> str:
    """``name``, or where it is longer than ``limit`` its beginning and a hash of the whole: same name, same answer.

    Two long names that differ only at the end stay different.
    """
    if len(name) <= limit:
        return name
    digest = encode_safe(hashlib.sha256(name.encode()).digest(), 8)
    return f"{name[: limit - 9].rstrip('-.')}-{digest}"


def shortened(name: str, *, keep_prefix: bool = False, generate: bool = False) -> str:
    """``name`` as AIBrix shortens it for a label or a child's name: to 63 characters, to 58 where a suffix will be generated.

    The first character and the end are kept, since ends tell children apart; with ``keep_prefix`` the beginning is. Unlike
    ``truncated`` two long names can meet in one.
    """
    limit = LABEL_LIMIT - _SUFFIX_LENGTH if generate else LABEL_LIMIT
    if len(name) <= limit:
        return name
    return name[:limit] if keep_prefix else name[0] + name[1 - limit :]


def encode_safe(data: bytes, length: int) -> str:
    """``length`` characters of ``SAFE_ALPHABET`` that depend on all of ``data`` (27^length values)."""
    number, letters = int.from_bytes(data, "big"), []
    for _ in range(length):
        number, index = divmod(number, len(SAFE_ALPHABET))
        letters.append(SAFE_ALPHABET[index])
    return "".join(letters)
