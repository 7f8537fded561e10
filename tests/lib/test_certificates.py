from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import oid

from brickyard.lib import certificates

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
YEAR = datetime.timedelta(days=365)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, text)])


@pytest.fixture(scope="module")
def authority() -> certificates.Pair:
    return certificates.make_authority(name("ca"), (START, START + YEAR))


def test_a_server_is_signed_and_answers_to_its_names(authority: certificates.Pair) -> None:
    made = certificates.make_serving(authority, name("server"), [x509.DNSName("a.b")], (START, START + YEAR / 2))
    made.certificate.verify_directly_issued_by(authority.certificate)
    found = made.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == ["a.b"]
    assert made.certificate.not_valid_after_utc == START + YEAR / 2
    assert not made.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_server_ends_with_its_authority(authority: certificates.Pair) -> None:
    made = certificates.make_serving(authority, name("server"), [x509.DNSName("a.b")], (START, START + 9 * YEAR))
    assert made.certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_what_is_written_can_be_read(authority: certificates.Pair) -> None:
    assert x509.load_pem_x509_certificate(authority.pem) == authority.certificate
    key = serialization.load_pem_private_key(authority.key_pem, password=None)
    assert key.public_key() == authority.certificate.public_key()
