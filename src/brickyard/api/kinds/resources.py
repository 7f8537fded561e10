"""Identity of the kinds we speak of: group, version, plural, kind, scope.

Objects themselves are plain dicts, so that unknown fields survive a read-modify-write.
"""

from __future__ import annotations

import dataclasses
from typing import Any

Object = dict[str, Any]
"""A Kubernetes object as decoded JSON."""


@dataclasses.dataclass(frozen=True, slots=True)
class ResourceType:
    """A kind and where it is served."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def base_path(self) -> str:
        """``/apis/apps/v1`` or ``/api/v1``."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """URL path of the collection, of one object, or of a part of it. ``namespace`` "" means all namespaces."""
        parts = [self.base_path]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


# Kubernetes' own, by group.
NAMESPACE = ResourceType("", "v1", "namespaces", "Namespace", namespaced=False)
NODE = ResourceType("", "v1", "nodes", "Node", namespaced=False)
POD = ResourceType("", "v1", "pods", "Pod")
POD_TEMPLATE = ResourceType("", "v1", "podtemplates", "PodTemplate")
SERVICE = ResourceType("", "v1", "services", "Service")
ENDPOINTS = ResourceType("", "v1", "endpoints", "Endpoints")
CONFIG_MAP = ResourceType("", "v1", "configmaps", "ConfigMap")
SECRET = ResourceType("", "v1", "secrets", "Secret")
EVENT = ResourceType("", "v1", "events", "Event")
SERVICE_ACCOUNT = ResourceType("", "v1", "serviceaccounts", "ServiceAccount")
PERSISTENT_VOLUME = ResourceType("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
PERSISTENT_VOLUME_CLAIM = ResourceType("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
REPLICATION_CONTROLLER = ResourceType("", "v1", "replicationcontrollers", "ReplicationController")
RESOURCE_QUOTA = ResourceType("", "v1", "resourcequotas", "ResourceQuota")
LIMIT_RANGE = ResourceType("", "v1", "limitranges", "LimitRange")

DEPLOYMENT = ResourceType("apps", "v1", "deployments", "Deployment")
REPLICA_SET = ResourceType("apps", "v1", "replicasets", "ReplicaSet")
STATEFUL_SET = ResourceType("apps", "v1", "statefulsets", "StatefulSet")
DAEMON_SET = ResourceType("apps", "v1", "daemonsets", "DaemonSet")
CONTROLLER_REVISION = ResourceType("apps", "v1", "controllerrevisions", "ControllerRevision")
JOB = ResourceType("batch", "v1", "jobs", "Job")
CRON_JOB = ResourceType("batch", "v1", "cronjobs", "CronJob")
HORIZONTAL_POD_AUTOSCALER = ResourceType("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
POD_DISRUPTION_BUDGET = ResourceType("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
ENDPOINT_SLICE = ResourceType("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
EVENTS_EVENT = ResourceType("events.k8s.io", "v1", "events", "Event")
"""The same events under their newer name; ``EVENT`` is what recorders write."""
LEASE = ResourceType("coordination.k8s.io", "v1", "leases", "Lease")
INGRESS = ResourceType("networking.k8s.io", "v1", "ingresses", "Ingress")
NETWORK_POLICY = ResourceType("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
PRIORITY_CLASS = ResourceType("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)
STORAGE_CLASS = ResourceType("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False)
RESOURCE_CLAIM_TEMPLATE = ResourceType("resource.k8s.io", "v1", "resourceclaimtemplates", "ResourceClaimTemplate")

ROLE = ResourceType("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDING = ResourceType("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLE = ResourceType("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDING = ResourceType(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)

CUSTOM_RESOURCE_DEFINITION = ResourceType(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
API_SERVICE = ResourceType("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False)
MUTATING_WEBHOOK_CONFIGURATION = ResourceType(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    namespaced=False,
)
VALIDATING_WEBHOOK_CONFIGURATION = ResourceType(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
VALIDATING_ADMISSION_POLICY = ResourceType(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False
)
VALIDATING_ADMISSION_POLICY_BINDING = ResourceType(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    namespaced=False,
)

# Reviews: questions that are posted and answered at once, never stored.
TOKEN_REVIEW = ResourceType("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)
SELF_SUBJECT_REVIEW = ResourceType(
    "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False
)
SUBJECT_ACCESS_REVIEW = ResourceType(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)
SELF_SUBJECT_ACCESS_REVIEW = ResourceType(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
SELF_SUBJECT_RULES_REVIEW = ResourceType(
    "authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced=False
)
LOCAL_SUBJECT_ACCESS_REVIEW = ResourceType(
    "authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview"
)

# Measurements: told when asked for, never stored.
NODE_METRICS = ResourceType("metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", namespaced=False)
POD_METRICS = ResourceType("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")

# Other projects' kinds that AIBrix manifests bring along or controllers write.
GATEWAY_CLASS = ResourceType("gateway.networking.k8s.io", "v1", "gatewayclasses", "GatewayClass", namespaced=False)
GATEWAY = ResourceType("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
HTTP_ROUTE = ResourceType("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
REFERENCE_GRANT = ResourceType("gateway.networking.k8s.io", "v1beta1", "referencegrants", "ReferenceGrant")
ENVOY_PROXY = ResourceType("gateway.envoyproxy.io", "v1alpha1", "envoyproxies", "EnvoyProxy")
ENVOY_PATCH_POLICY = ResourceType("gateway.envoyproxy.io", "v1alpha1", "envoypatchpolicies", "EnvoyPatchPolicy")
ENVOY_EXTENSION_POLICY = ResourceType(
    "gateway.envoyproxy.io", "v1alpha1", "envoyextensionpolicies", "EnvoyExtensionPolicy"
)
CLIENT_TRAFFIC_POLICY = ResourceType(
    "gateway.envoyproxy.io", "v1alpha1", "clienttrafficpolicies", "ClientTrafficPolicy"
)
BACKEND_TRAFFIC_POLICY = ResourceType(
    "gateway.envoyproxy.io", "v1alpha1", "backendtrafficpolicies", "BackendTrafficPolicy"
)
AI_GATEWAY_ROUTE = ResourceType("aigateway.envoyproxy.io", "v1beta1", "aigatewayroutes", "AIGatewayRoute")
INFERENCE_POOL = ResourceType("inference.networking.k8s.io", "v1", "inferencepools", "InferencePool")
INFERENCE_OBJECTIVE = ResourceType(
    "inference.networking.x-k8s.io", "v1alpha2", "inferenceobjectives", "InferenceObjective"
)
RAY_CLUSTER = ResourceType("ray.io", "v1", "rayclusters", "RayCluster")
LEADER_WORKER_SET = ResourceType("leaderworkerset.x-k8s.io", "v1", "leaderworkersets", "LeaderWorkerSet")

# Gang scheduling: one PodGroup per scheduler.
GODEL_POD_GROUP = ResourceType("scheduling.godel.kubewharf.io", "v1alpha1", "podgroups", "PodGroup")
COSCHEDULING_POD_GROUP = ResourceType("scheduling.x-k8s.io", "v1alpha1", "podgroups", "PodGroup")
VOLCANO_POD_GROUP = ResourceType("scheduling.volcano.sh", "v1beta1", "podgroups", "PodGroup")

# Monitoring.
SERVICE_MONITOR = ResourceType("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor")
POD_MONITOR = ResourceType("monitoring.coreos.com", "v1", "podmonitors", "PodMonitor")

# The kinds of AIBrix.
AUTOSCALING_GROUP = "autoscaling.aibrix.ai"
MODEL_GROUP = "model.aibrix.ai"
ORCHESTRATION_GROUP = "orchestration.aibrix.ai"

POD_AUTOSCALER = ResourceType(AUTOSCALING_GROUP, "v1alpha1", "podautoscalers", "PodAutoscaler")
MODEL_ADAPTER = ResourceType(MODEL_GROUP, "v1alpha1", "modeladapters", "ModelAdapter")
MODEL_CLAIM = ResourceType(MODEL_GROUP, "v1alpha1", "modelclaims", "ModelClaim")
STORM_SERVICE = ResourceType(ORCHESTRATION_GROUP, "v1alpha1", "stormservices", "StormService")
ROLE_SET = ResourceType(ORCHESTRATION_GROUP, "v1alpha1", "rolesets", "RoleSet")
POD_SET = ResourceType(ORCHESTRATION_GROUP, "v1alpha1", "podsets", "PodSet")
KV_CACHE = ResourceType(ORCHESTRATION_GROUP, "v1alpha1", "kvcaches", "KVCache")
RAY_CLUSTER_FLEET = ResourceType(ORCHESTRATION_GROUP, "v1alpha1", "rayclusterfleets", "RayClusterFleet")
RAY_CLUSTER_REPLICA_SET = ResourceType(ORCHESTRATION_GROUP, "v1alpha1", "rayclusterreplicasets", "RayClusterReplicaSet")
