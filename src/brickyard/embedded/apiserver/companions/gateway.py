"""The Gateway API: classes, gateways, routes and grants."""

from __future__ import annotations

from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver.companions.declare import (
    AGE,
    Column,
    Companion,
    Schema,
    anything,
    conditions,
    labels,
    listed,
    number,
    pending,
    record,
    text,
)

_GROUP = resources.GATEWAY.group
_GRPC_ROUTE = resources.ResourceType(_GROUP, "v1", "grpcroutes", "GRPCRoute")
_PORT: dict[str, Any] = {"minimum": 1, "maximum": 65535}
_ACCEPTED = Column("Accepted", '.status.conditions[?(@.type=="Accepted")].status')


def _reference(description: str, group: str, kind: str, **more: Schema) -> Schema:
    """A reference to an object, of ``kind`` unless it says otherwise."""
    own = {
        "group": text("Group of the object.", default=group, maxLength=253),
        "kind": text("Kind of the object.", default=kind, minLength=1, maxLength=63),
        "name": text("Name of the object.", minLength=1, maxLength=253),
        "namespace": text("Namespace of the object; absent means that of this one.", minLength=1, maxLength=63),
    }
    return record(description, {**own, **more}, ["name"])


_PARENT = _reference(
    "What the route is attached to.",
    _GROUP,
    "Gateway",
    sectionName=text("One listener of it.", minLength=1, maxLength=253),
    port=number("One port of it.", **_PORT),
)
_ROUTE_STATUS = record(
    "Who took the route up.",
    {
        "parents": listed(
            "What each parent made of it.",
            record(
                "One parent's view.",
                {
                    "parentRef": _PARENT,
                    "controllerName": text("Who speaks."),
                    "conditions": conditions(),
                },
                ["parentRef", "controllerName"],
            ),
            maxItems=32,
        )
    },
    ["parents"],
)
_FILTERS = listed(
    "What is done to requests and answers on the way.",
    record("One step.", {"type": text("What it does.")}, ["type"]),
    maxItems=16,
)
_BACKEND = _reference(
    "Where requests go.",
    "",
    "Service",
    port=number("Port of a Service.", **_PORT),
    weight=number("Share of the requests.", default=1, minimum=0, maximum=1_000_000),
    filters=_FILTERS,
)


def _matched(description: str) -> Schema:
    properties = {
        "type": text("How it is compared.", default="Exact", enum=["Exact", "RegularExpression"]),
        "name": text("Its name.", minLength=1, maxLength=256),
        "value": text("What it must be.", minLength=1, maxLength=4096),
    }
    item = record("One comparison.", properties, ["name", "value"])
    keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    return listed(description, item, maxItems=16, **keyed)


_EVERY_PATH = {"type": "PathPrefix", "value": "/"}
_MATCH = record(
    "Requests that fit all of it.",
    {
        "path": record(
            "What the path must be.",
            {
                "type": text(
                    "How it is compared.", default="PathPrefix", enum=["Exact", "PathPrefix", "RegularExpression"]
                ),
                "value": text("The path.", default="/", maxLength=1024),
            },
            default=_EVERY_PATH,
        ),
        "headers": _matched("What headers must be."),
        "queryParams": _matched("What parameters must be."),
        "method": text("What the method must be."),
    },
)
_DURATION = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
_RULE = record(
    "Where some requests go.",
    {
        "name": text("Name of the rule.", minLength=1, maxLength=253),
        "matches": listed(
            "Requests that it is for: those that fit one of these.",
            _MATCH,
            maxItems=64,
            default=[{"path": _EVERY_PATH}],
        ),
        "filters": _FILTERS,
        "backendRefs": listed("Where they go.", _BACKEND, maxItems=16),
        "timeouts": record(
            "How long a request may take.",
            {
                "request": text("In all.", pattern=_DURATION),
                "backendRequest": text("At one backend.", pattern=_DURATION),
            },
        ),
        "retry": anything("When a request is tried again."),
        "sessionPersistence": anything("Which requests stay with one backend."),
    },
)


def _route_spec(rule: Schema, rules: list[dict[str, Any]] | None) -> Schema:
    default = {} if rules is None else {"default": rules}
    properties = {
        "parentRefs": listed("What it is attached to.", _PARENT, maxItems=32),
        "hostnames": listed("Host names it is for.", text("A host name.", minLength=1, maxLength=253), maxItems=16),
        "rules": listed("Which requests go where.", rule, maxItems=16, **default),
    }
    return record("Which requests go where.", properties)


_HTTP_SPEC = _route_spec(_RULE, [{"matches": [{"path": _EVERY_PATH}]}])
_CERTIFICATES = listed("Secrets with a certificate and its key.", _reference("One of them.", "", "Secret"), maxItems=64)
_LISTENER = record(
    "One port with what is spoken there.",
    {
        "name": text("Name of the listener.", minLength=1, maxLength=253),
        "hostname": text("Host name it is for.", minLength=1, maxLength=253),
        "port": number("Port.", **_PORT),
        "protocol": text("What is spoken.", minLength=1, maxLength=255),
        "tls": record(
            "How TLS is done.",
            {
                "mode": text("Where TLS ends.", default="Terminate", enum=["Terminate", "Passthrough"]),
                "certificateRefs": _CERTIFICATES,
                "options": labels("Settings of the implementation."),
            },
        ),
        "allowedRoutes": record(
            "Routes that may be attached.",
            {
                "namespaces": record(
                    "Where they may lie.",
                    {
                        "from": text("Which namespaces.", default="Same", enum=["All", "Selector", "Same", "None"]),
                        "selector": anything("Labels of those namespaces."),
                    },
                    default={"from": "Same"},
                ),
                "kinds": listed("Their kinds.", anything("Group and kind."), maxItems=8),
            },
            default={"namespaces": {"from": "Same"}},
        ),
    },
    ["name", "port", "protocol"],
)
_GATEWAY_SPEC = record(
    "Where requests come in.",
    {
        "gatewayClassName": text("GatewayClass that carries it out.", minLength=1, maxLength=253),
        "listeners": listed(
            "Ports it listens on.",
            _LISTENER,
            minItems=1,
            maxItems=64,
            **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
        "addresses": listed("Addresses asked for.", anything("One of them."), maxItems=16),
        "infrastructure": anything("What is made for it."),
    },
    ["gatewayClassName", "listeners"],
)
_GATEWAY_STATUS = record(
    "What became of it.",
    {
        "addresses": listed("Addresses it has.", anything("One of them."), maxItems=16),
        "conditions": conditions() | {"default": pending("Accepted", "Programmed"), "maxItems": 8},
        "listeners": listed("What became of each listener.", anything("One of them."), maxItems=64),
        "attachedListenerSets": number("Listener sets attached."),
    },
    default={"conditions": pending("Accepted", "Programmed")},
)
_CLASS_SPEC = record(
    "Who carries gateways out.",
    {
        "controllerName": text("The controller, as a path under a domain.", minLength=1, maxLength=253),
        "description": text("For people.", maxLength=64),
        "parametersRef": record(
            "Its settings.",
            {
                "group": text("Group of the object.", maxLength=253),
                "kind": text("Kind of the object.", minLength=1, maxLength=63),
                "name": text("Name of the object.", minLength=1, maxLength=253),
                "namespace": text("Namespace of the object.", minLength=1, maxLength=63),
            },
            ["group", "kind", "name"],
        ),
    },
    ["controllerName"],
)
_CLASS_STATUS = record(
    "Whether the controller takes it up.",
    {
        "conditions": conditions() | {"default": pending("Accepted"), "maxItems": 8},
        "supportedFeatures": listed("What the controller can do.", anything("One of them.")),
    },
    default={"conditions": pending("Accepted")},
)


def _granted(description: str, *, named: bool) -> Schema:
    last = {"name": text("Name; absent means all.")} if named else {"namespace": text("Namespace.", minLength=1)}
    properties = {"group": text("Group.", maxLength=253), "kind": text("Kind.", minLength=1, maxLength=63), **last}
    item = record("One of them.", properties, ["group", "kind"] if named else ["group", "kind", "namespace"])
    return listed(description, item, minItems=1, maxItems=16)


_GRANT_SPEC = record(
    "Who may refer to what in this namespace.",
    {"from": _granted("Objects that may refer.", named=False), "to": _granted("What they may refer to.", named=True)},
    ["from", "to"],
)

COMPANIONS = (
    Companion(
        resources.GATEWAY_CLASS,
        "GatewayClass names who carries gateways out.",
        _CLASS_SPEC,
        _CLASS_STATUS,
        versions=("v1beta1",),
        short_names=("gc",),
        categories=("gateway-api",),
        columns=(
            Column("Controller", ".spec.controllerName"),
            _ACCEPTED,
            AGE,
            Column("Description", ".spec.description", priority=1),
        ),
    ),
    Companion(
        resources.GATEWAY,
        "Gateway is where requests come in.",
        _GATEWAY_SPEC,
        _GATEWAY_STATUS,
        versions=("v1beta1",),
        short_names=("gtw",),
        categories=("gateway-api",),
        columns=(
            Column("Class", ".spec.gatewayClassName"),
            Column("Address", ".status.addresses[*].value"),
            Column("Programmed", '.status.conditions[?(@.type=="Programmed")].status'),
            AGE,
        ),
    ),
    Companion(
        resources.HTTP_ROUTE,
        "HTTPRoute says which HTTP requests go where.",
        _HTTP_SPEC,
        _ROUTE_STATUS,
        versions=("v1beta1",),
        categories=("gateway-api",),
        columns=(Column("Hostnames", ".spec.hostnames"), AGE),
    ),
    Companion(
        _GRPC_ROUTE,
        "GRPCRoute says which gRPC requests go where.",
        _route_spec(anything("Where some requests go."), None),
        _ROUTE_STATUS,
        categories=("gateway-api",),
        columns=(Column("Hostnames", ".spec.hostnames"), AGE),
    ),
    Companion(
        resources.REFERENCE_GRANT,
        "ReferenceGrant lets objects of other namespaces refer to objects of this one.",
        _GRANT_SPEC,
        versions=("v1",),
        short_names=("refgrant",),
        categories=("gateway-api",),
        has_status=False,
    ),
)
