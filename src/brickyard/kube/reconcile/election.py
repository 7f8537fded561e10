"""Who leads, decided from what is read of a Lease. Pure: time is an argument.

Clocks of different machines are never compared. A candidate notes by its own clock when it last saw the lease *change*; a holder
that has not renewed for the lease's whole duration since then is believed dead. The holder itself stops earlier, at
``renew_deadline``, so that two never lead at once as long as their clocks run at about the same speed.
"""

from __future__ import annotations

import dataclasses

from brickyard.api.kinds import resources
from brickyard.kube.objects import paths


@dataclasses.dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. ``renew_deadline`` must leave the holder time to stop before ``lease_duration`` lets another begin.

    Attributes:
        lease_duration: how long others wait for a holder that is silent.
        renew_deadline: how long the holder goes on without having renewed.
        retry_period: between attempts to take or renew.
        request_deadline: for one attempt.
    """

    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    request_deadline: float = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.retry_period < self.renew_deadline < self.lease_duration:
            raise ValueError("election timing wants 0 < retry_period < renew_deadline < lease_duration")


class Candidate:
    """What one replica knows of the lease."""

    def __init__(self, identity: str, timing: Timing) -> None:
        self.identity = identity
        self._timing = timing
        self._seen: resources.Object | None = None
        self._since = 0.0

    def observe(self, lease: resources.Object | None, now: float) -> None:
        """Note what the API holds. ``now`` is this machine's monotonic clock."""
        spec = None if lease is None else (lease.get("spec") or {})
        if spec != self._seen:
            self._seen, self._since = spec, now

    @property
    def holder(self) -> str:
        """Who held the lease when it was last seen; "" for nobody."""
        return paths.get(self._seen, "holderIdentity", "") or ""

    def may_take(self, now: float) -> bool:
        """Whether the lease is ours, nobody's, or that of a holder believed dead."""
        if self.holder in ("", self.identity):
            return True
        duration = float(paths.get(self._seen, "leaseDurationSeconds", self._timing.lease_duration))
        return now - self._since >= duration

    def spec(self, now: str) -> resources.Object:
        """The lease's spec with this replica as its holder; ``now`` as MicroTime."""
        old = self._seen or {}
        ours = self.holder == self.identity
        transitions = int(old.get("leaseTransitions") or 0)
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, round(self._timing.lease_duration)),
            "acquireTime": old.get("acquireTime") or now if ours else now,
            "renewTime": now,
            "leaseTransitions": transitions if ours or not old else transitions + 1,
        }

    def released(self, now: str) -> resources.Object:
        """The lease's spec with nobody as its holder, so that the next one need not wait."""
        return {**(self._seen or {}), "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now}
