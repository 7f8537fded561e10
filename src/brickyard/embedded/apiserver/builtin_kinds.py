"""The built-in kinds, each with its names, rules and columns: one visible list."""

from __future__ import annotations

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.admission import cluster, crd, data, kind, metadata, pods, services, workloads
from brickyard.embedded.apiserver.columns import cluster as cluster_columns
from brickyard.embedded.apiserver.columns import network as network_columns
from brickyard.embedded.apiserver.columns import pods as pod_columns
from brickyard.embedded.apiserver.columns import workloads as workload_columns

_STATUS = frozenset({"status"})

NAMESPACE = contract.Resource(
    resources.NAMESPACE,
    "namespace",
    kind.KindAdmission(resources.NAMESPACE, name_rule=metadata.dns_label),
    short_names=("ns",),
    subresources=_STATUS,
    selectable_fields=("status.phase",),
    columns=cluster_columns.NAMESPACE,
)
NODE = contract.Resource(
    resources.NODE,
    "node",
    kind.KindAdmission(resources.NODE),
    short_names=("no",),
    subresources=_STATUS,
    columns=cluster_columns.NODE,
)
POD = contract.Resource(
    resources.POD,
    "pod",
    kind.KindAdmission(resources.POD, pods.fill, pods.judge),
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
    columns=pod_columns.COLUMNS,
)
SERVICE = contract.Resource(
    resources.SERVICE,
    "service",
    kind.KindAdmission(resources.SERVICE, services.fill, services.judge, metadata.dns1035_label),
    short_names=("svc",),
    categories=("all",),
    subresources=_STATUS,
    selectable_fields=("spec.clusterIP", "spec.type"),
    columns=network_columns.SERVICE,
)
CONFIG_MAP = contract.Resource(
    resources.CONFIG_MAP,
    "configmap",
    kind.KindAdmission(resources.CONFIG_MAP, judge=data.judge_config_map),
    short_names=("cm",),
    columns=cluster_columns.CONFIG_MAP,
)
SECRET = contract.Resource(
    resources.SECRET,
    "secret",
    kind.KindAdmission(resources.SECRET, data.fill_secret, data.judge_secret),
    selectable_fields=("type",),
    columns=cluster_columns.SECRET,
)
EVENT = contract.Resource(
    resources.EVENT,
    "event",
    kind.KindAdmission(resources.EVENT, judge=cluster.judge_event),
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
    columns=cluster_columns.EVENT,
)
SERVICE_ACCOUNT = contract.Resource(
    resources.SERVICE_ACCOUNT,
    "serviceaccount",
    kind.KindAdmission(resources.SERVICE_ACCOUNT),
    short_names=("sa",),
    columns=cluster_columns.SERVICE_ACCOUNT,
)
ENDPOINTS = contract.Resource(
    resources.ENDPOINTS,
    "endpoints",
    kind.KindAdmission(resources.ENDPOINTS),
    short_names=("ep",),
    columns=network_columns.ENDPOINTS,
)
PERSISTENT_VOLUME_CLAIM = contract.Resource(
    resources.PERSISTENT_VOLUME_CLAIM,
    "persistentvolumeclaim",
    kind.KindAdmission(resources.PERSISTENT_VOLUME_CLAIM, cluster.fill_claim, cluster.judge_claim),
    short_names=("pvc",),
    subresources=_STATUS,
    columns=cluster_columns.PERSISTENT_VOLUME_CLAIM,
)
DEPLOYMENT = contract.Resource(
    resources.DEPLOYMENT,
    "deployment",
    kind.KindAdmission(resources.DEPLOYMENT, workloads.fill_deployment, workloads.judge_deployment),
    short_names=("deploy",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    scale=contract.ScalePaths(selector=".spec.selector"),
    columns=workload_columns.DEPLOYMENT,
)
REPLICA_SET = contract.Resource(
    resources.REPLICA_SET,
    "replicaset",
    kind.KindAdmission(resources.REPLICA_SET, workloads.fill_replica_set, workloads.judge_replica_set),
    short_names=("rs",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    scale=contract.ScalePaths(selector=".spec.selector"),
    selectable_fields=("status.replicas",),
    columns=workload_columns.REPLICA_SET,
)
ENDPOINT_SLICE = contract.Resource(
    resources.ENDPOINT_SLICE,
    "endpointslice",
    kind.KindAdmission(resources.ENDPOINT_SLICE, cluster.fill_endpoint_slice, cluster.judge_endpoint_slice),
    columns=network_columns.ENDPOINT_SLICE,
)
LEASE = contract.Resource(
    resources.LEASE,
    "lease",
    kind.KindAdmission(resources.LEASE, judge=cluster.judge_lease),
    columns=cluster_columns.LEASE,
)
CUSTOM_RESOURCE_DEFINITION = contract.Resource(
    resources.CUSTOM_RESOURCE_DEFINITION,
    "customresourcedefinition",
    kind.KindAdmission(resources.CUSTOM_RESOURCE_DEFINITION, crd.fill, crd.judge),
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=_STATUS,
    columns=cluster_columns.CUSTOM_RESOURCE_DEFINITION,
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
