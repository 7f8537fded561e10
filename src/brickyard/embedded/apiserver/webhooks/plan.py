"""Who is asked about a write, and in which order. Pure.

A webhook is asked when every one of these holds; an absent part holds always:

    rule                one of its rules fits: operation, group, version, resource (``pods``, ``pods/status``, ``*``, ``*/*``), scope
    matchPolicy         Exact: the rule names the version of the request; Equivalent: any version of the kind, and that one is sent
    namespaceSelector   of a namespaced object: its namespace's labels; of a Namespace: its own; other cluster-wide objects always
    objectSelector      the labels of the object before or after the write
    matchConditions     every expression is true

Configurations come in order of their names, webhooks in the order they stand in. The kinds that configure admission are never
sent to it, so that a broken webhook can be taken away.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver.webhooks import contract
from brickyard.kube.objects import selectors

EXEMPT_GROUP: Final = "admissionregistration.k8s.io"
_VERSIONS: Final = ("v1", "v1beta1")
_DEFAULT_TIMEOUT: Final = 10.0

Labels = Mapping[str, str]
Phase = Literal["mutating", "validating"]


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """Which requests. ``*`` stands for all."""

    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]
    """(plural, subresource) pairs; the subresource "" is the object itself."""
    scope: str = "*"

    def fits(self, asked: contract.Asked, version: str) -> bool:
        """Whether a request in ``version`` of its kind is meant."""
        kind = asked.resource.type
        return (
            _holds(self.operations, asked.operation)
            and _holds(self.groups, kind.group)
            and _holds(self.versions, version)
            and any(plural in ("*", kind.plural) and part in ("*", asked.part) for plural, part in self.resources)
            and (self.scope == "*" or (self.scope == "Namespaced") == kind.namespaced)
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Hook:
    """One webhook of a configuration."""

    name: str
    client: Mapping[str, Any]
    """``clientConfig`` as it stands there."""
    rules: tuple[Rule, ...] = ()
    namespaces: selectors.LabelSelector = selectors.EVERYTHING
    objects: selectors.LabelSelector = selectors.EVERYTHING
    conditions: tuple[tuple[str, str], ...] = ()
    """(name, expression) pairs."""
    timeout: float = _DEFAULT_TIMEOUT
    ignores_failure: bool = False
    exact: bool = False
    asked_again: bool = False
    without_side_effects: bool = True
    review_version: str = "v1"


@dataclasses.dataclass(frozen=True, slots=True)
class Situation:
    """What the plan needs to know beside the request: the labels of its namespace, and the versions its kind is served in."""

    namespace_labels: Labels | None
    versions: Sequence[str]


def hooks_of(configuration: resources.Object) -> tuple[Hook, ...]:
    """The webhooks of a configuration that has passed its own admission."""
    return tuple(_hook(each) for each in configuration.get("webhooks") or ())


def _hook(spec: Mapping[str, Any]) -> Hook:
    offered = spec.get("admissionReviewVersions") or ()
    return Hook(
        name=spec["name"],
        client=spec.get("clientConfig") or {},
        rules=tuple(_rule(each) for each in spec.get("rules") or ()),
        namespaces=selectors.from_label_selector(spec.get("namespaceSelector") or {}),
        objects=selectors.from_label_selector(spec.get("objectSelector") or {}),
        conditions=tuple((each["name"], each["expression"]) for each in spec.get("matchConditions") or ()),
        timeout=float(spec.get("timeoutSeconds") or _DEFAULT_TIMEOUT),
        ignores_failure=spec.get("failurePolicy") == "Ignore",
        exact=spec.get("matchPolicy") == "Exact",
        asked_again=spec.get("reinvocationPolicy") == "IfNeeded",
        without_side_effects=spec.get("sideEffects") in ("None", "NoneOnDryRun"),
        review_version=next((each for each in offered if each in _VERSIONS), _VERSIONS[0]),
    )


def _rule(spec: Mapping[str, Any]) -> Rule:
    pairs = (each.partition("/") for each in spec.get("resources") or ())
    return Rule(
        operations=frozenset(spec.get("operations") or ()),
        groups=frozenset(spec.get("apiGroups") or ()),
        versions=frozenset(spec.get("apiVersions") or ()),
        resources=tuple((plural, part) for plural, _, part in pairs),
        scope=spec.get("scope") or "*",
    )


def version_for(hook: Hook, asked: contract.Asked, situation: Situation) -> str | None:
    """The version of the kind in which ``hook`` wants to be asked; None when it does not. ``matchConditions`` are not looked at."""
    kind = asked.resource.type
    if kind.group == EXEMPT_GROUP:
        return None
    others = () if hook.exact else [each for each in situation.versions if each != kind.version]
    version = next(
        (each for each in (kind.version, *others) if any(rule.fits(asked, each) for rule in hook.rules)), None
    )
    if version is None or not _namespace_fits(hook, asked, situation):
        return None
    return version if _object_fits(hook, asked) else None


def _namespace_fits(hook: Hook, asked: contract.Asked, situation: Situation) -> bool:
    if hook.namespaces.is_everything:
        return True
    if asked.resource.type == resources.NAMESPACE:
        return hook.namespaces.matches(_labels(asked.object if asked.object is not None else asked.old))
    if not asked.resource.type.namespaced:
        return True
    return hook.namespaces.matches(situation.namespace_labels or {})


def _object_fits(hook: Hook, asked: contract.Asked) -> bool:
    if hook.objects.is_everything:
        return True
    return any(hook.objects.matches(_labels(each)) for each in (asked.object, asked.old) if each is not None)


def _labels(obj: resources.Object | None) -> Labels:
    found: Labels = ((obj or {}).get("metadata") or {}).get("labels") or {}
    return found


def _holds(chosen: frozenset[str], value: str) -> bool:
    return "*" in chosen or value in chosen


class Rounds:
    """Which mutating webhooks are asked a second time: those that want to be when one after them changed the object."""

    def __init__(self) -> None:
        self._asked: list[Hook] = []
        self._again: list[Hook] = []

    def answered(self, hook: Hook, *, changed: bool) -> None:
        """``hook`` was asked in the first round."""
        if changed:
            self._again += [each for each in self._asked if each not in self._again]
        if hook.asked_again:
            self._asked.append(hook)

    def wanted_again(self, hook: Hook) -> bool:
        """Whether ``hook`` is asked in the second round. There is no third."""
        return hook in self._again
