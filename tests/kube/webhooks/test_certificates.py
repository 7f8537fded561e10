from __future__ import annotations

import base64

import pytest

from brickyard.kube.webhooks import certificates, errors, plan, rotation

NOW = 1_800_000_000.0
SUBJECT = certificates.Subject(("hook.ns.svc", "hook.ns"))
LIVES = plan.Lives()


def made(now: float = NOW) -> certificates.Bundle:
    return rotation.carried_out(plan.plan(None, LIVES, now), None, SUBJECT, LIVES, now)


def test_what_is_stored_is_what_is_read() -> None:
    first = made()
    second = rotation.carried_out(plan.Plan(plan.Action.AUTHORITY, "", 0), first, SUBJECT, LIVES, NOW + 10)
    for bundle in (first, second):
        read = certificates.from_secret(certificates.to_secret(bundle))
        assert certificates.to_secret(read) == certificates.to_secret(bundle)
        assert read.trust == bundle.trust
    assert second.trust.count(b"BEGIN CERTIFICATE") == 2
    assert second.trust.startswith(second.authority.pem)


def test_certificates_are_for_the_names_and_time_asked_for() -> None:
    bundle = made()
    assert certificates.names(bundle.serving.certificate) == set(SUBJECT.names)
    assert certificates.ends(bundle.serving.certificate) == NOW + LIVES.serving
    assert certificates.begins(bundle.authority.certificate) == NOW - certificates.BACKDATE
    assert rotation.state(bundle, SUBJECT).names_fit
    assert not rotation.state(bundle, certificates.Subject(("else",))).names_fit


def test_a_serving_certificate_does_not_outlive_its_authority() -> None:
    authority = certificates.make_authority(SUBJECT, NOW, 100)
    leaf = certificates.make_serving(authority, SUBJECT, NOW, 10_000)
    assert certificates.ends(leaf.certificate) == NOW + 100


def test_a_long_name_still_makes_a_certificate() -> None:
    long = certificates.Subject((f"{'a' * 60}.{'b' * 60}.svc",))
    leaf = certificates.make_serving(certificates.make_authority(long, NOW, 100), long, NOW, 10)
    assert certificates.names(leaf.certificate) == set(long.names)


def test_what_is_damaged_is_refused() -> None:
    good, other = certificates.to_secret(made()), certificates.to_secret(made())
    broken = base64.b64encode(b"-----BEGIN NOTHING-----").decode()
    for name in good:
        for value in (broken, "§", "", other[name], 7):
            with pytest.raises(errors.CertificateError):
                certificates.from_secret({**good, name: value})
        with pytest.raises(errors.CertificateError, match="has no"):
            certificates.from_secret({key: value for key, value in good.items() if key != name})
