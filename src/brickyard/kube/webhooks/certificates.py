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
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

from brickyard.kube.webhooks import errors

CERTIFICATE, KEY, AUTHORITIES, AUTHORITY_KEY = "tls.crt", "tls.key", "ca.crt", "ca.key"
"""Keys of the Secret's data."""

BACKDATE = 300.0
"""Seconds before now at which a certificate begins, for readers whose clock is behind."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key, not encrypted: keep it where Secrets are kept."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Bundle:
    """Everything one Secret holds. ``older`` are authorities that signed before ``authority``, newest first."""

    serving: Pair
    authority: Pair
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
    return Bundle(serving, Pair(current[0], key), tuple(each for each in authorities if each is not current[0]))


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


def make_authority(subject: Subject, now: float, life: float) -> Pair:
    """A new authority, valid for ``life`` seconds from ``now``."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The moment in the name tells two authorities apart: a verifier looks an issuer up by name first.
    who = _name(f"{subject.authority}-{int(now)}", subject.organization)
    certificate = (
        _builder(who, who, key, (now, now + life))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate, key)


def make_serving(authority: Pair, subject: Subject, now: float, life: float) -> Pair:
    """A new serving certificate signed by ``authority``; it ends with its authority at the latest."""
    key = ec.generate_private_key(ec.SECP256R1())
    until = min(now + life, ends(authority.certificate))
    alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in subject.names])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    who = _name(subject.names[0][:64], subject.organization)
    certificate = (
        _builder(who, authority.certificate.subject, key, (now, until))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Pair(certificate, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, valid: tuple[float, float]
) -> x509.CertificateBuilder:
    since, until = (datetime.datetime.fromtimestamp(each, datetime.UTC) for each in valid)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since - datetime.timedelta(seconds=BACKDATE))
        .not_valid_after(until)
    )


def _name(common: str, organization: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(oid.NameOID.COMMON_NAME, common),
        ]
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
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


def _pair(certificate: bytes, key: bytes) -> Pair:
    try:
        read = x509.load_pem_x509_certificate(certificate)
    except ValueError as error:
        raise errors.CertificateError(f"{CERTIFICATE} is no certificate") from error
    pair = Pair(read, _key(key))
    if read.public_key() != pair.key.public_key():
        raise errors.CertificateError(f"{KEY} does not belong to {CERTIFICATE}")
    return pair
