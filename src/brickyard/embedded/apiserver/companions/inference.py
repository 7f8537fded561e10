"""The Gateway API's inference extension: pools of model servers, and what is promised of them."""

from __future__ import annotations

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver.companions.declare import (
    AGE,
    Column,
    Companion,
    anything,
    labels,
    listed,
    number,
    record,
    text,
)

_PORT = record("A port.", {"number": number("Its number.", minimum=1, maximum=65535)}, ["number"])
_POOL_SPEC = record(
    "Which pods serve, and who picks one.",
    {
        "selector": record("Labels of the pods.", {"matchLabels": labels("Labels they have.")}, ["matchLabels"]),
        "targetPorts": listed("Ports of the pods.", _PORT, minItems=1, maxItems=8),
        "appProtocol": text("What the pods speak."),
        "endpointPickerRef": record(
            "Who picks a pod for a request.",
            {
                "group": text("Group of the object.", default="", maxLength=253),
                "kind": text("Kind of the object.", default="Service", minLength=1, maxLength=63),
                "name": text("Name of the object.", minLength=1, maxLength=253),
                "port": _PORT,
                "failureMode": text(
                    "What becomes of a request when it does not answer.",
                    default="FailClose",
                    enum=["FailOpen", "FailClose"],
                ),
            },
            ["name"],
        ),
    },
    ["selector", "targetPorts", "endpointPickerRef"],
)
_OBJECTIVE_SPEC = record(
    "How important requests are.",
    {
        "priority": number("The higher, the more important; absent means 0."),
        "poolRef": record(
            "Pool it is about.",
            {
                "group": text("Group of the pool.", default=resources.INFERENCE_POOL.group, maxLength=253),
                "kind": text("Kind of the pool.", default="InferencePool", minLength=1, maxLength=63),
                "name": text("Name of the pool.", minLength=1, maxLength=253),
            },
            ["name"],
        ),
    },
    ["poolRef"],
)

COMPANIONS = (
    Companion(
        resources.INFERENCE_POOL,
        "InferencePool is a set of pods that serve the same models.",
        _POOL_SPEC,
        record("Who took it up.", {"parents": listed("What each gateway made of it.", anything("One view."))}),
        short_names=("infpool",),
    ),
    Companion(
        resources.INFERENCE_OBJECTIVE,
        "InferenceObjective says how important requests to a pool are.",
        _OBJECTIVE_SPEC,
        columns=(
            Column("Inference Pool", ".spec.poolRef.name"),
            Column("Priority", ".spec.priority"),
            AGE,
        ),
    ),
)
