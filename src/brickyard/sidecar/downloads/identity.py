"""Who asks: the machine's own credentials, or those that a container brings along. Pure.

A manifest gives its engine a token as it would on Kubernetes: as a variable. Whoever brings credentials or an address of a place is
asked for there with what they bring and nothing else, so that no manifest can send the machine's own token to a server of its choice.
What comes from an address that a manifest chose is known by that address too: nobody else is given it under the same name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

_PLACES: Final = (
    (
        ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT"),
        ("HF_TOKEN_PATH", "HF_HOME", "HF_REVISION", "HF_HUB_OFFLINE"),
    ),
    (
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SKIP_SIGNATURE"),
        ("AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"),
    ),
    (("TOS_ACCESS_KEY", "TOS_SECRET_KEY", "TOS_ENDPOINT"), ("TOS_SESSION_TOKEN", "TOS_REGION")),
    (("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SKIP_SIGNATURE"), ()),
)
"""For each place: the variables that say somebody else asks, and what else belongs to it."""

_ADDRESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "hf": ("HF_ENDPOINT",),
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "tos": ("TOS_ENDPOINT",),
}
"""The variables that say where the contents of a scheme are, first come first."""

_FILES: Final = {"HF_TOKEN_PATH": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
"""The machine's files are not asked either where somebody else asks."""


def merged(own: Mapping[str, str], brought: Mapping[str, str]) -> dict[str, str]:
    """``own``, but for every place that ``brought`` has credentials or an address of, what ``brought`` says of it."""
    full = dict(own)
    for signs, others in _PLACES:
        if any(brought.get(name) for name in signs):
            for name in (*signs, *others):
                full.pop(name, None)
                if given := brought.get(name, _FILES.get(name, "")):
                    full[name] = given
    return full


def address(scheme: str, environ: Mapping[str, str]) -> str:
    """Where the contents of ``scheme`` are by ``environ``; "" for their usual place."""
    return next(filter(None, (environ.get(name, "").rstrip("/") for name in _ADDRESSES.get(scheme, ()))), "")
