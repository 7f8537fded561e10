"""When a probe is due and what its answers add up to.

Kubernetes' rules: the first probe ``initialDelaySeconds`` after the start, then one every ``periodSeconds``; an answer counts once
it came ``successThreshold`` or ``failureThreshold`` times in a row. Until the startup probe has passed, the others do not run.

    kind       passes at first   threshold of failures reached     threshold of successes reached
    Startup    no                container is ended                container counts as started
    Liveness   yes               container is ended                -
    Readiness  no                container is not ready            container is ready
"""

from __future__ import annotations

import dataclasses

from brickyard.embedded.kubelet.plan import spec


@dataclasses.dataclass(slots=True)
class Prober:
    """One probe of one run.

    Attributes:
        next_at: when the next probe is due.
        passed: what its answers add up to so far.
        exhausted: the failure threshold was reached, with nothing but failures since.
        asked_at: when the probe under way was sent; None while none is.
    """

    spec: spec.ProbeSpec
    next_at: float
    passed: bool
    exhausted: bool = False
    asked_at: float | None = None
    successes: int = 0
    failures: int = 0

    def ask(self, now: float) -> None:
        """A probe is on its way."""
        self.asked_at = now

    def answered(self, success: bool, now: float) -> None:
        """Count an answer and fix when the next one is due: a period after the last was sent, never in the past."""
        self.next_at = max(now, (now if self.asked_at is None else self.asked_at) + self.spec.period)
        self.asked_at = None
        if success:
            self.successes, self.failures, self.exhausted = self.successes + 1, 0, False
            self.passed = self.passed or self.successes >= self.spec.success_threshold
        else:
            self.successes, self.failures = 0, self.failures + 1
            if self.failures >= self.spec.failure_threshold:
                self.passed, self.exhausted = False, True

    @property
    def waiting(self) -> bool:
        """No probe is under way, so that one may be sent when its time comes."""
        return self.asked_at is None


def first(probe: spec.ProbeSpec, started_at: float) -> Prober:
    """The prober of a run that began at ``started_at``."""
    return Prober(probe, started_at + probe.initial_delay, passed=probe.kind is spec.ProbeKind.LIVENESS)
