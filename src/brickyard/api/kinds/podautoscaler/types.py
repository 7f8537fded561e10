"""PodAutoscaler: scales a workload by metrics of its pods, and its vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from brickyard.api.kinds import core, forms, kind, resources, views

# Strategies.
HPA: Final = "HPA"
"""A HorizontalPodAutoscaler of the cluster does the work."""
KPA: Final = "KPA"
"""Average over a long window, and over a short one in a rush."""
APA: Final = "APA"
"""Proportional to the metric, outside a band of tolerance."""
STRATEGIES: Final = (HPA, KPA, APA)

# Where a metric is read.
SOURCE_POD: Final = "pod"
SOURCE_RESOURCE: Final = "resource"
SOURCE_CUSTOM: Final = "custom"
SOURCE_EXTERNAL: Final = "external"
SOURCE_DOMAIN: Final = "domain"
"""Earlier word for ``external``."""
SOURCE_TYPES: Final = (SOURCE_POD, SOURCE_RESOURCE, SOURCE_CUSTOM, SOURCE_EXTERNAL, SOURCE_DOMAIN)
PROTOCOLS: Final = ("http", "https")

TARGETS: Final[Mapping[tuple[str, str], resources.ResourceType]] = {
    (each.group, each.kind): each
    for each in (
        resources.DEPLOYMENT,
        resources.STATEFUL_SET,
        resources.REPLICA_SET,
        resources.RAY_CLUSTER_FLEET,
        resources.STORM_SERVICE,
    )
}
"""Group and kind → what is known to be scaled; others may be, by their ``scale``."""

DEFAULT_OBSERVE_WINDOW_SECONDS: Final = 180
DEFAULT_PANIC_WINDOW_SECONDS: Final = 60
MAX_WINDOW_SECONDS: Final = 3600
HISTORY_LIMIT: Final = 5

# Condition types, each with the reasons it may have.
VALID_SPEC: Final = "ValidSpec"
CONFLICT: Final = "MultiPodAutoscalerConflict"
"""Another PodAutoscaler scales the same target; also the reason. There only while it is so, with status False."""
SCALING_ACTIVE: Final = "ScalingActive"
ABLE_TO_SCALE: Final = "AbleToScale"
READY: Final = "Ready"

REASON_AS_EXPECTED: Final = "AsExpected"
REASON_MISSING_TARGET: Final = "MissingScaleTargetRef"
REASON_INVALID_BOUNDS: Final = "InvalidBounds"
REASON_INVALID_STRATEGY: Final = "InvalidScalingStrategy"
REASON_METRICS_CONFIG: Final = "MetricsConfigError"
REASON_INVALID_SPEC: Final = "InvalidSpec"
REASON_SCALING: Final = "ReconcilingScaleDiff"
REASON_STABLE: Final = "Stable"
REASON_CONFIGURED: Final = "Configured"
REASON_GOT_SCALE: Final = "SucceededGetScale"
REASON_FAILED_GET_SCALE: Final = "FailedGetScale"
REASON_FAILED_UPDATE_SCALE: Final = "FailedUpdateScale"

# Reasons of events on the PodAutoscaler.
EVENT_FAILED_GET_SCALE: Final = "FailedGetScale"
EVENT_FAILED_GET_REPLICAS: Final = "FailedGetReplicas"
EVENT_FAILED_COMPUTE_SCALE: Final = "FailedComputeScale"
EVENT_ALGORITHM_RUN: Final = "AlgorithmRun"
EVENT_FAILED_RESCALE: Final = "FailedRescale"
EVENT_RESCALED: Final = "SuccessfulRescale"
EVENT_FAILED_UPDATE_STATUS: Final = "FailedUpdateStatus"
EVENT_SOURCE: Final = "PodAutoscaler"

_TIME_OF_DAY: Final = "^([01][0-9]|2[0-3]):[0-5][0-9]$"


class SubTargetSelector(views.View):
    """A part of the target."""

    role_name = views.text("Name of the role to scale. Only a StormService has roles; not with strategy HPA.").absent(
        ""
    )


class Schedule(views.View):
    """Bounds that hold for some hours of the day."""

    name = views.text(
        "Name of the schedule, unique in the list.", min_length=1, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
    ).required()
    timezone = views.text(
        "IANA zone of the times, such as Europe/Berlin; absent means UTC. All schedules of a list share one zone."
    ).absent("")
    days_of_week = views.listed(
        "Days on which the schedule holds: Sun, Mon, Tue, Wed, Thu, Fri, Sat. Absent means every day.",
        forms.text(),
        min_items=1,
    )
    start_time = views.text("First minute, HH:MM.", pattern=_TIME_OF_DAY).required()
    end_time = views.text(
        "First minute after the end, HH:MM; later than startTime on the same day.", pattern=_TIME_OF_DAY
    ).required()
    min_replicas = views.integer(
        "Fewest replicas meanwhile; absent means spec.minReplicas. One of the two must be set."
    )
    max_replicas = views.integer("Most replicas meanwhile; absent means spec.maxReplicas. One of the two must be set.")


class MetricSource(views.View):
    """A metric and its target."""

    metric_source_type = views.text(
        "Where the metric is read. pod: the metrics page of each pod. resource: cpu or memory of the pods. custom and external: the "
        "metrics APIs of the cluster; external with endpoint: an HTTP service. domain is the earlier word for external.",
        enum=SOURCE_TYPES,
    ).required()
    protocol_type = views.text("http or https. Needed for pod, and for external with endpoint.", enum=PROTOCOLS).absent(
        ""
    )
    endpoint = views.text("Host, or host:port, of an external source; absent means the external metrics API.").absent(
        ""
    )
    path = views.text(
        "Path of the metrics page, such as /metrics. Needed for pod, and for external with endpoint."
    ).absent("")
    port = views.text("Port of the metrics page of each pod, as text. Only for pod.").absent("")
    target_metric = views.text("Name of the metric; for resource: cpu or memory.").required()
    target_value = views.text("Wanted value per pod, a number above 0 as text.").required()
    metric = views.text("Name of the metric in the first form of the API. Write targetMetric.").absent("").deprecated()


class PodAutoscalerSpec(views.View):
    """What to scale, by what, and how far."""

    scale_target_ref = views.part("The workload to scale: apiVersion, kind and name.", core.ObjectReference).required()
    sub_target_selector = views.part("The part of the workload to scale; absent means all of it.", SubTargetSelector)
    min_replicas = views.integer("Fewest replicas; absent means 1. 0 lets the workload go to sleep.").absent(1)
    max_replicas = views.integer("Most replicas; at least 1 and at least minReplicas.").required()
    schedules = views.parts(
        "Hours with other bounds, at least one entry. The first schedule in the list that holds now counts.",
        Schedule,
        min_items=1,
    )
    metrics_sources = views.parts(
        "The metrics to scale by, at least one. Each asks for a number of replicas; the largest counts.",
        MetricSource,
        min_items=1,
    )
    observe_window_seconds = views.integer(
        "Seconds over which metrics are averaged, 1 to 3600; absent means 180.",
        minimum=1,
        maximum=MAX_WINDOW_SECONDS,
        bits=64,
    ).absent(DEFAULT_OBSERVE_WINDOW_SECONDS)
    panic_window_seconds = views.integer(
        "Seconds over which strategy KPA averages to notice a rush, 1 to 3600; absent means 60. Not longer than observeWindowSeconds.",
        minimum=1,
        maximum=MAX_WINDOW_SECONDS,
        bits=64,
    ).absent(DEFAULT_PANIC_WINDOW_SECONDS)
    scaling_strategy = views.text(
        "HPA: a HorizontalPodAutoscaler of the cluster. KPA: average of a long window, and of a short one in a rush. APA: in "
        "proportion to the metric, outside a band of tolerance.",
        enum=STRATEGIES,
    ).required()
    target_metric = (
        views.text("The one metric in the first form of the API. Write metricsSources.").absent("").deprecated()
    )
    target_value = views.text("The target of targetMetric. Write metricsSources.").absent("").deprecated()


class ScalingRecord(views.View):
    """A change of scale, or the attempt of one."""

    timestamp = views.moment("When it was decided.").required()
    previous_scale = views.integer("Replicas before.").required()
    new_scale = views.integer("Replicas wanted.").required()
    reason = views.text("Why, in words.").required()
    success = views.boolean("Whether the workload took the new scale.").required()
    error = views.text("What went wrong; absent when nothing did.").absent("")


class ScheduledBounds(views.View):
    """The bounds that hold now."""

    active_schedule = views.text("Name of the schedule that holds; absent means none.").absent("")
    effective_min_replicas = views.integer("Fewest replicas now.").required()
    effective_max_replicas = views.integer("Most replicas now.").required()


class PodAutoscalerStatus(views.View):
    """What was last seen and decided."""

    last_scale_time = views.moment("When the scale was last changed.")
    desired_scale = views.integer("Replicas that the metrics ask for.").absent(0)
    actual_scale = views.integer("Replicas that the workload has.").absent(0)
    conditions = views.parts(
        "ValidSpec, AbleToScale, ScalingActive, Ready, MultiPodAutoscalerConflict.", core.Condition
    )
    scaling_history = views.parts(
        "The latest changes of scale, at most 5, the newest last.", ScalingRecord, max_items=HISTORY_LIMIT
    )
    scheduled_bounds = views.part("The bounds that hold now.", ScheduledBounds)


class PodAutoscaler(kind.Kind):
    """PodAutoscaler scales a workload by metrics of its pods."""

    type = resources.POD_AUTOSCALER
    short_names = ("pa",)
    columns = (
        kind.Column("MINPODS", ".spec.minReplicas", "integer"),
        kind.Column("MAXPODS", ".spec.maxReplicas", "integer"),
        kind.Column("REPLICAS", ".status.actualScale", "integer"),
        kind.Column("STRATEGY", ".spec.scalingStrategy"),
        kind.age("AGE"),
    )

    spec = views.part("What to scale, by what, and how far.", PodAutoscalerSpec).absent({}).nullable()
    status = views.part("What was last seen and decided. Written by the controller.", PodAutoscalerStatus).absent({})
