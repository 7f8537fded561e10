"""The built-in kinds, each with its names, rules and columns: one visible list.

Their order is that in which clients look a name up that several groups have.
"""

from __future__ import annotations

from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.builtin_kinds import cluster, core, measured, reviewed, workloads

NAMESPACE = core.NAMESPACE
NODE = core.NODE
POD = core.POD
SERVICE = core.SERVICE
ENDPOINTS = core.ENDPOINTS
CONFIG_MAP = core.CONFIG_MAP
SECRET = core.SECRET
EVENT = core.EVENT
SERVICE_ACCOUNT = core.SERVICE_ACCOUNT
PERSISTENT_VOLUME_CLAIM = core.PERSISTENT_VOLUME_CLAIM
PERSISTENT_VOLUME = core.PERSISTENT_VOLUME
RESOURCE_QUOTA = core.RESOURCE_QUOTA
LIMIT_RANGE = core.LIMIT_RANGE
DEPLOYMENT = workloads.DEPLOYMENT
REPLICA_SET = workloads.REPLICA_SET
STATEFUL_SET = workloads.STATEFUL_SET
DAEMON_SET = workloads.DAEMON_SET
CONTROLLER_REVISION = workloads.CONTROLLER_REVISION
JOB = workloads.JOB
CRON_JOB = workloads.CRON_JOB
HORIZONTAL_POD_AUTOSCALER = workloads.HORIZONTAL_POD_AUTOSCALER
LEASE = cluster.LEASE
ENDPOINT_SLICE = cluster.ENDPOINT_SLICE
INGRESS = cluster.INGRESS
NETWORK_POLICY = cluster.NETWORK_POLICY
POD_DISRUPTION_BUDGET = cluster.POD_DISRUPTION_BUDGET
CLUSTER_ROLE_BINDING = cluster.CLUSTER_ROLE_BINDING
CLUSTER_ROLE = cluster.CLUSTER_ROLE
ROLE_BINDING = cluster.ROLE_BINDING
ROLE = cluster.ROLE
RESOURCE_CLAIM_TEMPLATE = cluster.RESOURCE_CLAIM_TEMPLATE
PRIORITY_CLASS = cluster.PRIORITY_CLASS
STORAGE_CLASS = cluster.STORAGE_CLASS
MUTATING_WEBHOOK_CONFIGURATION = cluster.MUTATING_WEBHOOK_CONFIGURATION
VALIDATING_WEBHOOK_CONFIGURATION = cluster.VALIDATING_WEBHOOK_CONFIGURATION
CUSTOM_RESOURCE_DEFINITION = cluster.CUSTOM_RESOURCE_DEFINITION

ALL: tuple[contract.Resource, ...] = (*core.ALL, *workloads.ALL, *cluster.ALL, *reviewed.ALL)
"""Kinds that clients write: what comes with a body."""
SERVED: tuple[contract.Resource, ...] = (*ALL, *measured.ALL)
