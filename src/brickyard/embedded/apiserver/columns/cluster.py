"""Columns of Nodes, Namespaces, Leases, Events, and of kinds that hold plain data."""

from __future__ import annotations

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.columns import cells
from brickyard.kube.objects import paths

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"


def _node_status(obj: resources.Object, now: float) -> str:
    del now
    ready = [each for each in paths.get(obj, "status.conditions", ()) if each.get("type") == "Ready"]
    words = ["Ready" if each.get("status") == "True" else "NotReady" for each in ready] or ["Unknown"]
    if paths.get(obj, "spec.unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(obj: resources.Object, now: float) -> str:
    del now
    labels = paths.get(obj, "metadata.labels", {})
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    if labels.get(_ROLE_LABEL):
        roles.add(labels[_ROLE_LABEL])
    return cells.joined(sorted(roles - {""}))


def _node_address(kind: str) -> contract.Cell:
    def cell(obj: resources.Object, now: float) -> str:
        del now
        found = (each.get("address") for each in paths.get(obj, "status.addresses", ()) if each.get("type") == kind)
        return next(found, None) or cells.NONE

    return cell


NODE = (
    cells.NAME,
    contract.Column("Status", _node_status, description="Whether the node takes pods."),
    contract.Column("Roles", _roles, description="Roles of the node, from its labels."),
    cells.AGE,
    contract.Column(
        "Version", cells.at("status.nodeInfo.kubeletVersion", ""), description="Version of the node agent."
    ),
    contract.Column("Internal-IP", _node_address("InternalIP"), priority=1, description="Address inside the cluster."),
    contract.Column("External-IP", _node_address("ExternalIP"), priority=1, description="Address outside the cluster."),
    contract.Column(
        "OS-Image", cells.at("status.nodeInfo.osImage", cells.UNKNOWN), priority=1, description="Operating system."
    ),
    contract.Column(
        "Kernel-Version", cells.at("status.nodeInfo.kernelVersion", cells.UNKNOWN), priority=1, description="Kernel."
    ),
    contract.Column(
        "Container-Runtime",
        cells.at("status.nodeInfo.containerRuntimeVersion", cells.UNKNOWN),
        priority=1,
        description="What runs containers.",
    ),
)
NAMESPACE = (
    cells.NAME,
    contract.Column("Status", cells.at("status.phase", ""), description="Active, or Terminating while it empties."),
    cells.AGE,
)
LEASE = (
    cells.NAME,
    contract.Column("Holder", cells.at("spec.holderIdentity", ""), description="Who holds the lease."),
    cells.AGE,
)


def _first_seen(obj: resources.Object, now: float) -> str:
    return cells.age_of(obj.get("firstTimestamp") or obj.get("eventTime"), now)


def _last_seen(obj: resources.Object, now: float) -> str:
    if obj.get("series"):
        return cells.age_of(paths.get(obj, "series.lastObservedTime"), now)
    return cells.age_of(obj["lastTimestamp"], now) if obj.get("lastTimestamp") else _first_seen(obj, now)


def _event_count(obj: resources.Object, now: float) -> int:
    del now
    found = paths.get(obj, "series.count") if obj.get("series") else obj.get("count") or 1
    return int(found or 0)


def _event_object(obj: resources.Object, now: float) -> str:
    del now
    kind, name = paths.get(obj, "involvedObject.kind", "").lower(), paths.get(obj, "involvedObject.name", "")
    return f"{kind}/{name}" if name else kind


def _event_source(obj: resources.Object, now: float) -> str:
    del now
    component = paths.get(obj, "source.component") or obj.get("reportingComponent") or ""
    host = paths.get(obj, "source.host") or obj.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


def _message(obj: resources.Object, now: float) -> str:
    del now
    return str(obj.get("message") or "").strip()


EVENT = (
    contract.Column("Last Seen", _last_seen, description="Time since it last happened."),
    contract.Column("Type", cells.at("type", ""), description="Normal or Warning."),
    contract.Column("Reason", cells.at("reason", ""), description="Why, in one word."),
    contract.Column("Object", _event_object, description="What it happened to."),
    contract.Column("Subobject", cells.at("involvedObject.fieldPath", ""), priority=1, description="Which part of it."),
    contract.Column("Source", _event_source, priority=1, description="Who reports it."),
    contract.Column("Message", _message, description="What happened, for people."),
    contract.Column("First Seen", _first_seen, priority=1, description="Time since it first happened."),
    contract.Column("Count", _event_count, "integer", priority=1, description="How often it happened."),
    contract.Column("Name", cells.at("metadata.name", ""), format="name", priority=1, description="Name of the event."),
)


def _entries(obj: resources.Object, now: float) -> int:
    del now
    return len(obj.get("data") or {}) + len(obj.get("binaryData") or {})


_DATA = contract.Column("Data", _entries, "integer", description="Number of entries.")
CONFIG_MAP = (cells.NAME, _DATA, cells.AGE)
SECRET = (
    cells.NAME,
    contract.Column("Type", cells.at("type", ""), description="What the entries are for."),
    _DATA,
    cells.AGE,
)
SERVICE_ACCOUNT = (cells.NAME, cells.AGE)
CUSTOM_RESOURCE_DEFINITION = cells.PLAIN
