"""ModelAdapter: loads a LoRA adapter into pods of its base model, and its vocabulary."""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import core, forms, kind, resources, views

ARTIFACT_SCHEMES: Final = ("s3://", "gcs://", "tos://", "huggingface://", "hf://", "/")
"""How an artifactURL may begin; the last is a path on the node."""
DEFAULT_SCHEDULER: Final = "default"
API_KEY: Final = "api-key"
"""Key of additionalConfig whose value is sent to engine and runtime as a bearer token."""

# Phases.
PENDING: Final = "Pending"
SCHEDULED: Final = "Scheduled"
"""A pod was chosen; also a condition type, and the reason of that condition."""
BOUND: Final = "Bound"
"""Loading failed and will be tried again; also a condition type."""
RESOURCE_CREATED: Final = "ResourceCreated"
"""Service or EndpointSlice could not be written; also a condition type."""
RUNNING: Final = "Running"
FAILED: Final = "Failed"
"""No pod could load the adapter; also a condition type."""
SCALED: Final = "Scaled"
"""Taken out of pods that were too many; also a reason of condition Scheduled."""
UNKNOWN: Final = "Unknown"

# Condition types beside those above.
INITIALIZED: Final = "Initialized"
READY: Final = "Ready"

REASON_PENDING: Final = "ModelAdapterPending"
REASON_RESCHEDULING: Final = "Rescheduling"
REASON_RESCHEDULED: Final = "Rescheduled"
REASON_LOADING_ERROR: Final = "ModelAdapterLoadingError"
REASON_SERVICE_ERROR: Final = "ServiceCreateError"
REASON_ENDPOINT_SLICE_ERROR: Final = "EndpointSliceCreateError"
REASON_AVAILABLE: Final = "ModelAdapterAvailable"
REASON_UNAVAILABLE: Final = "ModelAdapterUnavailable"
REASON_MIGRATING: Final = "AdapterMigrating"
REASON_STABLE_INSTANCE: Final = "StableInstanceFound"
REASON_CONDITION_NOT_FOUND: Final = "ConditionNotFound"
REASON_VALIDATION_FAILED: Final = "ValidationFailed"
REASON_POD_NOT_READY: Final = "PodNotReady"


class ModelAdapterSpec(views.View):
    """Which adapter goes into which pods."""

    base_model = views.text("Name of the model that the adapter belongs to.").absent("")
    pod_selector = views.part(
        "The pods to load the adapter into: those with these matchLabels.", core.LabelSelector
    ).required()
    scheduler_name = views.text(
        "Accepted for old manifests and without effect: how a pod is chosen is a flag of the manager. Absent means default."
    ).default(DEFAULT_SCHEDULER)
    artifact_url = (
        views.text(
            "Where the weights are: s3://, gcs://, tos://, huggingface:// or hf:// with a path behind it, or a path on the node that "
            "begins with /."
        )
        .required()
        .named("artifactURL")
    )
    credentials_secret_ref = views.part(
        "Secret whose entries the download uses as credentials.", core.LocalObjectReference
    )
    replicas = views.integer(
        "1 loads the adapter into one pod; absent loads it into every ready pod that is selected.", enum=(1,)
    )
    additional_config = views.mapped(
        "Further settings for the engine; api-key is sent to it as a bearer token.", forms.text()
    )


class ModelAdapterStatus(views.View):
    """Where the adapter is loaded."""

    phase = views.text(
        "Pending, Scheduled, Bound, ResourceCreated, Running, Scaled or Failed: how far the adapter has come."
    ).absent("")
    candidates = views.integer("Ready pods that are selected.").absent(0)
    ready_replicas = views.integer("Pods that serve the adapter.").absent(0)
    desired_replicas = views.integer("Pods that should serve the adapter.").absent(0)
    conditions = views.parts("Initialized, Scheduled, Bound, ResourceCreated, Ready, Failed.", core.Condition)
    instances = views.listed("Names of the pods that serve the adapter.", forms.text())


class ModelAdapter(kind.Kind):
    """ModelAdapter loads a LoRA adapter into the pods of its base model."""

    type = resources.MODEL_ADAPTER
    columns = (
        kind.Column("Phase", ".status.phase"),
        kind.Column("Desired", ".status.desiredReplicas", "integer"),
        kind.Column("Ready", ".status.readyReplicas", "integer"),
        kind.Column("Candidates", ".status.candidates", "integer"),
        kind.Column("Model Path", ".spec.artifactURL"),
        kind.age(),
    )

    spec = views.part("Which adapter goes into which pods.", ModelAdapterSpec).absent({}).nullable()
    status = views.part("Where the adapter is loaded. Written by the controller.", ModelAdapterStatus).absent({})
