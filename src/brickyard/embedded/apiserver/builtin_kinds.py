"""The built-in kinds, each with its names, rules and columns: one visible list."""

from __future__ import annotations

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.admission import kind, metadata
from brickyard.embedded.apiserver.columns import cluster, network, pods, workloads

_STATUS = frozenset({"status"})

NAMESPACE = contract.Resource(
    resources.NAMESPACE,
    "namespace",
    kind.KindAdmission(resources.NAMESPACE, name_rule=metadata.dns_label),
    short_names=("ns",),
    subresources=_STATUS,
    selectable_fields=("status.phase",),
    columns=cluster.NAMESPACE,
)
NODE = contract.Resource(
    resources.NODE,
    "node",
    kind.KindAdmission(resources.NODE),
    short_names=("no",),
    subresources=_STATUS,
    columns=cluster.NODE,
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
    columns=pods.COLUMNS,
)
SERVICE = contract.Resource(
    resources.SERVICE,
    "service",
    kind.KindAdmission(resources.SERVICE, name_rule=metadata.dns1035_label),
    short_names=("svc",),
    categories=("all",),
    subresources=_STATUS,
    selectable_fields=("spec.clusterIP", "spec.type"),
    columns=network.SERVICE,
)
CONFIG_MAP = contract.Resource(
    resources.CONFIG_MAP,
    "configmap",
    kind.KindAdmission(resources.CONFIG_MAP),
    short_names=("cm",),
    columns=cluster.CONFIG_MAP,
)
SECRET = contract.Resource(
    resources.SECRET,
    "secret",
    kind.KindAdmission(resources.SECRET),
    selectable_fields=("type",),
    columns=cluster.SECRET,
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
    columns=cluster.EVENT,
)
SERVICE_ACCOUNT = contract.Resource(
    resources.SERVICE_ACCOUNT,
    "serviceaccount",
    kind.KindAdmission(resources.SERVICE_ACCOUNT),
    short_names=("sa",),
    columns=cluster.SERVICE_ACCOUNT,
)
ENDPOINTS = contract.Resource(
    resources.ENDPOINTS,
    "endpoints",
    kind.KindAdmission(resources.ENDPOINTS),
    short_names=("ep",),
    columns=network.ENDPOINTS,
)
PERSISTENT_VOLUME_CLAIM = contract.Resource(
    resources.PERSISTENT_VOLUME_CLAIM,
    "persistentvolumeclaim",
    kind.KindAdmission(resources.PERSISTENT_VOLUME_CLAIM),
    short_names=("pvc",),
    subresources=_STATUS,
    columns=cluster.PERSISTENT_VOLUME_CLAIM,
)
DEPLOYMENT = contract.Resource(
    resources.DEPLOYMENT,
    "deployment",
    kind.KindAdmission(resources.DEPLOYMENT),
    short_names=("deploy",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    scale=contract.ScalePaths(selector=".spec.selector"),
    columns=workloads.DEPLOYMENT,
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
    columns=workloads.REPLICA_SET,
)
ENDPOINT_SLICE = contract.Resource(
    resources.ENDPOINT_SLICE,
    "endpointslice",
    kind.KindAdmission(resources.ENDPOINT_SLICE),
    columns=network.ENDPOINT_SLICE,
)
LEASE = contract.Resource(
    resources.LEASE,
    "lease",
    kind.KindAdmission(resources.LEASE),
    columns=cluster.LEASE,
)
CUSTOM_RESOURCE_DEFINITION = contract.Resource(
    resources.CUSTOM_RESOURCE_DEFINITION,
    "customresourcedefinition",
    kind.KindAdmission(resources.CUSTOM_RESOURCE_DEFINITION),
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=_STATUS,
    columns=cluster.CUSTOM_RESOURCE_DEFINITION,
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
