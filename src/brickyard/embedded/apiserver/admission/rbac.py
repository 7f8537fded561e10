"""Roles and bindings. They are kept and judged, not enforced: whoever holds the token may do everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import metadata, workloads

GROUP = resources.ROLE.group
_ROLES = ("ClusterRole", "Role")
_SUBJECT_GROUPS: Mapping[str, str] = {"ServiceAccount": "", "User": GROUP, "Group": GROUP}


def judge_role(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a Role."""
    del old
    for index, rule in enumerate(obj.get("rules") or ()):
        yield from _rule(f"rules[{index}]", rule, namespaced=True)


def judge_cluster_role(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a ClusterRole."""
    del old
    for index, rule in enumerate(obj.get("rules") or ()):
        yield from _rule(f"rules[{index}]", rule, namespaced=False)
    aggregation = obj.get("aggregationRule")
    if aggregation is None:
        return
    path = "aggregationRule.clusterRoleSelectors"
    if not aggregation.get("clusterRoleSelectors"):
        yield faults.required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")
    for index, selector in enumerate(aggregation.get("clusterRoleSelectors") or ()):
        yield from workloads.label_selector(f"{path}[{index}]", selector)


def _rule(path: str, rule: Mapping[str, Any], *, namespaced: bool) -> faults.Errors:
    urls = rule.get("nonResourceURLs")
    if not rule.get("verbs"):
        yield faults.required(f"{path}.verbs", "verbs must contain at least one value")
    if urls:
        if namespaced:
            yield faults.invalid(f"{path}.nonResourceURLs", urls, "namespaced rules cannot apply to non-resource URLs")
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            yield faults.invalid(f"{path}.nonResourceURLs", urls, text)
        return
    if not rule.get("apiGroups"):
        yield faults.required(f"{path}.apiGroups", "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield faults.required(f"{path}.resources", "resource rules must supply at least one resource")


def fill_binding(draft: resources.Object) -> None:
    """Fill in a RoleBinding or ClusterRoleBinding: the groups of what it names."""
    role = draft.get("roleRef")
    if isinstance(role, dict):
        role["apiGroup"] = role.get("apiGroup") or GROUP
    for subject in draft.get("subjects") or ():
        group = subject.get("apiGroup") or _SUBJECT_GROUPS.get(subject.get("kind") or "", "")
        if group:
            subject["apiGroup"] = group


def judge_role_binding(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a RoleBinding."""
    yield from _binding(obj, old, _ROLES)


def judge_cluster_role_binding(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a ClusterRoleBinding."""
    yield from _binding(obj, old, ("ClusterRole",))


def _binding(obj: resources.Object, old: resources.Object | None, kinds: tuple[str, ...]) -> faults.Errors:
    role: Mapping[str, Any] = obj.get("roleRef") or {}
    if role.get("apiGroup") != GROUP:
        yield faults.not_supported("roleRef.apiGroup", role.get("apiGroup") or "", (GROUP,))
    if role.get("kind") not in kinds:
        yield faults.not_supported("roleRef.kind", role.get("kind") or "", kinds)
    yield from _name("roleRef.name", role.get("name") or "")
    for index, subject in enumerate(obj.get("subjects") or ()):
        yield from _subject(f"subjects[{index}]", subject)
    if old is not None:
        yield from metadata.immutable("roleRef", obj.get("roleRef"), old.get("roleRef"), "cannot change roleRef")


def _name(path: str, name: str) -> faults.Errors:
    if not name:
        yield faults.required(path)
    elif problem := metadata.path_segment(name):
        yield faults.invalid(path, name, problem)


def _subject(path: str, subject: Mapping[str, Any]) -> faults.Errors:
    kind, name = subject.get("kind") or "", subject.get("name") or ""
    if not name:
        yield faults.required(f"{path}.name")
    if kind not in _SUBJECT_GROUPS:
        yield faults.not_supported(f"{path}.kind", kind, ("Group", "ServiceAccount", "User"))
        return
    wanted = _SUBJECT_GROUPS[kind]
    if (subject.get("apiGroup") or "") != wanted:
        yield faults.not_supported(f"{path}.apiGroup", subject.get("apiGroup") or "", (wanted,))
    if kind == "ServiceAccount":
        if name and (problem := metadata.dns_subdomain(name)):
            yield faults.invalid(f"{path}.name", name, problem)
        if not subject.get("namespace"):
            yield faults.required(f"{path}.namespace")
