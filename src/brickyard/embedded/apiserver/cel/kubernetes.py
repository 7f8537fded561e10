"""What Kubernetes adds for its own values: URLs, IP addresses and networks, quantities, versions, and the formats of names."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import decimal
import ipaddress
import re
import urllib.parse
import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from brickyard.embedded.apiserver.cel import errors, library, times, values
from brickyard.embedded.apiserver.cel.library import overload, walk
from brickyard.kube.objects import errors as object_errors
from brickyard.kube.objects import quantities

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Made = TypeVar("Made")


@dataclasses.dataclass(frozen=True, slots=True)
class Url:
    """A URL: absolute, or an absolute path."""

    cel_name: ClassVar[str] = "url"
    parts: urllib.parse.SplitResult

    def host(self) -> str:
        """Host and port as written."""
        return self.parts.netloc.rpartition("@")[2]

    def name(self) -> str:
        """The host alone."""
        host = self.host()
        return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]

    def port(self) -> str:
        """The port as text, "" where there is none."""
        return self.host().rpartition("]")[2].partition(":")[2]

    def query(self) -> dict[str, list[str]]:
        """The values of each parameter."""
        return urllib.parse.parse_qs(self.parts.query, keep_blank_values=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Ip:
    """An IP address."""

    cel_name: ClassVar[str] = "ip"
    address: Address

    def __str__(self) -> str:
        return str(self.address)


@dataclasses.dataclass(frozen=True, slots=True)
class Cidr:
    """A network, with the address it was written with."""

    cel_name: ClassVar[str] = "cidr"
    address: Address
    network: Network

    def __str__(self) -> str:
        return f"{self.address}/{self.network.prefixlen}"


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Quantity:
    """A resource quantity."""

    cel_name: ClassVar[str] = "quantity"
    amount: decimal.Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """A semantic version. Build metadata does not count in comparisons."""

    cel_name: ClassVar[str] = "semver"
    numbers: tuple[int, int, int]
    before: tuple[str, ...] = ()

    def key(self) -> tuple[Any, ...]:
        """What versions are ordered by."""
        ranks = tuple((0, int(each), "") if each.isdigit() else (1, 0, each) for each in self.before)
        return (self.numbers, not self.before, ranks)


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """A named format of texts."""

    cel_name: ClassVar[str] = "format"
    name: str
    problem: Callable[[str], str]


def _url(text: str) -> Url:
    try:
        parts = urllib.parse.urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise errors.EvaluationError(
            f'URL parse error during conversion from string: parse "{text}": {error}'
        ) from None
    if (not parts.scheme and not text.startswith("/")) or re.search(r"[\x00-\x20\x7f]", text):
        text = f'URL parse error during conversion from string: parse "{text}": invalid URI for request'
        raise errors.EvaluationError(text)
    return Url(parts)


def _ip(text: str) -> Ip:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise errors.EvaluationError(f'IP Address "{text}" parse error during conversion from string') from None
    if "%" in text or (found.version == 6 and found.ipv4_mapped is not None):
        raise errors.EvaluationError(f'IPv4-mapped or zoned IPv6 address "{text}" is not allowed')
    return Ip(found)


def _cidr(text: str) -> Cidr:
    address, _, bits = text.partition("/")
    try:
        # Python also reads masks written as addresses, and leading zeros.
        if str(int(bits)) != bits:
            bits = "none"
        return Cidr(_ip(address).address, ipaddress.ip_network(f"{address}/{bits}", strict=False))
    except (ValueError, errors.EvaluationError):
        raise errors.EvaluationError(f'network address parse error during conversion from string: "{text}"') from None


def _quantity(text: str) -> Quantity:
    try:
        return Quantity(quantities.parse(text))
    except (object_errors.QuantityError, ValueError) as error:
        raise errors.EvaluationError(f"quantity: {error}") from error


_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII)


def _version(text: str, normalize: bool = False) -> Version:
    if normalize and len(text) < 256:
        text = _normalized(text)
    match = _VERSION.fullmatch(text) if len(text) < 256 else None
    if match is None:
        raise errors.EvaluationError(f'semver: "{text[:80]}" is no semantic version')
    major, minor, patch, before = match.groups()
    return Version((int(major), int(minor), int(patch)), tuple(before.split(".")) if before else ())


def _normalized(text: str) -> str:
    """``v1.02`` as ``1.2.0``: what is often taken for a version, as one."""
    numbers, *rest = re.split(r"(?=[-+])", text.removeprefix("v"), maxsplit=1)
    parts = [each.lstrip("0") or "0" if each.isdecimal() else each for each in numbers.split(".")]
    return ".".join([*parts, "0", "0"][: max(3, len(parts))]) + "".join(rest)


def _parses(parse: Callable[..., object]) -> Callable[..., bool]:
    def check(text: str, *more: Any) -> bool:
        try:
            parse(text, *more)
        except errors.EvaluationError:
            return False
        return True

    return check


def _within(outer: Cidr, inner: Ip | Cidr) -> bool:
    address = inner.address
    if address.version != outer.network.version:
        return False
    prefix = inner.network.prefixlen if isinstance(inner, Cidr) else outer.network.prefixlen
    return address in outer.network and prefix >= outer.network.prefixlen


def _whole(found: Quantity) -> int:
    number = found.amount
    if number != number.to_integral_value():
        raise errors.EvaluationError("cannot convert value to integer")
    return values.whole(int(number))


def _number(value: Quantity | int) -> decimal.Decimal:
    return value.amount if isinstance(value, Quantity) else decimal.Decimal(value)


# Formats.

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"


def _shaped(expression: str, limit: int, what: str) -> Callable[[str], str]:
    compiled = re.compile(expression, re.ASCII)

    def problem(text: str) -> str:
        if len(text) > limit:
            return f"must be no more than {limit} bytes"
        return "" if compiled.fullmatch(text) else f"{what} (regex used for validation is '{expression}')"

    return problem


def _prefix(problem: Callable[[str], str]) -> Callable[[str], str]:
    """As ``problem``, for text that a name is generated from: it may end in a dash."""
    return lambda text: problem(text[:-1] + "a" if text.endswith("-") else text)


def _tried(parse: Callable[[str], object], what: str) -> Callable[[str], str]:
    def problem(text: str) -> str:
        try:
            parse(text)
        except (ValueError, binascii.Error, errors.EvaluationError):
            return what
        return ""

    return problem


_DNS_LABEL = _shaped(_LABEL, 63, "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'")
_DNS_SUBDOMAIN = _shaped(
    rf"{_LABEL}(\.{_LABEL})*", 253, "a lowercase RFC 1123 subdomain must consist of lower case labels joined by dots"
)
_DNS_1035 = _shaped(r"[a-z]([-a-z0-9]*[a-z0-9])?", 63, "a DNS-1035 label must start with an alphabetic character")
FORMATS: Mapping[str, Format] = {
    name: Format(name, problem)
    for name, problem in {
        "dns1123Label": _DNS_LABEL,
        "dns1123Subdomain": _DNS_SUBDOMAIN,
        "dns1035Label": _DNS_1035,
        "dns1123LabelPrefix": _prefix(_DNS_LABEL),
        "dns1123SubdomainPrefix": _prefix(_DNS_SUBDOMAIN),
        "dns1035LabelPrefix": _prefix(_DNS_1035),
        "labelValue": _shaped(rf"({_QUALIFIED})?", 63, "a valid label must be alphanumeric, '-', '_' or '.'"),
        "qualifiedName": _shaped(
            rf"({_LABEL}(\.{_LABEL})*/)?{_QUALIFIED}", 317, "name part must consist of alphanumeric characters"
        ),
        "uri": _tried(_url, "invalid URI"),
        "uuid": _tried(uuid.UUID, "does not match the UUID regex"),
        "byte": _tried(lambda text: base64.b64decode(text, validate=True), "invalid base64"),
        "date": _tried(times.day, "invalid date"),
        "datetime": _tried(times.timestamp, "invalid datetime"),
    }.items()
}


def _named(name: str) -> values.Optional:
    found = FORMATS.get(name)
    return values.Optional(True, found) if found else values.NOTHING


def _problems(form: Format, text: str) -> values.Optional:
    problem = form.problem(text)
    return values.Optional(True, [problem]) if problem else values.NOTHING


def _ordering(key: Callable[[Any], Any]) -> dict[str, Callable[[Any, Any], Any]]:
    return {
        "isGreaterThan": lambda a, b: key(a) > key(b),
        "isLessThan": lambda a, b: key(a) < key(b),
        "compareTo": lambda a, b: (key(a) > key(b)) - (key(a) < key(b)),
    }


def _comparisons(form: str, key: Callable[[Any], Any]) -> library.Table:
    return {
        name: [overload(f"{form}.({form}) -> {'int' if name == 'compareTo' else 'bool'}", run)]
        for name, run in _ordering(key).items()
    }


_URLS: library.Table = {
    "url": [overload("(string) -> url", _url, walk)],
    "isURL": [overload("(string) -> bool", _parses(_url), walk)],
    "getScheme": [overload("url.() -> string", lambda found: found.parts.scheme)],
    "getHost": [overload("url.() -> string", Url.host)],
    "getHostname": [overload("url.() -> string", Url.name)],
    "getPort": [overload("url.() -> string", Url.port)],
    "getEscapedPath": [overload("url.() -> string", lambda found: found.parts.path)],
    "getQuery": [overload("url.() -> map(string, list(string))", Url.query)],
}

_NETWORKS: library.Table = {
    "ip": [overload("(string) -> ip", _ip, walk), overload("cidr.() -> ip", lambda found: Ip(found.address))],
    "isIP": [
        overload("(string) -> bool", _parses(_ip), walk),
        overload(
            "(string, int) -> bool", lambda text, version: _parses(_ip)(text) and _ip(text).address.version == version
        ),
    ],
    "ip.isCanonical": [overload("(string) -> bool", lambda text: str(_ip(text)) == text, walk)],
    "family": [overload("ip.() -> int", lambda found: found.address.version)],
    "isUnspecified": [overload("ip.() -> bool", lambda found: found.address.is_unspecified)],
    "isLoopback": [overload("ip.() -> bool", lambda found: found.address.is_loopback)],
    "isLinkLocalMulticast": [
        overload(
            "ip.() -> bool",
            lambda found: (
                found.address in ipaddress.ip_network("224.0.0.0/24" if found.address.version == 4 else "ff02::/16")
            ),
        )
    ],
    "isLinkLocalUnicast": [overload("ip.() -> bool", lambda found: found.address.is_link_local)],
    "isGlobalUnicast": [
        overload(
            "ip.() -> bool",
            lambda found: (
                not (
                    found.address.is_unspecified
                    or found.address.is_loopback
                    or found.address.is_multicast
                    or found.address.is_link_local
                    or str(found) == "255.255.255.255"
                )
            ),
        )
    ],
    "cidr": [overload("(string) -> cidr", _cidr, walk)],
    "isCIDR": [overload("(string) -> bool", _parses(_cidr), walk)],
    "containsIP": [
        overload("cidr.(ip) -> bool", _within),
        overload("cidr.(string) -> bool", lambda outer, text: _within(outer, _ip(text)), walk),
    ],
    "containsCIDR": [
        overload("cidr.(cidr) -> bool", _within),
        overload("cidr.(string) -> bool", lambda outer, text: _within(outer, _cidr(text)), walk),
    ],
    "masked": [overload("cidr.() -> cidr", lambda found: Cidr(found.network.network_address, found.network))],
    "prefixLength": [overload("cidr.() -> int", lambda found: found.network.prefixlen)],
    "string": [
        overload("(ip) -> string", str, size=lambda _: 45),
        overload("(cidr) -> string", str, size=lambda _: 49),
    ],
}

_QUANTITIES: library.Table = {
    "quantity": [overload("(string) -> quantity", _quantity)],
    "isQuantity": [overload("(string) -> bool", _parses(_quantity))],
    "isInteger": [
        overload(
            "quantity.() -> bool",
            lambda found: found.amount == found.amount.to_integral_value() and abs(found.amount) < 2**63,
        )
    ],
    "asInteger": [overload("quantity.() -> int", _whole)],
    "asApproximateFloat": [overload("quantity.() -> double", lambda found: float(found.amount))],
    "sign": [overload("quantity.() -> int", lambda found: (found.amount > 0) - (found.amount < 0))],
    "add": [
        overload(f"quantity.({each}) -> quantity", lambda a, b: Quantity(a.amount + _number(b)))
        for each in ("quantity", "int")
    ],
    "sub": [
        overload(f"quantity.({each}) -> quantity", lambda a, b: Quantity(a.amount - _number(b)))
        for each in ("quantity", "int")
    ],
}

_VERSIONS: library.Table = {
    "semver": [overload(f"({given}) -> semver", _version) for given in ("string", "string, bool")],
    "isSemver": [overload(f"({given}) -> bool", _parses(_version)) for given in ("string", "string, bool")],
    **{
        name: [overload("semver.() -> int", lambda found, at=at: found.numbers[at])]
        for at, name in enumerate(("major", "minor", "patch"))
    },
}

_FORMATS: library.Table = {
    **{f"format.{name}": [overload("() -> format", lambda found=found: found)] for name, found in FORMATS.items()},
    "format.named": [overload("(string) -> optional(format)", _named)],
    "validate": [overload("format.(string) -> optional(list(string))", _problems, walk)],
}

TABLE = library.merged(
    _URLS,
    _NETWORKS,
    _QUANTITIES,
    _VERSIONS,
    _FORMATS,
    _comparisons("quantity", lambda found: found.amount),
    _comparisons("semver", Version.key),
)
