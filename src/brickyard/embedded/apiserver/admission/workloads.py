"""Deployments and ReplicaSets, and what they share with the other kinds that make pods of a template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import metadata, podspec
from brickyard.kube.objects import errors, selectors

_STRATEGIES = ("Recreate", "RollingUpdate")
_PERCENT = re.compile(r"\d+%")
_PERCENT_TEXT = (
    "a valid percent string must be a numeric string followed by an ending '%' "
    "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
)


def fill_deployment(draft: resources.Object) -> None:
    """Fill in a Deployment."""
    spec = draft.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    fill_template(spec)
    # Clients read ``status.readyReplicas`` before any controller has written: the struct is always there.
    draft.setdefault("status", {})


def fill_replica_set(draft: resources.Object) -> None:
    """Fill in a ReplicaSet."""
    spec = draft.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    fill_template(spec)
    draft.setdefault("status", {}).setdefault("replicas", 0)


def fill_template(spec: dict[str, Any]) -> None:
    """Fill in the pod template of a workload's ``spec``."""
    if "template" in spec:
        podspec.fill(spec["template"].setdefault("spec", {}))


def judge_deployment(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a Deployment."""
    spec: Mapping[str, Any] = obj.get("spec") or {}
    yield from _judge_common(spec, old)
    yield from _strategy("spec.strategy", spec.get("strategy") or {})
    yield from faults.not_negative("spec", spec, "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    if deadline is not None and deadline <= ready:
        yield faults.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def judge_replica_set(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a ReplicaSet."""
    yield from _judge_common(obj.get("spec") or {}, old)


def _judge_common(spec: Mapping[str, Any], old: resources.Object | None) -> faults.Errors:
    yield from faults.not_negative("spec", spec, "replicas", "minReadySeconds")
    yield from judge_pods(spec, "deployment", "ReplicaSet")
    if old is not None:
        yield from metadata.immutable("spec.selector", spec.get("selector"), (old.get("spec") or {}).get("selector"))


def judge_pods(spec: Mapping[str, Any], word: str, kind: str) -> faults.Errors:
    """Selector and template of a kind whose pods run for ever. ``word`` and ``kind`` name the kind in two complaints."""
    selector, template = spec.get("selector"), spec.get("template")
    if selector is None:
        yield faults.required("spec.selector")
    else:
        yield from label_selector("spec.selector", selector)
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            yield faults.invalid("spec.selector", selector, f"empty selector is invalid for {word}")
    if template is None:
        yield faults.required("spec.template")
        return
    yield from judge_template(template)
    yield from _endless(template.get("spec") or {}, kind)
    yield from selected(selector, (template.get("metadata") or {}).get("labels") or {})


def judge_template(template: Mapping[str, Any], path: str = "spec.template") -> faults.Errors:
    """Metadata and spec of a pod template."""
    yield from metadata.template(f"{path}.metadata", template.get("metadata") or {})
    yield from podspec.judge(f"{path}.spec", template.get("spec") or {})


def _endless(spec: Mapping[str, Any], kind: str) -> faults.Errors:
    path = "spec.template.spec"
    if spec.get("restartPolicy") in ("Never", "OnFailure"):
        yield faults.not_supported(f"{path}.restartPolicy", spec["restartPolicy"], ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        yield faults.forbidden(f"{path}.activeDeadlineSeconds", f"activeDeadlineSeconds in {kind} is not Supported")


def selected(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> faults.Errors:
    """A template's labels must be such that the workload finds its own pods."""
    try:
        matches = selectors.from_label_selector(selector).matches(labels) if selector else True
    except errors.SelectorError:
        return
    if not matches:
        yield faults.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")


def label_selector(path: str, selector: Mapping[str, Any]) -> faults.Errors:
    """A label selector with its expressions."""
    yield from metadata.label_map(f"{path}.matchLabels", selector.get("matchLabels"))
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        inner = f"{path}.matchExpressions[{index}]"
        operator, values = expression.get("operator"), expression.get("values")
        if operator in ("In", "NotIn"):
            if not values:
                yield faults.required(f"{inner}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                yield faults.forbidden(
                    f"{inner}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                )
        else:
            yield faults.invalid(f"{inner}.operator", operator or "", "not a valid selector operator")
        if problem := metadata.qualified_name(expression.get("key") or ""):
            yield faults.invalid(f"{inner}.key", expression.get("key") or "", problem)
        for position, value in enumerate(values or ()):
            if problem := metadata.label_value(value):
                yield faults.invalid(f"{inner}.values[{position}]", value, problem)


def _strategy(path: str, strategy: Mapping[str, Any]) -> faults.Errors:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind not in _STRATEGIES:
        yield faults.not_supported(f"{path}.type", kind, _STRATEGIES)
    elif kind == "Recreate" and rolling is not None:
        yield faults.forbidden(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
    elif kind == "RollingUpdate":
        yield from _rolling(f"{path}.rollingUpdate", rolling or {})


def _rolling(path: str, rolling: Mapping[str, Any]) -> faults.Errors:
    given = {name: rolling.get(name, 0) for name in ("maxUnavailable", "maxSurge")}
    for name, value in given.items():
        yield from count_or_percent(f"{path}.{name}", value)
    unavailable = given["maxUnavailable"]
    yield from at_most_all(f"{path}.maxUnavailable", unavailable)
    if all(value in (0, "0%") for value in given.values()):
        yield faults.invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")


def count_or_percent(path: str, value: Any) -> faults.Errors:
    """A number of pods or a share of them; absent is fine."""
    if isinstance(value, str):
        if not _PERCENT.fullmatch(value):
            yield faults.invalid(path, value, _PERCENT_TEXT)
    elif value is not None and value < 0:
        yield faults.invalid(path, value, "must be greater than or equal to 0")


def at_most_all(path: str, value: Any) -> faults.Errors:
    """A share is no more than all."""
    if isinstance(value, str) and _PERCENT.fullmatch(value) and int(value[:-1]) > 100:
        yield faults.invalid(path, value, "must not be greater than 100%")
