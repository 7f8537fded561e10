"""Probes and lifecycle hooks: what a kubelet does to a container to learn something or to tell it something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import faults
from brickyard.embedded.apiserver.admission import ports

Handler = Mapping[str, Any]

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_SCHEMES = ("HTTP", "HTTPS")


def fill(container: dict[str, Any]) -> None:
    """Fill in the probes and hooks of one container."""
    for name in PROBES:
        probe = container.get(name)
        if probe is not None:
            probe.setdefault("timeoutSeconds", 1)
            probe.setdefault("periodSeconds", 10)
            probe.setdefault("successThreshold", 1)
            probe.setdefault("failureThreshold", 3)
            _fill_handler(probe)
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _fill_handler(hook)


def _fill_handler(holder: dict[str, Any]) -> None:
    if (get := holder.get("httpGet")) is not None:
        get["path"] = get.get("path") or "/"
        get.setdefault("scheme", "HTTP")
    if (grpc := holder.get("grpc")) is not None:
        grpc.setdefault("service", "")


def judge(path: str, container: Mapping[str, Any]) -> faults.Errors:
    """Everything wrong with the probes and hooks of the container at ``path``."""
    for name in PROBES:
        probe = container.get(name)
        if probe is not None:
            yield from _probe(f"{path}.{name}", probe, once=name != "readinessProbe")
    for name in ("postStart", "preStop"):
        hook = (container.get("lifecycle") or {}).get(name)
        if hook is not None:
            yield from _handler(f"{path}.lifecycle.{name}", hook, _HOOK_HANDLERS)


def _probe(path: str, probe: Handler, *, once: bool) -> faults.Errors:
    yield from _handler(path, probe, _PROBE_HANDLERS)
    counts = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
    yield from faults.not_negative(path, probe, *counts)
    threshold = probe.get("successThreshold")
    if once and threshold is not None and threshold != 1:
        yield faults.invalid(f"{path}.successThreshold", threshold, "must be 1")
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        yield faults.invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")


def _handler(path: str, holder: Handler, allowed: Sequence[str]) -> faults.Errors:
    given = [name for name in allowed if holder.get(name) is not None]
    if not given:
        yield faults.required(path, "must specify a handler type")
    for name in given[1:]:
        yield faults.forbidden(f"{path}.{name}", "may not specify more than 1 handler type")
    if given:
        yield from _JUDGES[given[0]](f"{path}.{given[0]}", holder[given[0]])


def _exec(path: str, handler: Handler) -> faults.Errors:
    if not handler.get("command"):
        yield faults.required(f"{path}.command")


def _http(path: str, handler: Handler) -> faults.Errors:
    if not handler.get("path"):
        yield faults.required(f"{path}.path")
    yield from ports.number_or_name(f"{path}.port", handler.get("port"))
    if handler.get("scheme") not in _SCHEMES:
        yield faults.not_supported(f"{path}.scheme", handler.get("scheme") or "", _SCHEMES)
    for index, header in enumerate(handler.get("httpHeaders") or ()):
        if not header.get("name"):
            yield faults.required(f"{path}.httpHeaders[{index}].name")


def _tcp(path: str, handler: Handler) -> faults.Errors:
    yield from ports.number_or_name(f"{path}.port", handler.get("port"))


def _grpc(path: str, handler: Handler) -> faults.Errors:
    yield from ports.number(f"{path}.port", handler.get("port"))


def _sleep(path: str, handler: Handler) -> faults.Errors:
    seconds = handler.get("seconds") or 0
    if seconds < 0:
        yield faults.invalid(path, seconds, "must be greater than or equal to 0")


_JUDGES = {"exec": _exec, "httpGet": _http, "tcpSocket": _tcp, "grpc": _grpc, "sleep": _sleep}
