"""The core group."""

from __future__ import annotations

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.admission import (
    cluster,
    data,
    kind,
    metadata,
    networking,
    pods,
    policy,
    services,
    storage,
)
from brickyard.embedded.apiserver.columns import cells
from brickyard.embedded.apiserver.columns import cluster as cluster_columns
from brickyard.embedded.apiserver.columns import network as network_columns
from brickyard.embedded.apiserver.columns import pods as pod_columns
from brickyard.embedded.apiserver.columns import policy as policy_columns
from brickyard.embedded.apiserver.columns import storage as storage_columns

_STATUS = frozenset({"status"})

NAMESPACE = contract.Resource(
    resources.NAMESPACE,
    "namespace",
    kind.KindAdmission(resources.NAMESPACE, cluster.fill_namespace, name_rule=metadata.dns_label),
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
    subresources=frozenset({"status", "log", "binding", "eviction", "exec", "attach", "portforward"}),
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
ENDPOINTS = contract.Resource(
    resources.ENDPOINTS,
    "endpoints",
    kind.KindAdmission(resources.ENDPOINTS, networking.fill_endpoints, networking.judge_endpoints),
    short_names=("ep",),
    columns=network_columns.ENDPOINTS,
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
PERSISTENT_VOLUME_CLAIM = contract.Resource(
    resources.PERSISTENT_VOLUME_CLAIM,
    "persistentvolumeclaim",
    kind.KindAdmission(resources.PERSISTENT_VOLUME_CLAIM, storage.fill_claim, storage.judge_claim),
    short_names=("pvc",),
    subresources=_STATUS,
    columns=storage_columns.PERSISTENT_VOLUME_CLAIM,
)
PERSISTENT_VOLUME = contract.Resource(
    resources.PERSISTENT_VOLUME,
    "persistentvolume",
    kind.KindAdmission(resources.PERSISTENT_VOLUME, storage.fill_volume, storage.judge_volume),
    short_names=("pv",),
    subresources=_STATUS,
    columns=storage_columns.PERSISTENT_VOLUME,
)
RESOURCE_QUOTA = contract.Resource(
    resources.RESOURCE_QUOTA,
    "resourcequota",
    kind.KindAdmission(resources.RESOURCE_QUOTA, policy.fill_quota, policy.judge_quota),
    short_names=("quota",),
    subresources=_STATUS,
    columns=policy_columns.RESOURCE_QUOTA,
    unattended="nothing on this machine enforces ResourceQuotas: the object is stored, and that is all",
)
LIMIT_RANGE = contract.Resource(
    resources.LIMIT_RANGE,
    "limitrange",
    kind.KindAdmission(resources.LIMIT_RANGE, policy.fill_limits, policy.judge_limits),
    short_names=("limits",),
    columns=cells.PLAIN,
    unattended="nothing on this machine applies LimitRanges to pods: the object is stored, and that is all",
)

ALL: tuple[contract.Resource, ...] = (
    CONFIG_MAP,
    ENDPOINTS,
    EVENT,
    LIMIT_RANGE,
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    PERSISTENT_VOLUME,
    POD,
    RESOURCE_QUOTA,
    SECRET,
    SERVICE_ACCOUNT,
    SERVICE,
)
