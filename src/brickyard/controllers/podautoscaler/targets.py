"""What an autoscaler scales, read from objects. Pure.

    target                                size                                   pods
    StormService, no role                 spec.replicas, absent: 1               all of the service
    StormService, role, mode replica      spec.replicas, absent: 1               the role's
    StormService, role                    the role's replicas in the template    the role's
    RayClusterFleet                       spec.replicas, absent: 1               its selector, heads only
    Deployment, StatefulSet, ReplicaSet   spec.replicas, absent: 1               its selector
    whatever else has a scale             the scale's spec.replicas              the scale's status.selector
    whatever else                         spec.replicas                          its selector

Of groups of pods that work as one (``podGroupSize`` above 1) only the first pod reports. Sizes are those that the spec asks for: a
status lags behind, and deciding on it would order twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from brickyard.api import names
from brickyard.api.kinds import resources, shapes
from brickyard.api.kinds.podautoscaler import types
from brickyard.controllers import errors
from brickyard.kube.objects import errors as object_errors
from brickyard.kube.objects import meta, selectors

REPLICA_MODE: Final = "replica"
"""Value of ``names.STORM_SERVICE_MODE``: a role's metrics scale the whole service."""
_HEAD: Final = selectors.parse_labels(f"{names.RAY_NODE_TYPE}=head")


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """Which object, and which part of it.

    Attributes:
        role: the StormService's role that is measured; "" for all.
        role_alone: whether that role's size is what changes, not the number of role sets.
    """

    group: str
    version: str
    kind: str
    namespace: str
    name: str
    role: str = ""
    role_alone: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def known(self) -> resources.ResourceType | None:
        """Its type, where that needs no asking."""
        return types.TARGETS.get((self.group, self.kind))

    @property
    def identity(self) -> str:
        """The object, the same for each way to write its version."""
        return identity(self.group, self.kind, self.namespace, self.name)

    def __str__(self) -> str:
        part = f", role {self.role}" if self.role else ""
        return f"{self.kind} {self.namespace}/{self.name}{part}"


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """A target as one pass sees it.

    Attributes:
        uid: of the object: a name can be used again.
        version: its resourceVersion.
        replicas: that its spec asks for.
        selector: finds its pods.
        place: index of the role in the template, where a role alone is scaled.
    """

    uid: str
    version: str
    replicas: int
    selector: selectors.LabelSelector
    place: int = -1


def identity(group: str, kind: str, namespace: str, name: str) -> str:
    """What two autoscalers of one object share."""
    return f"{namespace}/{group}/{kind}/{name}"


def reference(autoscaler: Mapping[str, Any]) -> Reference:
    """What ``autoscaler`` names; a foreign HorizontalPodAutoscaler is read the same way. Its spec may be anything."""
    target = shapes.at(autoscaler, "spec", "scaleTargetRef")
    group, _, version = (shapes.text(target, "apiVersion") or "").rpartition("/")
    role = shapes.text(autoscaler, "spec", "subTargetSelector", "roleName") or ""
    mode = meta.annotations(autoscaler).get(names.STORM_SERVICE_MODE)
    return Reference(
        group,
        version,
        shapes.text(target, "kind") or "",
        meta.namespace(autoscaler),
        shapes.text(target, "name") or "",
        role,
        bool(role) and mode != REPLICA_MODE,
    )


def check(autoscaler: Mapping[str, Any], wanted: Reference) -> None:
    """Refuse what can never be scaled.

    Raises:
        TargetError: the target is in another namespace, or has no roles.
    """
    elsewhere = shapes.text(autoscaler, "spec", "scaleTargetRef", "namespace")
    if elsewhere and elsewhere != wanted.namespace:
        text = (
            f"the target's namespace {elsewhere} is not the autoscaler's, {wanted.namespace}: make the autoscaler there"
        )
        raise errors.TargetError(text)
    if wanted.role and wanted.known != resources.STORM_SERVICE:
        raise errors.TargetError(f"subTargetSelector names a role, and a {wanted.kind} has none: leave it out")


def size(wanted: Reference, obj: resources.Object) -> Size:
    """The size of ``obj``, which ``wanted`` names.

    Raises:
        TargetError: it has none.
    """
    if wanted.known == resources.STORM_SERVICE:
        return _storm_size(wanted, obj)
    replicas = shapes.integer(obj, "spec", "replicas")
    if replicas is None and wanted.known is None:
        text = f"{wanted} has no spec.replicas and no scale: it cannot be scaled"
        raise errors.TargetError(text, types.EVENT_FAILED_GET_REPLICAS)
    found = _own_selector(wanted, obj)
    if wanted.known == resources.RAY_CLUSTER_FLEET:
        found = _both(found, _HEAD)
    return _sized(obj, 1 if replicas is None else replicas, found)


def scale_size(wanted: Reference, scale: resources.Object) -> Size:
    """The size that a ``Scale`` tells.

    Raises:
        TargetError: it does not say which pods there are.
    """
    text = shapes.text(scale, "status", "selector") or ""
    if not text:
        raise errors.TargetError(f"the scale of {wanted} has no selector: its pods cannot be found")
    return _sized(scale, shapes.integer(scale, "spec", "replicas") or 0, _parsed(wanted, text))


def _sized(obj: resources.Object, replicas: int, selector: selectors.LabelSelector, place: int = -1) -> Size:
    return Size(meta.uid(obj), meta.resource_version(obj), replicas, selector, place)


def _own_selector(wanted: Reference, obj: resources.Object) -> selectors.LabelSelector:
    told = (shapes.text(obj, "status", "selector") or "").strip()
    if told:
        return _parsed(wanted, told)
    written = shapes.at(obj, "spec", "selector")
    if not isinstance(written, Mapping):
        raise errors.TargetError(f"{wanted} has no selector: its pods cannot be found")
    try:
        return selectors.from_label_selector(written)
    except object_errors.SelectorError as error:
        raise errors.TargetError(f"the selector of {wanted} means nothing: {error}") from error


def _parsed(wanted: Reference, text: str) -> selectors.LabelSelector:
    try:
        return selectors.parse_labels(text)
    except object_errors.SelectorError as error:
        raise errors.TargetError(f"the selector of {wanted} means nothing: {error}") from error


def _both(one: selectors.LabelSelector, other: selectors.LabelSelector) -> selectors.LabelSelector:
    return selectors.LabelSelector(one.requirements + other.requirements, one.nothing or other.nothing)


# StormServices.


def _storm_size(wanted: Reference, obj: resources.Object) -> Size:
    roles = [each for each in shapes.sequence(obj, "spec", "template", "spec", "roles") if isinstance(each, Mapping)]
    named = [index for index, each in enumerate(roles) if each.get("name") == wanted.role]
    if wanted.role and not named:
        there = ", ".join(str(each.get("name")) for each in roles) or "none"
        text = f'role "{wanted.role}" not found in StormService {wanted.namespace}/{wanted.name}; its roles: {there}'
        raise errors.TargetError(text, types.EVENT_FAILED_GET_REPLICAS)
    selector = _storm_selector(wanted, [roles[index] for index in named] if wanted.role else roles)
    if wanted.role_alone:
        return _sized(obj, shapes.integer(roles[named[0]], "replicas") or 0, selector, named[0])
    replicas = shapes.integer(obj, "spec", "replicas")
    return _sized(obj, 1 if replicas is None else replicas, selector)


def _storm_selector(wanted: Reference, roles: Sequence[Mapping[str, Any]]) -> selectors.LabelSelector:
    return selectors.LabelSelector(tuple(_storm_requirements(wanted, roles)))


def _storm_requirements(wanted: Reference, roles: Sequence[Mapping[str, Any]]) -> Iterator[selectors.LabelRequirement]:
    yield selectors.LabelRequirement(names.STORM_SERVICE_NAME, selectors.Operator.EQUALS, (wanted.name,))
    if wanted.role:
        yield selectors.LabelRequirement(names.ROLE_NAME, selectors.Operator.EQUALS, (wanted.role,))
    largest = max((shapes.integer(each, "podGroupSize") or 1 for each in roles), default=1)
    if largest <= 1:
        return
    if wanted.role:
        yield selectors.LabelRequirement(names.POD_GROUP_INDEX, selectors.Operator.EQUALS, ("0",))
    else:
        # Pods of roles without groups have no number, and count too.
        others = tuple(str(index) for index in range(1, largest))
        yield selectors.LabelRequirement(names.POD_GROUP_INDEX, selectors.Operator.NOT_IN, others)
