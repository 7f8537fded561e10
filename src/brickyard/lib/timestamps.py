"""Moments as Kubernetes writes them. Pure: what time it is comes from ``clock``."""

from __future__ import annotations

import datetime


def rfc3339(wall: float) -> str:
    """``wall`` (Unix seconds) as Kubernetes writes ``metav1.Time``: UTC, whole seconds, ``2026-01-02T03:04:05Z``."""
    return datetime.datetime.fromtimestamp(wall, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(wall: float) -> str:
    """``wall`` (Unix seconds) as Kubernetes writes ``metav1.MicroTime``: UTC with six decimals."""
    return datetime.datetime.fromtimestamp(wall, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> float:
    """Unix seconds of an RFC 3339 time.

    Raises:
        ValueError: ``text`` is not such a time.
    """
    return datetime.datetime.fromisoformat(text).timestamp()
