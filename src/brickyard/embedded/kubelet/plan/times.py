"""Times between Unix seconds and the text that Kubernetes writes. Pure, so that the state machine may use it."""

from __future__ import annotations

import datetime


def stamp(wall: float) -> str:
    """``metav1.Time`` of Unix seconds: UTC, whole seconds."""
    return datetime.datetime.fromtimestamp(wall, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text: str | None, default: float = 0.0) -> float:
    """Unix seconds of such a time; ``default`` when it is absent or no time."""
    try:
        return datetime.datetime.fromisoformat(text or "").timestamp()
    except ValueError:
        return default


def go_duration(span: float) -> str:
    """``10s``, ``1m20s``, ``5m0s``: as Go prints durations of whole seconds."""
    minutes, rest = divmod(int(span), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
