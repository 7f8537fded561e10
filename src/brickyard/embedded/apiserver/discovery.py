"""Discovery: which groups, versions, kinds, verbs and subresources are served, in both shapes that clients ask for.

The old shape is a document per group and version; the aggregated one (``as=APIGroupDiscoveryList``) says everything of a root at
once and is what kubectl asks for first. ``/version`` belongs here too: clients read it before all else.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from brickyard.embedded.apiserver import contract, definitions, documents

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_SUBRESOURCE_VERBS: Mapping[str, Sequence[str]] = {
    "status": ("get", "patch", "update"),
    "scale": ("get", "patch", "update"),
    "log": ("get",),
    "binding": ("create",),
    "eviction": ("create",),
    "exec": ("create", "get"),
    "attach": ("create", "get"),
    "portforward": ("create", "get"),
}
_SUBRESOURCE_KINDS: Mapping[str, Mapping[str, str]] = {
    "scale": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
    "eviction": {"group": "policy", "version": "v1", "kind": "Eviction"},
    "binding": {"group": "", "version": "v1", "kind": "Binding"},
    "exec": {"group": "", "version": "v1", "kind": "PodExecOptions"},
    "attach": {"group": "", "version": "v1", "kind": "PodAttachOptions"},
    "portforward": {"group": "", "version": "v1", "kind": "PodPortForwardOptions"},
}
"""Of what kind the subresources are that are not of the resource's own."""
_AGGREGATED = re.compile(
    r"application/json\s*(?=[^,]*;\s*g=apidiscovery\.k8s\.io)(?=[^,]*;\s*v=(v2|v2beta1)\b)(?=[^,]*;\s*as=APIGroupDiscoveryList)"
)

Document = Mapping[str, Any]


def respond(path: str, accept: str, catalog: contract.Catalog) -> documents.Response | None:
    """The document at ``path`` (no query); None where discovery has none there. ``accept`` chooses the shape."""
    parts = path.strip("/").split("/")
    if parts == ["version"]:
        return documents.of_json(version())
    if parts in (["api"], ["apis"]):
        return _root(parts[0], accept, catalog)
    document: Document | None = None
    match parts:
        case ["api", api_version]:
            document = _resource_list("", api_version, catalog)
        case ["apis", group] if group:
            document = _group(group, catalog)
        case ["apis", group, api_version] if group:
            document = _resource_list(group, api_version, catalog)
    return None if document is None else documents.of_json(document)


def version() -> Document:
    """The body of ``/version``: the Kubernetes version whose API this is, with our own after the plus."""
    number = definitions.kubernetes_version()
    major, minor = number.removeprefix("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{number}+brickyard",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": f"{platform.python_implementation().lower()} {platform.python_version()}",
        "platform": f"{platform.system().lower()}/{_architecture()}",
    }


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _root(prefix: str, accept: str, catalog: contract.Catalog) -> documents.Response:
    wanted = _AGGREGATED.search(accept)
    if wanted:
        form = f"application/json;g=apidiscovery.k8s.io;v={wanted[1]};as=APIGroupDiscoveryList"
        return documents.of_json(_aggregated(prefix, wanted[1], catalog), form)
    if prefix == "api":
        return documents.of_json(
            {
                "kind": "APIVersions",
                "versions": _versions("", catalog),
                "serverAddressByClientCIDRs": [],
            }
        )
    groups = [_group(group, catalog) for group in _groups(catalog)]
    return documents.of_json({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})


def _unique(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _groups(catalog: contract.Catalog) -> list[str]:
    """Named groups in the order of the catalog, which is the order in which clients look a short name up."""
    return [group for group in _unique(each.type.group for each in catalog.served()) if group]


def _versions(group: str, catalog: contract.Catalog) -> list[str]:
    """Versions of ``group``, the preferred one first."""
    found = _unique(each.type.version for each in catalog.served() if each.type.group == group)
    return sorted(found, key=priority)


def _served(group: str, api_version: str, catalog: contract.Catalog) -> list[contract.Resource]:
    return [each for each in catalog.served() if (each.type.group, each.type.version) == (group, api_version)]


def priority(api_version: str) -> tuple[int, int, int, str]:
    """Sort key that puts versions in Kubernetes' order: v2, v1, v1beta2, v1beta1, v1alpha1, then others by name."""
    match = re.fullmatch(r"v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?", api_version)
    if match is None:
        return (3, 0, 0, api_version)
    stage = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return (stage, -int(match[1]), -int(match[3] or 0), "")


def _group(group: str, catalog: contract.Catalog) -> Document | None:
    found = [{"groupVersion": f"{group}/{each}", "version": each} for each in _versions(group, catalog)]
    if not found:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": found, "preferredVersion": found[0]}


def _resource_list(group: str, api_version: str, catalog: contract.Catalog) -> Document | None:
    served = _served(group, api_version, catalog)
    if not served:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": served[0].type.api_version,
        "resources": [entry for each in served for entry in _entries(each)],
    }


def _verbs(resource: contract.Resource) -> list[str]:
    if resource.review is not None:
        return ["create"]
    return ["get", "list"] if resource.measured else list(_VERBS)


def _entries(resource: contract.Resource) -> list[Document]:
    kind = resource.type
    own: dict[str, Any] = {
        "name": kind.plural,
        "singularName": resource.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        own["shortNames"] = list(resource.short_names)
    if resource.categories:
        own["categories"] = list(resource.categories)
    parts: list[Document] = [own]
    for subresource in sorted(resource.subresources):
        entry = {"name": f"{kind.plural}/{subresource}", "singularName": "", "namespaced": kind.namespaced}
        other = _SUBRESOURCE_KINDS.get(subresource, {"kind": kind.kind})
        # What is of the resource's own group and version does not repeat them.
        answer = other if other.get("group") else {"kind": other["kind"]}
        parts.append({**entry, **answer, "verbs": list(_SUBRESOURCE_VERBS[subresource])})
    return parts


def _aggregated(prefix: str, form: str, catalog: contract.Catalog) -> Document:
    groups = [""] if prefix == "api" else _groups(catalog)
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{form}",
        "metadata": {},
        "items": [_aggregated_group(group, catalog) for group in groups],
    }


def _aggregated_group(group: str, catalog: contract.Catalog) -> Document:
    return {
        "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
        "versions": [
            {
                "version": api_version,
                "resources": [_aggregated_resource(each) for each in _served(group, api_version, catalog)],
                "freshness": "Current",
            }
            for api_version in _versions(group, catalog)
        ],
    }


def _aggregated_resource(resource: contract.Resource) -> Document:
    kind = resource.type
    answers = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    entry: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": answers,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": each,
                "responseKind": _SUBRESOURCE_KINDS.get(each, answers),
                "verbs": list(_SUBRESOURCE_VERBS[each]),
            }
            for each in sorted(resource.subresources)
        ]
    return entry
