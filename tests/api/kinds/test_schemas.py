"""Every field of every kind, as a table: path, type, R where required, = default, and what values it takes.

Legacy fields are not in the tables; a test of their own holds them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from brickyard.api.kinds import core, crds, forms, scheduling
from brickyard.api.kinds import kind as kinds
from brickyard.api.kinds.kvcache import types as kvcache
from brickyard.api.kinds.modeladapter import types as modeladapter
from brickyard.api.kinds.modelclaim import types as modelclaim
from brickyard.api.kinds.podautoscaler import types as podautoscaler
from brickyard.api.kinds.podset import types as podset
from brickyard.api.kinds.raycluster import types as raycluster
from brickyard.api.kinds.rayclusterfleet import types as rayclusterfleet
from brickyard.api.kinds.rayclusterreplicaset import types as rayclusterreplicaset
from brickyard.api.kinds.roleset import types as roleset
from brickyard.api.kinds.stormservice import types as stormservice

SHARED: dict[str, forms.Schema] = {
    "Condition": core.Condition.schema(),
    "LooseCondition": core.LooseCondition.schema(),
    "LabelSelector": core.LabelSelector.schema(),
    "ObjectReference": core.ObjectReference.schema(),
    "Metadata": core.EmbeddedMetadata.schema(),
    "PodTemplate": core.pod_template("").declared.form.schema(),
    "EnvVar": core.EnvVar.schema(),
    "Resources": core.ResourceRequirements.schema(),
    "SchedulingStrategy": scheduling.SchedulingStrategy.schema(),
    "Runtime": kvcache.RuntimeSpec.schema(),
    "MetadataStore": kvcache.MetadataStore.schema(),
    "RoleSetSpec": roleset.RoleSetSpec.schema(),
    "RoleStatus": roleset.RoleStatus.schema(),
    "RayClusterTemplate": raycluster.RayClusterTemplate.schema(),
}
QUALIFIED_NAME = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)
LIMITS = {
    "minimum": ">=",
    "maximum": "<=",
    "minItems": "items>=",
    "maxItems": "items<=",
    "minLength": "length>=",
    "maxLength": "length<=",
    "maxProperties": "members<=",
}


def form(schema: forms.Schema) -> str:
    """The type in one word."""
    if "x-kubernetes-int-or-string" in schema:
        return "quantity" if "pattern" in schema else "int|string"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"{{{words(schema['additionalProperties'])}}}"
    if schema["type"] == "array":
        below = schema["items"]
        return f"[{name_of(below) or ('' if 'properties' in below else words(below))}]"
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return "open"
    return str(schema.get("format", schema["type"]))


def name_of(schema: forms.Schema) -> str:
    plain = {key: value for key, value in schema.items() if key not in ("description", "default")}
    return next((name for name, shared in SHARED.items() if shared == plain), "")


def words(schema: forms.Schema, *, required: bool = False) -> str:
    """What a schema says of one value, in a line."""
    said = [name_of(schema) or form(schema)]
    said += ["R"] if required else []
    said += [f"={json.dumps(schema['default'])}"] if "default" in schema else []
    if name_of(schema):
        return " ".join(said)
    said += ["|".join(map(str, schema["enum"]))] if "enum" in schema else []
    said += [f"{sign}{schema[key]}" for key, sign in LIMITS.items() if key in schema]
    if "pattern" in schema and "x-kubernetes-int-or-string" not in schema:
        said.append("QUALIFIED_NAME" if schema["pattern"] == QUALIFIED_NAME else schema["pattern"])
    said += [f"by {','.join(schema['x-kubernetes-list-map-keys'])}"] if "x-kubernetes-list-map-keys" in schema else []
    said += [schema["x-kubernetes-map-type"]] if "x-kubernetes-map-type" in schema else []
    return " ".join(said)


def rows(schema: forms.Schema, path: str = "") -> Iterator[str]:
    """A line for each field below ``schema``."""
    for name, each in schema.get("properties", {}).items():
        if each["description"].startswith("Deprecated: "):
            continue
        here = f"{path}.{name}" if path else name
        yield f"{here}: {words(each, required=name in schema.get('required', ()))}"
        below = each.get("items", each)
        if not name_of(below):
            yield from rows(below, f"{here}[]" if "items" in each else here)


TABLES: dict[str, tuple[forms.Schema, str]] = {
    "PodAutoscaler spec": (
        podautoscaler.PodAutoscalerSpec.schema(),
        r"""
        scaleTargetRef: ObjectReference R
        subTargetSelector: object
        subTargetSelector.roleName: string
        minReplicas: int32
        maxReplicas: int32 R
        schedules: [] items>=1
        schedules[].name: string R length>=1 ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$
        schedules[].timezone: string
        schedules[].daysOfWeek: [string] items>=1
        schedules[].startTime: string R ^([01][0-9]|2[0-3]):[0-5][0-9]$
        schedules[].endTime: string R ^([01][0-9]|2[0-3]):[0-5][0-9]$
        schedules[].minReplicas: int32
        schedules[].maxReplicas: int32
        metricsSources: [] items>=1
        metricsSources[].metricSourceType: string R pod|resource|custom|external|domain
        metricsSources[].protocolType: string http|https
        metricsSources[].endpoint: string
        metricsSources[].path: string
        metricsSources[].port: string
        metricsSources[].targetMetric: string R
        metricsSources[].targetValue: string R
        observeWindowSeconds: int64 >=1 <=3600
        panicWindowSeconds: int64 >=1 <=3600
        scalingStrategy: string R HPA|KPA|APA
        """,
    ),
    "PodAutoscaler status": (
        podautoscaler.PodAutoscalerStatus.schema(),
        r"""
        lastScaleTime: date-time
        desiredScale: int32
        actualScale: int32
        conditions: [Condition]
        scalingHistory: [] items<=5
        scalingHistory[].timestamp: date-time R
        scalingHistory[].previousScale: int32 R
        scalingHistory[].newScale: int32 R
        scalingHistory[].reason: string R
        scalingHistory[].success: boolean R
        scalingHistory[].error: string
        scheduledBounds: object
        scheduledBounds.activeSchedule: string
        scheduledBounds.effectiveMinReplicas: int32 R
        scheduledBounds.effectiveMaxReplicas: int32 R
        """,
    ),
    "ModelAdapter spec": (
        modeladapter.ModelAdapterSpec.schema(),
        r"""
        baseModel: string
        podSelector: LabelSelector R
        schedulerName: string ="default"
        artifactURL: string R
        credentialsSecretRef: object atomic
        credentialsSecretRef.name: string =""
        replicas: int32 1
        additionalConfig: {string}
        """,
    ),
    "ModelAdapter status": (
        modeladapter.ModelAdapterStatus.schema(),
        r"""
        phase: string
        candidates: int32
        readyReplicas: int32
        desiredReplicas: int32
        conditions: [Condition]
        instances: [string]
        """,
    ),
    "ModelClaim spec": (
        modelclaim.ModelClaimSpec.schema(),
        r"""
        modelName: string
        podSelector: LabelSelector R
        artifactURL: string R
        engine: string ="vllm" vllm|sglang
        replicas: int32 =1 >=1 <=1
        engineConfig: object
        engineConfig.args: {string}
        """,
    ),
    "ModelClaim status": (
        modelclaim.ModelClaimStatus.schema(),
        r"""
        phase: string
        candidates: int32
        readyReplicas: int32
        desiredReplicas: int32
        instances: []
        instances[].pod: string R
        instances[].port: int32
        instances[].phase: string
        conditions: [Condition]
        """,
    ),
    "StormService spec": (
        stormservice.StormServiceSpec.schema(),
        r"""
        replicas: int32
        selector: LabelSelector R
        stateful: boolean
        template: object R
        template.metadata: Metadata
        template.spec: RoleSetSpec
        updateStrategy: object
        updateStrategy.type: string ="RollingUpdate" RollingUpdate|InPlaceUpdate
        updateStrategy.maxUnavailable: int|string
        updateStrategy.maxSurge: int|string
        revisionHistoryLimit: int32
        paused: boolean
        disruptionTolerance: object
        disruptionTolerance.maxUnavailable: int|string
        """,
    ),
    "StormService status": (
        stormservice.StormServiceStatus.schema(),
        r"""
        observedGeneration: int64
        replicas: int32
        readyReplicas: int32
        notReadyReplicas: int32
        currentReplicas: int32
        updatedReplicas: int32
        updatedReadyReplicas: int32
        currentRevision: string
        updateRevision: string
        collisionCount: int32
        conditions: [LooseCondition]
        scalingTargetSelector: string
        roleStatuses: [RoleStatus]
        """,
    ),
    "RoleSet spec": (
        roleset.RoleSetSpec.schema(),
        r"""
        roles: []
        roles[].name: string
        roles[].replicas: int32
        roles[].upgradeOrder: int32 >=1
        roles[].podGroupSize: int32 >=1 <=100
        roles[].updateStrategy: object
        roles[].updateStrategy.type: string ="Recreate" Recreate|InPlaceIfPossible
        roles[].updateStrategy.maxUnavailable: int|string
        roles[].updateStrategy.maxSurge: int|string
        roles[].stateful: boolean
        roles[].template: PodTemplate
        roles[].disruptionTolerance: object
        roles[].disruptionTolerance.maxUnavailable: int|string
        roles[].schedulingStrategy: SchedulingStrategy
        updateStrategy: string ="Sequential" Parallel|Sequential|Interleave
        schedulingStrategy: SchedulingStrategy
        topologyPolicy: object
        topologyPolicy.scope: string R StormService|RoleSet|Role
        topologyPolicy.mode: string ="Preferred" Preferred|Required
        topologyPolicy.key: string R length>=1 length<=317 QUALIFIED_NAME
        """,
    ),
    "RoleSet status": (
        roleset.RoleSetStatus.schema(),
        r"""
        roles: [RoleStatus]
        conditions: [LooseCondition]
        """,
    ),
    "RoleStatus": (
        roleset.RoleStatus.schema(),
        r"""
        name: string
        replicas: int32 R
        readyReplicas: int32
        notReadyReplicas: int32
        updatedReplicas: int32
        updatedReadyReplicas: int32
        """,
    ),
    "PodSet spec": (
        podset.PodSetSpec.schema(),
        r"""
        podGroupSize: int32 R >=2 <=100
        template: PodTemplate R
        stateful: boolean
        recoveryPolicy: string ="ReplaceUnhealthy" ReplaceUnhealthy|Recreate
        schedulingStrategy: SchedulingStrategy
        """,
    ),
    "PodSet status": (
        podset.PodSetStatus.schema(),
        r"""
        readyPods: int32 R
        totalPods: int32 R
        phase: string
        conditions: [LooseCondition]
        """,
    ),
    "KVCache spec": (
        kvcache.KVCacheSpec.schema(),
        r"""
        mode: string ="distributed"
        metadata: object
        metadata.redis: MetadataStore
        metadata.etcd: MetadataStore
        service: object
        service.type: string ="ClusterIP"
        service.ports: [] R items>=1
        service.ports[].name: string
        service.ports[].protocol: string ="TCP"
        service.ports[].port: int32 R
        service.ports[].targetPort: int|string
        service.ports[].nodePort: int32
        service.ports[].appProtocol: string
        watcher: Runtime
        cache: Runtime ={"image": "aibrix/kvcache:20241120", "imagePullPolicy": "IfNotPresent"}
        """,
    ),
    "KVCache status": (
        kvcache.KVCacheStatus.schema(),
        r"""
        current: int32
        conditions: [Condition]
        """,
    ),
    "KVCache runtime": (
        kvcache.RuntimeSpec.schema(),
        r"""
        replicas: int32 =1
        image: string
        imagePullPolicy: string ="IfNotPresent"
        env: [EnvVar] =[]
        resources: Resources
        template: PodTemplate
        """,
    ),
    "KVCache metadata store": (
        kvcache.MetadataStore.schema(),
        r"""
        externalConnection: object
        externalConnection.address: string
        externalConnection.passwordSecretRef: string
        runtime: Runtime
        """,
    ),
    "RayClusterFleet spec": (
        rayclusterfleet.RayClusterFleetSpec.schema(),
        r"""
        replicas: int32 =1
        selector: LabelSelector R
        template: RayClusterTemplate
        strategy: object
        strategy.type: string
        strategy.rollingUpdate: object
        strategy.rollingUpdate.maxUnavailable: int|string
        strategy.rollingUpdate.maxSurge: int|string
        minReadySeconds: int32
        revisionHistoryLimit: int32 =10
        paused: boolean
        progressDeadlineSeconds: int32 =600
        """,
    ),
    "RayClusterFleet status": (
        rayclusterfleet.RayClusterFleetStatus.schema(),
        r"""
        observedGeneration: int64
        replicas: int32
        updatedReplicas: int32
        readyReplicas: int32
        availableReplicas: int32
        unavailableReplicas: int32
        conditions: [] by type
        conditions[].type: string R
        conditions[].status: string R
        conditions[].lastUpdateTime: date-time
        conditions[].lastTransitionTime: date-time
        conditions[].reason: string
        conditions[].message: string
        collisionCount: int32
        scalingTargetSelector: string
        """,
    ),
    "RayClusterReplicaSet spec": (
        rayclusterreplicaset.RayClusterReplicaSetSpec.schema(),
        r"""
        replicas: int32 =1
        minReadySeconds: int32
        selector: LabelSelector
        template: RayClusterTemplate
        """,
    ),
    "RayClusterReplicaSet status": (
        rayclusterreplicaset.RayClusterReplicaSetStatus.schema(),
        r"""
        replicas: int32 R
        fullyLabeledReplicas: int32
        readyReplicas: int32
        availableReplicas: int32
        observedGeneration: int64
        conditions: [Condition] by type
        """,
    ),
    "RayCluster template": (
        raycluster.RayClusterTemplate.schema(),
        r"""
        metadata: Metadata
        spec: object
        spec.rayVersion: string
        spec.enableInTreeAutoscaling: boolean
        spec.suspend: boolean
        spec.headServiceAnnotations: {string}
        spec.autoscalerOptions: object
        spec.autoscalerOptions.image: string
        spec.autoscalerOptions.imagePullPolicy: string
        spec.autoscalerOptions.env: [EnvVar]
        spec.autoscalerOptions.envFrom: [open]
        spec.autoscalerOptions.resources: Resources
        spec.autoscalerOptions.securityContext: open
        spec.autoscalerOptions.volumeMounts: [open]
        spec.autoscalerOptions.idleTimeoutSeconds: int32
        spec.autoscalerOptions.upscalingMode: string Default|Aggressive|Conservative
        spec.headGroupSpec: object R
        spec.headGroupSpec.rayStartParams: {string} R
        spec.headGroupSpec.template: PodTemplate R
        spec.headGroupSpec.serviceType: string
        spec.headGroupSpec.headService: open
        spec.headGroupSpec.enableIngress: boolean
        spec.workerGroupSpecs: []
        spec.workerGroupSpecs[].groupName: string R
        spec.workerGroupSpecs[].rayStartParams: {string} R
        spec.workerGroupSpecs[].template: PodTemplate R
        spec.workerGroupSpecs[].minReplicas: int32 =0
        spec.workerGroupSpecs[].maxReplicas: int32 =2147483647
        spec.workerGroupSpecs[].replicas: int32 =0
        spec.workerGroupSpecs[].numOfHosts: int32 =1
        spec.workerGroupSpecs[].scaleStrategy: object
        spec.workerGroupSpecs[].scaleStrategy.workersToDelete: [string]
        """,
    ),
    "SchedulingStrategy": (
        scheduling.SchedulingStrategy.schema(),
        r"""
        godelSchedulingStrategy: object
        godelSchedulingStrategy.minMember: int32
        godelSchedulingStrategy.priorityClassName: string
        godelSchedulingStrategy.scheduleTimeoutSeconds: int32
        godelSchedulingStrategy.application: string
        godelSchedulingStrategy.affinity: object
        godelSchedulingStrategy.affinity.podGroupAffinity: object
        godelSchedulingStrategy.affinity.podGroupAffinity.required: []
        godelSchedulingStrategy.affinity.podGroupAffinity.required[].topologyKey: string
        godelSchedulingStrategy.affinity.podGroupAffinity.preferred: []
        godelSchedulingStrategy.affinity.podGroupAffinity.preferred[].topologyKey: string
        godelSchedulingStrategy.affinity.podGroupAffinity.sortRules: []
        godelSchedulingStrategy.affinity.podGroupAffinity.sortRules[].resource: string R
        godelSchedulingStrategy.affinity.podGroupAffinity.sortRules[].dimension: string
        godelSchedulingStrategy.affinity.podGroupAffinity.sortRules[].order: string R
        godelSchedulingStrategy.affinity.podGroupAffinity.nodeSelector: object atomic
        godelSchedulingStrategy.affinity.podGroupAffinity.nodeSelector.nodeSelectorTerms: [open] R
        godelSchedulingStrategy.affinity.podGroupAntiAffinity: object
        godelSchedulingStrategy.affinity.podGroupAntiAffinity.required: []
        godelSchedulingStrategy.affinity.podGroupAntiAffinity.required[].topologyKey: string
        godelSchedulingStrategy.affinity.podGroupAntiAffinity.preferred: []
        godelSchedulingStrategy.affinity.podGroupAntiAffinity.preferred[].topologyKey: string
        coschedulingSchedulingStrategy: object
        coschedulingSchedulingStrategy.minMember: int32 >=1
        coschedulingSchedulingStrategy.minResources: {quantity}
        coschedulingSchedulingStrategy.scheduleTimeoutSeconds: int32
        volcanoSchedulingStrategy: object
        volcanoSchedulingStrategy.minMember: int32
        volcanoSchedulingStrategy.minTaskMember: {int32}
        volcanoSchedulingStrategy.queue: string
        volcanoSchedulingStrategy.priorityClassName: string
        volcanoSchedulingStrategy.minResources: {quantity}
        """,
    ),
    "Condition": (
        core.Condition.schema(),
        r"""
        type: string R length<=316 QUALIFIED_NAME
        status: string R True|False|Unknown
        observedGeneration: int64 >=0
        lastTransitionTime: date-time R
        reason: string R length>=1 length<=1024 ^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$
        message: string R length<=32768
        """,
    ),
    "LooseCondition": (
        core.LooseCondition.schema(),
        r"""
        type: string R
        status: string R
        lastTransitionTime: date-time
        lastUpdateTime: date-time
        lastUpdateMicroTime: date-time
        reason: string
        message: string
        """,
    ),
    "LabelSelector": (
        core.LabelSelector.schema(),
        r"""
        matchLabels: {string}
        matchExpressions: []
        matchExpressions[].key: string R
        matchExpressions[].operator: string R
        matchExpressions[].values: [string]
        """,
    ),
    "ObjectReference": (
        core.ObjectReference.schema(),
        r"""
        apiVersion: string
        kind: string
        name: string
        namespace: string
        fieldPath: string
        resourceVersion: string
        uid: string
        """,
    ),
    "Metadata": (
        core.EmbeddedMetadata.schema(),
        r"""
        name: string
        namespace: string
        labels: {string}
        annotations: {string}
        finalizers: [string]
        """,
    ),
    "EnvVar": (
        core.EnvVar.schema(),
        r"""
        name: string R
        value: string
        valueFrom: open
        """,
    ),
    "Resources": (
        core.ResourceRequirements.schema(),
        r"""
        limits: {quantity}
        requests: {quantity}
        claims: [] by name
        claims[].name: string R
        claims[].request: string
        """,
    ),
    "PodTemplate": (
        core.pod_template("").declared.form.schema(),
        r"""
        metadata: Metadata
        spec: open
        spec.containers: [] R by name
        spec.containers[].name: string R
        """,
    ),
}


def table(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def deprecated(schema: forms.Schema, path: str) -> Iterator[str]:
    for name, each in schema.get("properties", {}).items():
        if each["description"].startswith("Deprecated: "):
            yield f"{path}.{name}"
        else:
            below = each.get("items", each)
            yield from deprecated(below, f"{path}.{name}[]" if "items" in each else f"{path}.{name}")


LEGACY = {
    "PodAutoscaler": [".spec.metricsSources[].metric", ".spec.targetMetric", ".spec.targetValue"],
    "StormService": [
        ".spec.template.spec.roles[].schedulingStrategy.podGroup",
        ".spec.template.spec.schedulingStrategy.podGroup",
    ],
    "RoleSet": [".spec.roles[].schedulingStrategy.podGroup", ".spec.schedulingStrategy.podGroup"],
    "PodSet": [".spec.schedulingStrategy.podGroup"],
    "KVCache": [
        *(f".spec.metadata.redis.{each}" for each in ("image", "replicas", "resources", "storage")),
        *(f".spec.metadata.etcd.{each}" for each in ("image", "replicas", "resources", "storage")),
        ".spec.service.port",
        ".spec.service.nodePort",
        ".spec.replicas",
        ".spec.etcdReplicas",
        ".spec.cacheSpec",
    ],
}


@pytest.mark.parametrize("kind", crds.KINDS, ids=lambda kind: kind.type.kind)
def test_fields_of_earlier_releases_are_kept_and_told_as_such(kind: type[kinds.Kind]) -> None:
    assert list(deprecated(kind.schema(), "")) == LEGACY.get(kind.type.kind, [])


def test_the_legacy_cache_of_a_kvcache() -> None:
    assert list(kvcache.LegacyCache.schema()["properties"]) == [
        *("replicas", "image", "imagePullPolicy", "resources", "cpu", "memory", "sharedMemorySize", "env"),
    ]


@pytest.mark.parametrize("name", TABLES)
def test_every_field_is_what_the_table_says(name: str) -> None:
    schema, text = TABLES[name]
    assert list(rows(schema)) == table(text)
