"""The built-in kinds, each with its names, rules and columns: one visible list."""

from __future__ import annotations

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.admission import kind, metadata

_STATUS = frozenset({"status"})

NAMESPACE = contract.Resource(
    resources.NAMESPACE,
    "namespace",
    kind.KindAdmission(resources.NAMESPACE, name_rule=metadata.dns_label),
    short_names=("ns",),
    subresources=_STATUS,
    selectable_fields=("status.phase",),
)
NODE = contract.Resource(
    resources.NODE,
    "node",
    kind.KindAdmission(resources.NODE),
    short_names=("no",),
    subresources=_STATUS,
)
POD = contract.Resource(
    resources.POD,
    "pod",
    kind.KindAdmission(resources.POD),
    short_names=("po",),
    categories=("all",),
    subresources=frozenset({"status", "log"}),
    selectable_fields=(
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
)
SERVICE = contract.Resource(
    resources.SERVICE,
    "service",
    kind.KindAdmission(resources.SERVICE, name_rule=metadata.dns1035_label),
    short_names=("svc",),
    categories=("all",),
    subresources=_STATUS,
    selectable_fields=("spec.clusterIP", "spec.type"),
)
CONFIG_MAP = contract.Resource(
    resources.CONFIG_MAP,
    "configmap",
    kind.KindAdmission(resources.CONFIG_MAP),
    short_names=("cm",),
)
SECRET = contract.Resource(
    resources.SECRET,
    "secret",
    kind.KindAdmission(resources.SECRET),
    selectable_fields=("type",),
)
EVENT = contract.Resource(
    resources.EVENT,
    "event",
    kind.KindAdmission(resources.EVENT),
    short_names=("ev",),
    selectable_fields=(
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "type",
    ),
)
SERVICE_ACCOUNT = contract.Resource(
    resources.SERVICE_ACCOUNT,
    "serviceaccount",
    kind.KindAdmission(resources.SERVICE_ACCOUNT),
    short_names=("sa",),
)
ENDPOINTS = contract.Resource(
    resources.ENDPOINTS,
    "endpoints",
    kind.KindAdmission(resources.ENDPOINTS),
    short_names=("ep",),
)
PERSISTENT_VOLUME_CLAIM = contract.Resource(
    resources.PERSISTENT_VOLUME_CLAIM,
    "persistentvolumeclaim",
    kind.KindAdmission(resources.PERSISTENT_VOLUME_CLAIM),
    short_names=("pvc",),
    subresources=_STATUS,
)
DEPLOYMENT = contract.Resource(
    resources.DEPLOYMENT,
    "deployment",
    kind.KindAdmission(resources.DEPLOYMENT),
    short_names=("deploy",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    scale=contract.ScalePaths(selector=".spec.selector"),
)
REPLICA_SET = contract.Resource(
    resources.REPLICA_SET,
    "replicaset",
    kind.KindAdmission(resources.REPLICA_SET),
    short_names=("rs",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    scale=contract.ScalePaths(selector=".spec.selector"),
    selectable_fields=("status.replicas",),
)
ENDPOINT_SLICE = contract.Resource(
    resources.ENDPOINT_SLICE,
    "endpointslice",
    kind.KindAdmission(resources.ENDPOINT_SLICE),
)
LEASE = contract.Resource(
    resources.LEASE,
    "lease",
    kind.KindAdmission(resources.LEASE),
)
CUSTOM_RESOURCE_DEFINITION = contract.Resource(
    resources.CUSTOM_RESOURCE_DEFINITION,
    "customresourcedefinition",
    kind.KindAdmission(resources.CUSTOM_RESOURCE_DEFINITION),
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=_STATUS,
)

ALL: tuple[contract.Resource, ...] = (
    CONFIG_MAP,
    ENDPOINTS,
    EVENT,
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    SECRET,
    SERVICE_ACCOUNT,
    SERVICE,
    DEPLOYMENT,
    REPLICA_SET,
    LEASE,
    ENDPOINT_SLICE,
    CUSTOM_RESOURCE_DEFINITION,
)
