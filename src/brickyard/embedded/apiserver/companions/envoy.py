"""Envoy Gateway and Envoy AI Gateway: how the gateway of a cluster is set up."""

from __future__ import annotations

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver.companions.declare import (
    AGE,
    Column,
    Companion,
    Schema,
    anything,
    conditions,
    listed,
    number,
    record,
    text,
)

_TARGET = record(
    "What it is about.",
    {
        "group": text("Group of the object."),
        "kind": text("Kind of the object."),
        "name": text("Name of the object."),
        "sectionName": text("One part of it."),
    },
    ["group", "kind", "name"],
)


def _policy(description: str, **more: Schema) -> Schema:
    """A policy's spec: what it is about, and what only the project reads."""
    targets = listed("What it is about.", _TARGET, maxItems=16)
    return record(description, {"targetRef": _TARGET, "targetRefs": targets, **more})


_PATCHES = listed(
    "Changes to what Envoy is configured with.",
    record(
        "One change.",
        {
            "type": text("Full name of the changed resource's type."),
            "name": text("Name of the changed resource."),
            "operation": anything("What is done: op, path or jsonPath, from, value."),
        },
        ["type", "name", "operation"],
    ),
)
_ANCESTORS = record("Who took it up.", {"ancestors": listed("What each gateway made of it.", anything("One view."))})


COMPANIONS = (
    Companion(
        resources.ENVOY_PROXY,
        "EnvoyProxy says how the proxies of a gateway run.",
        anything("How they run."),
        short_names=("eproxy",),
        categories=("envoy-gateway",),
    ),
    Companion(
        resources.ENVOY_PATCH_POLICY,
        "EnvoyPatchPolicy changes what Envoy is configured with.",
        _policy(
            "What is changed.",
            type=text("How changes are written.", enum=["JSONPatch"]),
            jsonPatches=_PATCHES,
            priority=number("Order among policies; the higher one comes later."),
        ),
        _ANCESTORS,
        short_names=("epp",),
        categories=("envoy-gateway",),
        columns=(Column("Status", '.status.conditions[?(@.type=="Programmed")].reason'), AGE),
    ),
    Companion(
        resources.ENVOY_EXTENSION_POLICY,
        "EnvoyExtensionPolicy lets programs outside Envoy see requests and answers.",
        _policy("Who sees what.", extProc=listed("Programs asked on the way.", anything("One of them."), maxItems=16)),
        _ANCESTORS,
        short_names=("eep",),
        categories=("envoy-gateway",),
    ),
    Companion(
        resources.CLIENT_TRAFFIC_POLICY,
        "ClientTrafficPolicy rules how clients are spoken with.",
        _policy("How clients are spoken with."),
        _ANCESTORS,
        short_names=("ctp",),
        categories=("envoy-gateway",),
    ),
    Companion(
        resources.BACKEND_TRAFFIC_POLICY,
        "BackendTrafficPolicy rules how backends are spoken with.",
        _policy("How backends are spoken with."),
        _ANCESTORS,
        short_names=("btp",),
        categories=("envoy-gateway",),
    ),
    Companion(
        resources.AI_GATEWAY_ROUTE,
        "AIGatewayRoute says which requests for a model go where.",
        record(
            "Which requests go where.",
            {
                "parentRefs": listed("What it is attached to.", anything("A gateway."), maxItems=16),
                "rules": listed("Which requests go where.", anything("One rule."), maxItems=128),
            },
        ),
        record("Who took it up.", {"conditions": conditions()}),
        versions=("v1alpha1",),
    ),
)
