"""ModelClaim: activates a model in a pool of warm pods, and its vocabulary."""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import core, forms, kind, resources, views

VLLM: Final = "vllm"
SGLANG: Final = "sglang"
ENGINES: Final = (VLLM, SGLANG)

# Phases of a claim and of its instances.
PENDING: Final = "Pending"
SCHEDULING: Final = "Scheduling"
LOADING: Final = "Loading"
ACTIVATING: Final = "Activating"
"""The engine is starting; also an event."""
ACTIVE: Final = "Active"
SLEEPING: Final = "Sleeping"
"""The engine gave its memory back and can be woken; also an event."""
FAILED: Final = "Failed"
UNKNOWN: Final = "Unknown"

# Condition types.
INITIALIZED: Final = "Initialized"
SCHEDULED: Final = "Scheduled"
LOADED: Final = "Loaded"
READY: Final = "Ready"

REASON_INITIALIZED: Final = "ModelClaimInitialized"
REASON_NO_MATCHING_PODS: Final = "NoMatchingPods"
REASON_ACTIVE: Final = "ModelClaimActive"
REASON_ENGINE_FAILED: Final = "EngineFailed"
REASON_ENGINE_SLEEPING: Final = "EngineSleeping"
REASON_ENGINE_STARTING: Final = "EngineStarting"
REASON_ACTIVATE_FAILED: Final = "ActivateFailed"
REASON_INVALID_ENGINE_CONFIG: Final = "InvalidEngineConfig"

# Reasons of events on the claim; NoMatchingPods, EngineFailed, ActivateFailed and InvalidEngineConfig as above.
EVENT_ACTIVATED: Final = "Activated"
EVENT_WOKEN: Final = "Woken"
EVENT_UNHEALTHY: Final = "Unhealthy"
# Reasons of events on the Deployment of the pool.
EVENT_INVALID_POOL_POLICY: Final = "InvalidPoolPolicy"
EVENT_POOL_POLICY_VALID: Final = "PoolPolicyValid"


class EngineConfig(views.View):
    """How the engine is started."""

    args = views.mapped(
        'Flags of the engine and their values, such as --max-model-len: "8192"; an empty value is a flag without one. For vllm, '
        "--gpu-memory-utilization is not taken: the pool shares the GPU's memory out.",
        forms.text(),
    )


class ModelClaimSpec(views.View):
    """Which model, in which pods."""

    model_name = views.text("Name under which the model is served; absent means the name of the claim.").absent("")
    pod_selector = views.part("The warm pods that may run the model.", core.LabelSelector).required()
    artifact_url = views.text("Where the weights are, such as huggingface://org/model.").required().named("artifactURL")
    engine = views.text("Engine that runs the model; absent means vllm.", enum=ENGINES).default(VLLM)
    replicas = views.integer(
        "Pods that run the model: only 1 is possible; absent means 1.", minimum=1, maximum=1
    ).default(1)
    engine_config = views.part("How the engine is started; absent means its own defaults.", EngineConfig).absent({})


class ModelClaimInstance(views.View):
    """The model in one pod."""

    pod = views.text("Name of the pod.").required()
    port = views.integer("Port of the engine; 0 while it cannot be reached.").absent(0)
    phase = views.text("Activating, Active, Sleeping or Failed.").absent("")


class ModelClaimStatus(views.View):
    """Where the model runs."""

    phase = views.text("Pending, Activating, Active, Sleeping or Failed: how far the model has come.").absent("")
    candidates = views.integer("Warm pods that could run the model.").absent(0)
    ready_replicas = views.integer("Pods in which the model answers.").absent(0)
    desired_replicas = views.integer("Pods in which the model should answer.").absent(0)
    instances = views.parts("The pods that run the model.", ModelClaimInstance)
    conditions = views.parts("Initialized, Scheduled, Ready.", core.Condition)


class ModelClaim(kind.Kind):
    """ModelClaim activates a model in a pool of warm pods."""

    type = resources.MODEL_CLAIM
    short_names = ("mc",)
    columns = (
        kind.Column("Phase", ".status.phase"),
        kind.Column("Desired", ".status.desiredReplicas", "integer"),
        kind.Column("Ready", ".status.readyReplicas", "integer"),
        kind.Column("Engine", ".spec.engine"),
        kind.Column("Artifact", ".spec.artifactURL"),
        kind.age(),
    )

    spec = views.part("Which model, in which pods.", ModelClaimSpec).absent({}).nullable()
    status = views.part("Where the model runs. Written by the controller.", ModelClaimStatus).absent({})
