"""A certificate authority of our own and the serving certificates it signs.

A ``Bundle`` is what one Secret holds: the serving pair, the authority that signs from now on with its key, and older authorities
that are still to be trusted. Making keys needs randomness, so ``plan`` decides what is made and this module makes it.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

from brickyard.kube.webhooks import errors
from brickyard.lib import certificates as making

CERTIFICATE, KEY, AUTHORITIES, AUTHORITY_KEY = "tls.crt", "tls.key", "ca.crt", "ca.key"
"""Keys of the Secret's data."""

BACKDATE = 300.0
"""Seconds before now at which a certificate begins, for readers whose clock is behind."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bundle:
    """Everything one Secret holds. ``older`` are authorities that signed before ``authority``, newest first."""

    serving: making.Pair
    authority: making.Pair
    older: Sequence[x509.Certificate] = ()

    @property
    def trust(self) -> bytes:
        """PEM of every authority a client must trust: what ``caBundle`` holds."""
        old = [each.public_bytes(serialization.Encoding.PEM) for each in self.older]
        return b"".join([self.authority.pem, *old])


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """Who the certificates are about. ``names`` are DNS names, the first also the common name."""

    names: Sequence[str]
    authority: str = "aibrix-ca"
    organization: str = "aibrix"


def from_secret(data: Mapping[str, Any]) -> Bundle:
    """The bundle in a Secret's ``data`` (base64 of PEM under four keys).

    Raises:
        CertificateError: something is missing, is not what it should be, or does not belong together.
    """
    serving = _pair(_entry(data, CERTIFICATE), _entry(data, KEY))
    authorities = _certificates(_entry(data, AUTHORITIES))
    key = _key(_entry(data, AUTHORITY_KEY))
    current = [each for each in authorities if each.public_key() == key.public_key()]
    if not current:
        raise errors.CertificateError(f"no certificate in {AUTHORITIES} belongs to {AUTHORITY_KEY}")
    if not any(signed(serving.certificate, each) for each in authorities):
        raise errors.CertificateError(f"no authority in {AUTHORITIES} signed {CERTIFICATE}")
    return Bundle(serving, making.Pair(current[0], key), tuple(each for each in authorities if each is not current[0]))


def to_secret(bundle: Bundle) -> dict[str, str]:
    """``data`` of the Secret that holds ``bundle``."""
    parts = {
        CERTIFICATE: bundle.serving.pem,
        KEY: bundle.serving.key_pem,
        AUTHORITIES: bundle.trust,
        AUTHORITY_KEY: bundle.authority.key_pem,
    }
    return {name: base64.b64encode(value).decode() for name, value in parts.items()}


def signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether ``authority`` signed ``certificate``."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, exceptions.InvalidSignature):
        return False
    return True


def names(certificate: x509.Certificate) -> frozenset[str]:
    """The DNS names a certificate is good for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return frozenset()
    return frozenset(found.get_values_for_type(x509.DNSName))


def begins(certificate: x509.Certificate) -> float:
    """Unix seconds from which it is valid."""
    return certificate.not_valid_before_utc.timestamp()


def ends(certificate: x509.Certificate) -> float:
    """Unix seconds until which it is valid."""
    return certificate.not_valid_after_utc.timestamp()


def make_authority(subject: Subject, now: float, life: float) -> making.Pair:
    """A new authority, valid for ``life`` seconds from ``now``."""
    return making.make_authority(_name(f"{subject.authority}-{int(now)}", subject.organization), _valid(now, life))


def make_serving(authority: making.Pair, subject: Subject, now: float, life: float) -> making.Pair:
    """A new serving certificate signed by ``authority``; it ends with its authority at the latest."""
    alternatives = [x509.DNSName(each) for each in subject.names]
    name = _name(subject.names[0][:64], subject.organization)
    return making.make_serving(authority, name, alternatives, _valid(now, life))


def _valid(now: float, life: float) -> making.Validity:
    since, until = (datetime.datetime.fromtimestamp(each, datetime.UTC) for each in (now - BACKDATE, now + life))
    return since, until


def _name(common: str, organization: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(oid.NameOID.COMMON_NAME, common),
        ]
    )


def _entry(data: Mapping[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(data[name], validate=True)
    except KeyError:
        raise errors.CertificateError(f"the Secret has no {name}") from None
    except (binascii.Error, TypeError, ValueError) as error:
        raise errors.CertificateError(f"{name} in the Secret is no base64") from error


def _certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        return list(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise errors.CertificateError(f"{AUTHORITIES} holds no certificates") from error


def _key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        found = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm) as error:
        raise errors.CertificateError("a private key cannot be read") from error
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise errors.CertificateError("a private key is of another kind than ours")
    return found


def _pair(certificate: bytes, key: bytes) -> making.Pair:
    try:
        read = x509.load_pem_x509_certificate(certificate)
    except ValueError as error:
        raise errors.CertificateError(f"{CERTIFICATE} is no certificate") from error
    pair = making.Pair(read, _key(key))
    if read.public_key() != pair.key.public_key():
        raise errors.CertificateError(f"{KEY} does not belong to {CERTIFICATE}")
    return pair
