"""Formats of values (``format`` in a schema): which texts and numbers they admit. A format that is not known admits everything."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import urllib.parse
from collections.abc import Callable, Mapping

from brickyard.embedded.apiserver.cel import errors, times
from brickyard.kube.objects import names

_UUID = "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?%s[0-9a-fA-F]{3}-?%s[0-9a-fA-F]{3}-?[0-9a-fA-F]{12}"


def _accepted(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        try:
            parse(value)
        except (ValueError, binascii.Error, errors.EvaluationError):
            return False
        return True

    return check


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: compiled.fullmatch(value) is not None


def _uuid(version: str, variant: str) -> Callable[[str], bool]:
    return _matches(_UUID % (version, variant))


def _uri(value: str) -> object:
    if any(letter <= " " for letter in value):
        raise ValueError(value)
    parts = urllib.parse.urlsplit(value)
    if not parts.scheme and not value.startswith("/"):
        raise ValueError(value)
    return parts.port


def _isbn(value: str) -> bool:
    digits = value.replace("-", "").replace(" ", "")
    if re.fullmatch(r"\d{9}[\dX]", digits):
        return sum((10 - at) * (10 if each == "X" else int(each)) for at, each in enumerate(digits)) % 11 == 0
    return re.fullmatch(r"\d{13}", digits) is not None and _weighed(digits, 3) % 10 == 0


def _weighed(digits: str, weight: int) -> int:
    return sum(int(each) * (weight if at % 2 else 1) for at, each in enumerate(digits))


def _card(value: str) -> bool:
    """Luhn's checksum."""
    digits = re.sub(r"[ -]", "", value)
    if not re.fullmatch(r"\d{13,19}", digits):
        return False
    doubled = [int(each) * (1 + at % 2) for at, each in enumerate(reversed(digits))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d", re.ASCII)

TEXTS: Mapping[str, Callable[[str], bool]] = {
    "bsonobjectid": _matches("[0-9a-fA-F]{24}"),
    "byte": _accepted(lambda value: base64.b64decode(value, validate=True)),
    "cidr": _accepted(lambda value: ("/" in value and ipaddress.ip_network(value, strict=False)) or int(value)),
    "creditcard": _card,
    "date": _accepted(times.day),
    "date-time": _accepted(
        lambda value: times.timestamp(value.replace(" ", "T", 1) if _MOMENT.match(value) else value)
    ),
    "datetime": _accepted(lambda value: times.timestamp(value.replace(" ", "T", 1) if _MOMENT.match(value) else value)),
    "duration": lambda value: times.nanoseconds_of(value) is not None,
    "email": _matches(r"[^@\s<>(),;:\\\"\[\]]+@[^@\s<>(),;:\\\"\[\]]+"),
    "hexcolor": _matches("#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "hostname": lambda value: names.is_dns_subdomain(value.lower().removesuffix(".")),
    "ipv4": _accepted(ipaddress.IPv4Address),
    "ipv6": _accepted(ipaddress.IPv6Address),
    "isbn": _isbn,
    "isbn10": lambda value: len(re.sub(r"[ -]", "", value)) == 10 and _isbn(value),
    "isbn13": lambda value: len(re.sub(r"[ -]", "", value)) == 13 and _isbn(value),
    "k8s-long-name": names.is_dns_subdomain,
    "k8s-short-name": names.is_dns_label,
    "mac": _matches(r"([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}|([0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}"),
    "rgbcolor": _matches(r"rgb\(\s*(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])(\s*,\s*(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])){2}\s*\)"),
    "ssn": _matches(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "uri": _accepted(_uri),
    "uuid": _uuid("[0-9a-fA-F]", "[0-9a-fA-F]"),
    "uuid3": _uuid("3", "[0-9a-fA-F]"),
    "uuid4": _uuid("4", "[89abAB]"),
    "uuid5": _uuid("5", "[89abAB]"),
}

NUMBERS: Mapping[str, tuple[float, float]] = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
    "float": (-3.4028234663852886e38, 3.4028234663852886e38),
}
