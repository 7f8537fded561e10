"""Containers and init containers: what is filled in, and everything that can be wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import faults
from brickyard.embedded.apiserver.admission import metadata, ports, probes, resource_lists, volumes

Container = Mapping[str, Any]

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("FallbackToLogsOnError", "File")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_FIELD_OF_MAP = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_ENV_NAME_TEXT = (
    "a valid environment variable name must consist only of printable ASCII characters other than '=' "
    "(e.g. 'MY_VAR', regex used for validation is '^[ -<>-~]+$')"
)
_ENV_NAME = re.compile(r"[ -<>-~]+")


def fill(container: dict[str, Any]) -> None:
    """Fill in one container of any sort."""
    container.setdefault("imagePullPolicy", pull_policy(container.get("image") or ""))
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("resources", {})
    for port in container.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
    for variable in container.get("env") or ():
        if (reference := (variable.get("valueFrom") or {}).get("fieldRef")) is not None:
            reference.setdefault("apiVersion", "v1")
    probes.fill(container)


def pull_policy(image: str) -> str:
    """What an image without a policy gets: a moving tag is always looked up. A port in the registry's name is no tag."""
    if "@" in image:
        return "IfNotPresent"
    tag = image.rpartition("/")[2].partition(":")[2] or "latest"
    return "Always" if tag == "latest" else "IfNotPresent"


def judge(path: str, found: Sequence[Container], mounts: Sequence[Any]) -> faults.Errors:
    """Everything wrong with the containers at ``path``; ``mounts`` are the names of the pod's volumes."""
    for index, container in enumerate(found):
        yield from _container(f"{path}[{index}]", container, mounts)


def judge_init(path: str, found: Sequence[Container]) -> faults.Errors:
    """What init containers may not have: only one that stays (``restartPolicy: Always``) can be probed and told."""
    for index, container in enumerate(found):
        if container.get("restartPolicy") == "Always":
            continue
        for name in ("lifecycle", *probes.PROBES):
            if container.get(name) is not None:
                text = "may not be set for init containers without restartPolicy=Always"
                yield faults.forbidden(f"{path}[{index}].{name}", text)


def _container(path: str, container: Container, mounts: Sequence[Any]) -> faults.Errors:
    name, image = container.get("name"), container.get("image")
    if not name:
        yield faults.required(f"{path}.name")
    elif problem := metadata.dns_label(name):
        yield faults.invalid(f"{path}.name", name, problem)
    if not image:
        yield faults.required(f"{path}.image")
    elif image != image.strip():
        yield faults.invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    yield from faults.one_of(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), _PULL_POLICIES)
    yield from faults.one_of(
        f"{path}.terminationMessagePolicy", container.get("terminationMessagePolicy"), _MESSAGE_POLICIES
    )
    if container.get("restartPolicy"):
        yield from faults.one_of(f"{path}.restartPolicy", container["restartPolicy"], _RESTART_POLICIES)
    yield from _ports(f"{path}.ports", container.get("ports") or ())
    yield from _environment(path, container)
    yield from resource_lists.judge(f"{path}.resources", container.get("resources") or {})
    yield from _mounts(f"{path}.volumeMounts", container.get("volumeMounts") or (), mounts)
    yield from probes.judge(path, container)


def _ports(path: str, found: Sequence[Container]) -> faults.Errors:
    for index, port in enumerate(found):
        inner = f"{path}[{index}]"
        yield from ports.number(f"{inner}.containerPort", port.get("containerPort"))
        if port.get("hostPort"):
            yield from ports.number(f"{inner}.hostPort", port["hostPort"])
        yield from faults.one_of(f"{inner}.protocol", port.get("protocol"), ports.PROTOCOLS)
        if port.get("name"):
            yield from ports.name(f"{inner}.name", port["name"])
    yield from faults.unique(path, [(f"[{index}].name", port.get("name")) for index, port in enumerate(found)])


def _mounts(path: str, found: Sequence[Container], names: Sequence[Any]) -> faults.Errors:
    for index, each in enumerate(found):
        yield from volumes.mount(f"{path}[{index}]", each, names)
    seen: set[Any] = set()
    for index, each in enumerate(found):
        if each.get("mountPath") in seen:
            yield faults.invalid(f"{path}[{index}].mountPath", each["mountPath"], "must be unique")
        seen.add(each.get("mountPath") or index)


def _environment(path: str, container: Container) -> faults.Errors:
    for index, variable in enumerate(container.get("env") or ()):
        yield from _variable(f"{path}.env[{index}]", variable)
    for index, source in enumerate(container.get("envFrom") or ()):
        inner = f"{path}.envFrom[{index}]"
        given = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        if len(given) != 1:
            text = (
                "may not have more than one field specified at a time"
                if given
                else "must specify one of: `configMapRef` or `secretRef`"
            )
            yield faults.invalid(inner, "", text)
        for name in given:
            if not source[name].get("name"):
                yield faults.required(f"{inner}.{name}.name")


def _variable(path: str, variable: Container) -> faults.Errors:
    name = variable.get("name")
    if not name:
        yield faults.required(f"{path}.name")
    elif not _ENV_NAME.fullmatch(name):
        yield faults.invalid(f"{path}.name", name, _ENV_NAME_TEXT)
    source = variable.get("valueFrom")
    if source is None:
        return
    given = [kind for kind in _SOURCES if source.get(kind) is not None]
    if variable.get("value"):
        yield faults.invalid(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")
    elif not given:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        yield faults.invalid(f"{path}.valueFrom", "", text)
    elif len(given) > 1:
        yield faults.invalid(f"{path}.valueFrom", "", "may not have more than one field specified at a time")
    for kind in given:
        yield from _reference(f"{path}.valueFrom.{kind}", kind, source[kind])


def _reference(path: str, kind: str, reference: Container) -> faults.Errors:
    if kind == "fieldRef":
        yield from _field(f"{path}.fieldPath", reference.get("fieldPath"))
    elif kind == "resourceFieldRef":
        if not reference.get("resource"):
            yield faults.required(f"{path}.resource")
    elif kind in ("configMapKeyRef", "secretKeyRef"):
        for name in ("name", "key"):
            if not reference.get(name):
                yield faults.required(f"{path}.{name}")


def _field(path: str, wanted: str | None) -> faults.Errors:
    if not wanted:
        yield faults.required(path)
        return
    match = _FIELD_OF_MAP.fullmatch(wanted)
    if match is not None:
        if problem := metadata.qualified_name(match[2].lower() if match[1] == "annotations" else match[2]):
            yield faults.invalid(path, match[2], problem)
    elif wanted not in _FIELDS:
        yield faults.not_supported(path, wanted, _FIELDS)
