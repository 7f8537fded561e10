"""The words of autoscaling.

**Demand, not averages.** Every metric is brought to one form: what the *whole* workload has to do, and what *one* replica should do
(the target). ``pod``, ``resource`` and ``custom`` metrics are measured at pods and added up; ``external`` ones speak of the whole
already. KPA divides the one by the other. APA and HPA compare the demand per replica with the target. A value that is neither a sum
over pods nor divisible among them (a latency, say) still works with APA and HPA where it is measured at pods: they use the mean. While
the number of pods changes within APA's window, mean and shared demand differ; then it moves only where both agree.

**Missing is not zero.** A pod that could not be measured does something unknown: at least nothing, at most (so we assume, as Kubernetes
does) its target. An observation is therefore an interval, ``low`` with 0 and ``high`` with the target for each pod that did not
answer, and it is kept as one through windows and algorithms. Up goes what even ``low`` asks for; down goes what even ``high``
allows; between the two nothing moves. A pod that is not ready has nothing to say: it counts 0 upwards (a start under way should not
order another) and not at all downwards. When nothing at all was measured there is no observation and no decision.

    pods of target 10        demand low  demand high
    12, 9, unmeasured        21          31
    12, 9, not ready         21          21

**Time is an argument.** Nothing here reads a clock. ``Memory`` holds what must be known of earlier passes: windows, panic, the
recommendations behind stabilisation. It is made empty by whoever starts looking at an autoscaler, belongs to that one autoscaler and
is changed by ``decide`` alone. An empty memory knows nothing of the time before it began; until it spans a stable window, nothing is
scaled down but to respect bounds: a controller that restarts in the middle of a rush must not undo it.

**A recommendation explains itself.** It carries every number that led to it. ``desired`` is None for "no decision", with the reason.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final

from brickyard.api.kinds.podautoscaler import schedules


class Strategy(enum.Enum):
    """Which formula. HPA is computed here for replays and comparison; in a cluster a HorizontalPodAutoscaler does it."""

    KPA = "KPA"
    APA = "APA"
    HPA = "HPA"


class Form(enum.Enum):
    """What a metric's value speaks of."""

    PODS = "pods"
    """Each pod has its own value."""
    WHOLE = "whole"
    """One value, of the whole workload: a queue's length, requests per second, an optimizer's wish."""


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """One metric to scale by.

    Attributes:
        key: unique among the metrics of one autoscaler and stable while its source does not change; windows are kept under it.
        name: as the user calls it.
        target: wanted value per replica, above 0.
        form: what values speak of.
        exact: the value is a number of replicas (times the target) that somebody worked out already, so no tolerance applies.
        presence: any value above 0 asks for one replica, and its target, so large that none exceeds it, is of no interest.
    """

    key: str
    name: str
    target: float
    form: Form = Form.PODS
    exact: bool = False
    presence: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """How to scale. Defaults are AIBrix's.

    Attributes:
        stable_window: seconds over which demand is averaged.
        panic_window: seconds over which KPA averages to notice a rush; not longer than ``stable_window``.
        up_rate: most replicas after one step, for each there is now; above 1.
        down_rate: likewise downwards: at least 1/down_rate of the replicas stay.
        up_tolerance: share above the target that moves nothing.
        down_tolerance: share below the target that moves nothing.
        panic_threshold: KPA panics when the panic window asks for at least so many times the current replicas.
        activation_scale: KPA's smallest answer to any demand above nothing.
        burst_capacity: demand that should fit on top at any time; only told, in ``excess_burst_capacity``.
        up_window: seconds of stabilisation upwards: the lowest recommendation of the window counts.
        down_window: seconds of stabilisation downwards: the highest counts.
        hours: those with other bounds.
        timezone: IANA name of the zone of ``hours``.
    """

    strategy: Strategy
    metrics: tuple[Metric, ...]
    bounds: schedules.Bounds
    stable_window: float = 180.0
    panic_window: float = 60.0
    up_rate: float = 2.0
    down_rate: float = 2.0
    up_tolerance: float = 0.1
    down_tolerance: float = 0.1
    panic_threshold: float = 2.0
    activation_scale: int = 1
    burst_capacity: float = 0.0
    up_window: float = 0.0
    down_window: float = 300.0
    hours: tuple[schedules.Window, ...] = ()
    timezone: str = schedules.UTC


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """A setting that cannot be used: its default holds, the others hold as written. ``where`` names the field or annotation."""

    where: str
    text: str


class Health(enum.Enum):
    """What a pod's silence or word is worth."""

    READY = "ready"
    UNREADY = "not ready"
    """Starting, or failing its probe: its value is not asked for."""
    MISSING = "not measured"
    """Ready, and its value is not known; ``PodReading.why`` says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class PodReading:
    """What one pod measures.

    Attributes:
        pod: its name.
        health: whether ``value`` counts.
        value: finite and not negative where ``health`` is READY, else 0.
        at: Unix time of the measurement.
        why: what went wrong, in words, where it is MISSING.
    """

    pod: str
    health: Health
    value: float = 0.0
    at: float = 0.0
    why: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """What one metric measured in one pass.

    Attributes:
        metric: ``Metric.key``.
        at: Unix time.
        pods: of every pod of the workload, for ``Form.PODS``.
        whole: the value, for ``Form.WHOLE``; None when it could not be read.
        why: why nothing could be read at all; "" otherwise.
        notes: how the value was taken where that is not as written, such as a share for percent.
    """

    metric: str
    at: float
    pods: tuple[PodReading, ...] = ()
    whole: float | None = None
    why: str = ""
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """What one pass knows.

    Attributes:
        replicas: what the target's spec asks for now.
        observations: one for each metric, in any order; a metric without one counts as unread.
    """

    replicas: int
    observations: tuple[Observation, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """An interval that a number certainly lies in."""

    low: float
    high: float


@dataclasses.dataclass(frozen=True, slots=True)
class MetricVerdict:
    """What one metric asks for, and each number on the way.

    Attributes:
        metric: which.
        replicas: what it asks for, no further than the rates allow; None when it cannot say, and ``reason`` says why.
        reason: in words, numbers included.
        demand: of the whole, now; None when nothing was read this time (windows may still hold earlier values).
        stable: demand averaged over the stable window, or the mean per replica for APA and HPA.
        panic: the same over the panic window; KPA only.
        covered: seconds from the oldest value within the stable window until now.
        ratio: ``stable`` over what the current replicas should do.
        measured: how many pods were read.
        unready: how many were not ready.
        missing: names of pods that were not read, each with why, at most 5.
        limited_by: "up rate" or "down rate" where that cut the answer, else "".
        asked: what it asked for before the rates; None as ``replicas`` is.
        lacking: how many pods are ready and were not read; ``missing`` names the first of them.
        notes: how values were taken where that is not as written, as the observation told.
    """

    metric: Metric
    replicas: int | None
    reason: str
    demand: Span | None = None
    stable: Span | None = None
    panic: Span | None = None
    covered: float = 0.0
    ratio: Span | None = None
    measured: int = 0
    unready: int = 0
    missing: tuple[str, ...] = ()
    limited_by: str = ""
    asked: int | None = None
    lacking: int = 0
    notes: tuple[str, ...] = ()


class Limit(enum.Enum):
    """What kept a recommendation from becoming what the metrics ask for."""

    UP_RATE = "up rate"
    DOWN_RATE = "down rate"
    STABILISED_UP = "stabilisation up"
    STABILISED_DOWN = "stabilisation down"
    PANIC = "panic"
    """No way down during panic."""
    YOUNG = "observed too short"
    """No way down until the memory spans a stable window."""
    UNKNOWN = "missing metrics"
    """Another metric cannot be read, and might ask for more."""
    MINIMUM = "minimum"
    MAXIMUM = "maximum"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One stage of the decision: what went in, what came out, why. In the order of the stages; those that change nothing are left out."""

    limit: Limit
    before: int
    after: int
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Recommendation:
    """How many replicas there should be, with everything that led there.

    Attributes:
        at: Unix time.
        current: replicas when it was made.
        desired: replicas that should be; None: no decision, leave the target alone.
        algorithm: ``kpa``, ``apa``, ``hpa`` or ``boundary-check``.
        reason: AIBrix's short words, such as ``kpa above target`` or ``stable``.
        asked: what the metrics ask for before any limit; None where they were not asked.
        metrics: each metric's part, in the order of the settings.
        steps: what came between ``asked`` and ``desired``.
        minimum: the lower bound that holds.
        maximum: the upper bound that holds.
        schedule: name of the schedule that holds; "" for none.
        panicking_since: Unix time at which KPA began to panic; None when it does not.
        excess_burst_capacity: demand that the current replicas could take on top of the panic window's and ``burst_capacity``; KPA.
        next_at: Unix time at which the answer changes by itself if the metrics stay as they are; None when it does not.
        next_why: what changes then.
    """

    at: float
    current: int
    desired: int | None
    algorithm: str
    reason: str
    asked: int | None = None
    metrics: tuple[MetricVerdict, ...] = ()
    steps: tuple[Step, ...] = ()
    minimum: int = 0
    maximum: int = 0
    schedule: str = ""
    panicking_since: float | None = None
    excess_burst_capacity: float | None = None
    next_at: float | None = None
    next_why: str = ""

    @property
    def moves(self) -> bool:
        """Whether the target is to be changed."""
        return self.desired is not None and self.desired != self.current


BOUNDARY_CHECK: Final = "boundary-check"
"""The algorithm's name when bounds alone decide."""
