"""Numbers and times as people read them. Pure."""

from __future__ import annotations

import datetime

from brickyard.scaling import contract, rounding


def amount(value: float) -> str:
    """At most four digits that matter, large ones in full: 0.3333, 12.5, 51200000."""
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def span(value: contract.Span) -> str:
    """One number where both ends read the same: 21, 21 to 31."""
    low, high = amount(value.low), amount(value.high)
    return low if low == high else f"{low} to {high}"


def percent(value: contract.Span) -> str:
    """A ratio in per cent: 150%, 60% to 110.5%."""
    low, high = share(value.low), share(value.high)
    return low if low == high else f"{low} to {high}"


def share(value: float) -> str:
    """One ratio in per cent, tenths below ten times: 7.5%, 90%, 110.4%, 1235%."""
    number = value * 100
    return f"{number:.0f}%" if abs(number) >= 1000 else f"{number:.1f}".removesuffix(".0") + "%"


def seconds(value: float) -> str:
    """45s, 3m, 4m30s, 2h, 2h5m: whole seconds below an hour, minutes above."""
    whole = round(value)
    if whole >= 3600:
        hours, minutes = whole // 3600, whole % 3600 // 60
        return f"{hours}h{minutes}m" if minutes else f"{hours}h"
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{rest}s"
    return f"{minutes}m{rest}s" if rest else f"{minutes}m"


def moment(at: float) -> str:
    """A Unix time, in UTC to the second."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def wanted(metric: contract.Metric, of: str = " for each replica") -> str:
    """What is wanted of a metric: target 10 for each replica; ``of`` says of what, where that has been said."""
    return "any number for one replica" if metric.presence else f"target {amount(metric.target)}{of}"


def replicas(count: int) -> str:
    """1 replica, 2 replicas."""
    return f"{count} replica" if count == 1 else f"{count} replicas"


def bounds(minimum: int, maximum: int) -> str:
    """1 to 10 replicas, exactly 3 replicas, 1 replica or more."""
    if maximum >= rounding.MOST:
        return f"{replicas(minimum)} or more"
    return f"exactly {replicas(minimum)}" if minimum == maximum else f"{minimum} to {replicas(maximum)}"


def pods(count: int) -> str:
    """1 pod, 2 pods."""
    return f"{count} pod" if count == 1 else f"{count} pods"
