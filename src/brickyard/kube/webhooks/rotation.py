"""Carries a plan out: from one bundle to the next, with new keys where the plan asks for them."""

from __future__ import annotations

from cryptography import x509

from brickyard.kube.webhooks import certificates, plan


def state(bundle: certificates.Bundle, subject: certificates.Subject) -> plan.State:
    """What ``plan`` looks at."""
    serving, authority = bundle.serving.certificate, bundle.authority.certificate
    return plan.State(
        serving=_validity(serving),
        authority=_validity(authority),
        older=tuple(map(_validity, bundle.older)),
        names_fit=set(subject.names) <= certificates.names(serving),
        signed_by_current=certificates.signed(serving, authority),
    )


def carried_out(
    decided: plan.Plan,
    bundle: certificates.Bundle | None,
    subject: certificates.Subject,
    lives: plan.Lives,
    now: float,
) -> certificates.Bundle:
    """The bundle after ``decided``; ``bundle`` itself when it says to keep."""
    if bundle is None or decided.action is plan.Action.EVERYTHING:
        authority = certificates.make_authority(subject, now, lives.authority)
        return certificates.Bundle(certificates.make_serving(authority, subject, now, lives.serving), authority)
    older = tuple(bundle.older[index] for index in decided.keep_older)
    match decided.action:
        case plan.Action.AUTHORITY:
            authority = certificates.make_authority(subject, now, lives.authority)
            return certificates.Bundle(bundle.serving, authority, (bundle.authority.certificate, *older))
        case plan.Action.SERVING:
            serving = certificates.make_serving(bundle.authority, subject, now, lives.serving)
            return certificates.Bundle(serving, bundle.authority, older)
        case plan.Action.FORGET:
            return certificates.Bundle(bundle.serving, bundle.authority, older)
    return bundle


def _validity(certificate: x509.Certificate) -> plan.Validity:
    return plan.Validity(certificates.begins(certificate) + certificates.BACKDATE, certificates.ends(certificate))
