"""What can go wrong around admission.

BrickyardError
└── WebhookError
    ├── MalformedReview         what was asked is no AdmissionReview v1                       HTTP 400
    ├── CertificateError        a Secret holds no usable keys; they are made anew
    └── PortInUse               another program listens where we should; a person must choose
"""
# ruff: noqa: N818 - states, as the API's own errors are

from __future__ import annotations

from brickyard.lib import errors


class WebhookError(errors.BrickyardError):
    """Root of this room's errors."""


class MalformedReview(WebhookError):
    """The request is no AdmissionReview that can be answered."""


class CertificateError(WebhookError):
    """Text that is no certificate or key, or a pair that does not belong together."""


class PortInUse(WebhookError):
    """The address cannot be listened on."""
