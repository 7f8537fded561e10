"""Every field of every kind is what the table ``fields.txt`` says, and legacy fields are kept."""

from __future__ import annotations

import json
import pathlib
import re
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

FIELDS = pathlib.Path(__file__).with_name("fields.txt")

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
    "RoleSetSchedulingStrategy": scheduling.RoleSetSchedulingStrategy.schema(),
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


SCHEMAS: dict[str, forms.Schema] = {
    "PodAutoscaler spec": podautoscaler.PodAutoscalerSpec.schema(),
    "PodAutoscaler status": podautoscaler.PodAutoscalerStatus.schema(),
    "ModelAdapter spec": modeladapter.ModelAdapterSpec.schema(),
    "ModelAdapter status": modeladapter.ModelAdapterStatus.schema(),
    "ModelClaim spec": modelclaim.ModelClaimSpec.schema(),
    "ModelClaim status": modelclaim.ModelClaimStatus.schema(),
    "StormService spec": stormservice.StormServiceSpec.schema(),
    "StormService status": stormservice.StormServiceStatus.schema(),
    "RoleSet spec": roleset.RoleSetSpec.schema(),
    "RoleSet status": roleset.RoleSetStatus.schema(),
    "RoleStatus": roleset.RoleStatus.schema(),
    "PodSet spec": podset.PodSetSpec.schema(),
    "PodSet status": podset.PodSetStatus.schema(),
    "KVCache spec": kvcache.KVCacheSpec.schema(),
    "KVCache status": kvcache.KVCacheStatus.schema(),
    "KVCache runtime": kvcache.RuntimeSpec.schema(),
    "KVCache metadata store": kvcache.MetadataStore.schema(),
    "RayClusterFleet spec": rayclusterfleet.RayClusterFleetSpec.schema(),
    "RayClusterFleet status": rayclusterfleet.RayClusterFleetStatus.schema(),
    "RayClusterReplicaSet spec": rayclusterreplicaset.RayClusterReplicaSetSpec.schema(),
    "RayClusterReplicaSet status": rayclusterreplicaset.RayClusterReplicaSetStatus.schema(),
    "RayCluster template": raycluster.RayClusterTemplate.schema(),
    "SchedulingStrategy": scheduling.SchedulingStrategy.schema(),
    "Condition": core.Condition.schema(),
    "LooseCondition": core.LooseCondition.schema(),
    "LabelSelector": core.LabelSelector.schema(),
    "ObjectReference": core.ObjectReference.schema(),
    "Metadata": core.EmbeddedMetadata.schema(),
    "EnvVar": core.EnvVar.schema(),
    "Resources": core.ResourceRequirements.schema(),
    "PodTemplate": core.pod_template("").declared.form.schema(),
}


def tables() -> dict[str, list[str]]:
    """The sections of ``fields.txt``."""
    _, *sections = re.split(r"^\[(.+)\]$", FIELDS.read_text(), flags=re.MULTILINE)
    return {name: rows.strip().splitlines() for name, rows in zip(sections[::2], sections[1::2], strict=True)}


def deprecated(schema: forms.Schema, path: str) -> Iterator[str]:
    for name, each in schema.get("properties", {}).items():
        if each["description"].startswith("Deprecated: "):
            yield f"{path}.{name}"
        else:
            below = each.get("items", each)
            yield from deprecated(below, f"{path}.{name}[]" if "items" in each else f"{path}.{name}")


LEGACY = {
    "PodAutoscaler": [".spec.metricsSources[].metric", ".spec.targetMetric", ".spec.targetValue"],
    "StormService": [".spec.template.spec.schedulingStrategy.podGroup"],
    "RoleSet": [".spec.schedulingStrategy.podGroup"],
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


def test_a_role_set_schedules_as_its_parts_do_but_for_a_legacy_field() -> None:
    older, plain = scheduling.RoleSetSchedulingStrategy.schema(), scheduling.SchedulingStrategy.schema()
    legacy = older["properties"].pop("podGroup")
    assert older == plain
    assert legacy["properties"] == plain["properties"]["godelSchedulingStrategy"]["properties"]


def test_the_legacy_cache_of_a_kvcache() -> None:
    assert list(kvcache.LegacyCache.schema()["properties"]) == [
        *("replicas", "image", "imagePullPolicy", "resources", "cpu", "memory", "sharedMemorySize", "env"),
    ]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_is_what_the_table_says(name: str) -> None:
    assert list(rows(SCHEMAS[name])) == tables()[name]


def test_every_table_is_looked_at() -> None:
    assert list(tables()) == list(SCHEMAS)
