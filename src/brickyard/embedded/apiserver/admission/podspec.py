"""The spec of a pod, alone or inside a template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from brickyard.api.kinds import faults
from brickyard.embedded.apiserver.admission import containers, metadata, volumes

Spec = Mapping[str, Any]

_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")
_TOLERATION_OPERATORS = ("Equal", "Exists")
_LARGEST = 2**31 - 1


def each_container(spec: Spec) -> Iterator[tuple[str, Any]]:
    """Every container with its path below the spec."""
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            yield f".{field}[{index}]", container


def fill(spec: dict[str, Any]) -> None:
    """Fill in a pod spec."""
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    # Two names of one field: the old one is still read by some.
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for volume in spec.get("volumes") or ():
        volumes.fill(volume)
    for _, container in each_container(spec):
        containers.fill(container)
        if spec.get("hostNetwork"):
            for port in container.get("ports") or ():
                port.setdefault("hostPort", port.get("containerPort"))


def fill_requests(spec: dict[str, Any]) -> None:
    """A limit without a request asks for as much as it allows. For pods alone: templates are kept as they were written."""
    for _, container in each_container(spec):
        limits = container["resources"].get("limits")
        if limits:
            requests = container["resources"].setdefault("requests", {})
            for name, quantity in limits.items():
                requests.setdefault(name, quantity)


def judge(path: str, spec: Spec) -> faults.Errors:
    """Everything wrong with the filled-in pod spec at ``path``."""
    mounts = [each.get("name") for each in spec.get("volumes") or ()]
    yield from volumes.judge(f"{path}.volumes", spec.get("volumes") or ())
    if not spec.get("containers"):
        yield faults.required(f"{path}.containers")
    for field in ("containers", "initContainers"):
        yield from containers.judge(f"{path}.{field}", spec.get(field) or (), mounts)
    yield from containers.judge_init(f"{path}.initContainers", spec.get("initContainers") or ())
    names = [(f"{below}.name", container.get("name")) for below, container in _containers_first(spec)]
    yield from faults.unique(path, names)
    yield from _host_ports(path, spec)
    yield from _scalars(path, spec)
    yield from metadata.label_map(f"{path}.nodeSelector", spec.get("nodeSelector"))
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        yield from _toleration(f"{path}.tolerations[{index}]", toleration)
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        if problem := metadata.qualified_name(gate.get("conditionType") or ""):
            yield faults.invalid(
                f"{path}.readinessGates[{index}].conditionType", gate.get("conditionType") or "", problem
            )


def _containers_first(spec: Spec) -> list[tuple[str, Any]]:
    """In the order in which Kubernetes looks for duplicates: an init container that repeats a container's name is the wrong one."""
    return sorted(each_container(spec), key=lambda each: each[0].startswith(".initContainers"))


def _scalars(path: str, spec: Spec) -> faults.Errors:
    yield from faults.one_of(f"{path}.restartPolicy", spec.get("restartPolicy"), _RESTART_POLICIES)
    yield from faults.one_of(f"{path}.dnsPolicy", spec.get("dnsPolicy"), _DNS_POLICIES)
    yield from faults.not_negative(path, spec, "terminationGracePeriodSeconds")
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _LARGEST:
        yield faults.invalid(f"{path}.activeDeadlineSeconds", deadline, f"must be between 1 and {_LARGEST}, inclusive")
    for field in ("hostname", "subdomain"):
        if spec.get(field) and (problem := metadata.dns_label(spec[field])):
            yield faults.invalid(f"{path}.{field}", spec[field], problem)
    for field in ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"):
        if spec.get(field) and (problem := metadata.dns_subdomain(spec[field])):
            yield faults.invalid(f"{path}.{field}", spec[field], problem)
    for index, reference in enumerate(spec.get("imagePullSecrets") or ()):
        if not reference.get("name"):
            yield faults.required(f"{path}.imagePullSecrets[{index}].name")


def _host_ports(path: str, spec: Spec) -> faults.Errors:
    """Two containers of a pod cannot have the same port of the node."""
    taken = []
    for below, container in each_container(spec):
        for index, port in enumerate(container.get("ports") or ()):
            if port.get("hostPort"):
                key = f"{port.get('protocol')}/{port.get('hostIP') or ''}/{port['hostPort']}"
                taken.append((f"{below}.ports[{index}].hostPort", key))
    yield from faults.unique(path, taken)


def _toleration(path: str, toleration: Spec) -> faults.Errors:
    operator, key = toleration.get("operator") or "Equal", toleration.get("key")
    if operator not in _TOLERATION_OPERATORS:
        yield faults.not_supported(f"{path}.operator", operator, _TOLERATION_OPERATORS)
    if not key and operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield faults.invalid(f"{path}.operator", operator, text)
    elif key and (problem := metadata.qualified_name(key)):
        yield faults.invalid(f"{path}.key", key, problem)
    if operator == "Exists" and toleration.get("value"):
        yield faults.invalid(f"{path}.operator", toleration["value"], "value must be empty when `operator` is 'Exists'")
    if toleration.get("effect") and toleration["effect"] not in _EFFECTS:
        yield faults.not_supported(f"{path}.effect", toleration["effect"], _EFFECTS)
    if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
        yield faults.invalid(
            f"{path}.effect",
            toleration.get("effect") or "",
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
        )
