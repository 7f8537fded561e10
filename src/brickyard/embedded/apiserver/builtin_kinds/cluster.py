"""What a cluster's parts and owners keep beside workloads: networks, leases, access, storage, webhooks, definitions."""

from __future__ import annotations

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.admission import (
    cluster,
    crd,
    devices,
    kind,
    metadata,
    networking,
    policy,
    rbac,
    storage,
    webhooks,
)
from brickyard.embedded.apiserver.columns import cells
from brickyard.embedded.apiserver.columns import cluster as cluster_columns
from brickyard.embedded.apiserver.columns import network as network_columns
from brickyard.embedded.apiserver.columns import policy as policy_columns
from brickyard.embedded.apiserver.columns import storage as storage_columns

_STATUS = frozenset({"status"})

LEASE = contract.Resource(
    resources.LEASE,
    "lease",
    kind.KindAdmission(resources.LEASE, judge=cluster.judge_lease),
    columns=cluster_columns.LEASE,
)
ENDPOINT_SLICE = contract.Resource(
    resources.ENDPOINT_SLICE,
    "endpointslice",
    kind.KindAdmission(resources.ENDPOINT_SLICE, cluster.fill_endpoint_slice, cluster.judge_endpoint_slice),
    columns=network_columns.ENDPOINT_SLICE,
)
INGRESS = contract.Resource(
    resources.INGRESS,
    "ingress",
    kind.KindAdmission(resources.INGRESS, networking.fill_ingress, networking.judge_ingress),
    short_names=("ing",),
    subresources=_STATUS,
    columns=policy_columns.INGRESS,
    unattended="nothing on this machine carries out Ingresses: the object is stored, and that is all",
)
NETWORK_POLICY = contract.Resource(
    resources.NETWORK_POLICY,
    "networkpolicy",
    kind.KindAdmission(resources.NETWORK_POLICY, networking.fill_policy, networking.judge_policy),
    short_names=("netpol",),
    columns=policy_columns.NETWORK_POLICY,
    unattended="nothing on this machine enforces NetworkPolicies: the object is stored, and that is all",
)
POD_DISRUPTION_BUDGET = contract.Resource(
    resources.POD_DISRUPTION_BUDGET,
    "poddisruptionbudget",
    kind.KindAdmission(resources.POD_DISRUPTION_BUDGET, policy.fill_budget, policy.judge_budget),
    short_names=("pdb",),
    subresources=_STATUS,
    columns=policy_columns.POD_DISRUPTION_BUDGET,
)
CLUSTER_ROLE_BINDING = contract.Resource(
    resources.CLUSTER_ROLE_BINDING,
    "clusterrolebinding",
    kind.KindAdmission(
        resources.CLUSTER_ROLE_BINDING, rbac.fill_binding, rbac.judge_cluster_role_binding, metadata.path_segment
    ),
    columns=policy_columns.ROLE_BINDING,
)
CLUSTER_ROLE = contract.Resource(
    resources.CLUSTER_ROLE,
    "clusterrole",
    kind.KindAdmission(resources.CLUSTER_ROLE, judge=rbac.judge_cluster_role, name_rule=metadata.path_segment),
    columns=cells.PLAIN,
)
ROLE_BINDING = contract.Resource(
    resources.ROLE_BINDING,
    "rolebinding",
    kind.KindAdmission(resources.ROLE_BINDING, rbac.fill_binding, rbac.judge_role_binding, metadata.path_segment),
    columns=policy_columns.ROLE_BINDING,
)
ROLE = contract.Resource(
    resources.ROLE,
    "role",
    kind.KindAdmission(resources.ROLE, judge=rbac.judge_role, name_rule=metadata.path_segment),
    columns=cells.PLAIN,
)
RESOURCE_CLAIM_TEMPLATE = contract.Resource(
    resources.RESOURCE_CLAIM_TEMPLATE,
    "resourceclaimtemplate",
    kind.KindAdmission(resources.RESOURCE_CLAIM_TEMPLATE, devices.fill, devices.judge),
    columns=policy_columns.NAMED,
)
PRIORITY_CLASS = contract.Resource(
    resources.PRIORITY_CLASS,
    "priorityclass",
    kind.KindAdmission(resources.PRIORITY_CLASS, policy.fill_priority, policy.judge_priority),
    short_names=("pc",),
    columns=policy_columns.PRIORITY_CLASS,
)
STORAGE_CLASS = contract.Resource(
    resources.STORAGE_CLASS,
    "storageclass",
    kind.KindAdmission(resources.STORAGE_CLASS, storage.fill_class, storage.judge_class),
    short_names=("sc",),
    columns=storage_columns.STORAGE_CLASS,
)
MUTATING_WEBHOOK_CONFIGURATION = contract.Resource(
    resources.MUTATING_WEBHOOK_CONFIGURATION,
    "mutatingwebhookconfiguration",
    kind.KindAdmission(resources.MUTATING_WEBHOOK_CONFIGURATION, webhooks.fill_mutating, webhooks.judge),
    categories=("api-extensions",),
    columns=policy_columns.WEBHOOK_CONFIGURATION,
)
VALIDATING_WEBHOOK_CONFIGURATION = contract.Resource(
    resources.VALIDATING_WEBHOOK_CONFIGURATION,
    "validatingwebhookconfiguration",
    kind.KindAdmission(resources.VALIDATING_WEBHOOK_CONFIGURATION, webhooks.fill_validating, webhooks.judge),
    categories=("api-extensions",),
    columns=policy_columns.WEBHOOK_CONFIGURATION,
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
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
    CUSTOM_RESOURCE_DEFINITION,
    LEASE,
    ENDPOINT_SLICE,
    INGRESS,
    NETWORK_POLICY,
    POD_DISRUPTION_BUDGET,
    CLUSTER_ROLE_BINDING,
    CLUSTER_ROLE,
    ROLE_BINDING,
    ROLE,
    RESOURCE_CLAIM_TEMPLATE,
    PRIORITY_CLASS,
    STORAGE_CLASS,
)
