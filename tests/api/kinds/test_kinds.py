"""Kinds as their readers meet them: what a view gives agrees with what a schema lets in and fills in."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brickyard.api import errors
from brickyard.api.kinds import crds, forms, views
from brickyard.api.kinds import kind as kinds
from brickyard.api.kinds.kvcache import types as kvcache
from brickyard.api.kinds.modeladapter import types as modeladapter
from brickyard.api.kinds.modelclaim import types as modelclaim
from brickyard.api.kinds.podautoscaler import types as podautoscaler
from brickyard.api.kinds.podset import types as podset
from brickyard.api.kinds.rayclusterfleet import types as rayclusterfleet
from brickyard.api.kinds.rayclusterreplicaset import types as rayclusterreplicaset
from brickyard.api.kinds.roleset import types as roleset
from brickyard.api.kinds.stormservice import types as stormservice
from brickyard.embedded.apiserver.structural import judge, shape

MOMENT = "2026-01-02T03:04:05Z"
# Patterns are not for hypothesis to solve: a text that fits each.
FITTING = ("True", "08:30", "zone", "reason", "a")


def values(schema: forms.Schema) -> st.SearchStrategy[Any]:
    """Values that ``schema`` lets in."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "x-kubernetes-int-or-string" in schema:
        return st.sampled_from([0, 3, "25%"] if "pattern" not in schema else [0, "500m", "1Gi"])
    return _STRATEGIES[schema["type"]](schema)


def _texts(schema: forms.Schema) -> st.SearchStrategy[Any]:
    if schema.get("format") == "date-time":
        return st.just(MOMENT)
    return st.sampled_from([each for each in FITTING if re.search(schema.get("pattern", ""), each)])


def _numbers(schema: forms.Schema) -> st.SearchStrategy[Any]:
    low = schema.get("minimum", 0)
    return st.integers(low, min(low + 3, schema.get("maximum", low + 3)))


def _lists(schema: forms.Schema) -> st.SearchStrategy[Any]:
    low = schema.get("minItems", 0)
    unique = (lambda each: str(each.get("name", each.get("type")))) if _is_map(schema) else None
    return st.lists(values(schema["items"]), min_size=low, max_size=max(low, 2), unique_by=unique)


def _is_map(schema: forms.Schema) -> bool:
    return schema.get("x-kubernetes-list-type") == "map"


def _objects(schema: forms.Schema) -> st.SearchStrategy[Any]:
    others = schema.get("additionalProperties")
    if others:
        return st.dictionaries(st.sampled_from("ab"), values(others), max_size=2)
    properties = schema.get("properties", {})
    required = {name: values(properties[name]) for name in schema.get("required", ())}
    limit = schema.get("maxProperties", len(properties))
    optional = {name: values(each) for name, each in properties.items() if name not in required}
    made: st.SearchStrategy[Any] = st.fixed_dictionaries(required, optional=optional)
    return made if limit >= len(properties) else made.map(lambda found: dict(list(found.items())[:limit]))


_STRATEGIES: dict[str, Callable[[forms.Schema], st.SearchStrategy[Any]]] = {
    "string": _texts,
    "integer": _numbers,
    "boolean": lambda _: st.booleans(),
    "array": _lists,
    "object": _objects,
}


def read(view: views.View) -> dict[str, Any]:
    """Everything a view gives, parts included, as plain values."""
    return {name: _plain(getattr(view, name)) for name in type(view).fields}


def _plain(value: Any) -> Any:
    if isinstance(value, views.View):
        return read(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


PARTS = [
    (f"{kind.type.kind} {part}", getattr(kind, part).declared.form.view)
    for kind in crds.KINDS
    for part in ("spec", "status")
]
# A value for each optional field at once is more than a run has time for; each is drawn often enough.
QUICK = settings(
    max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None
)


@pytest.mark.parametrize(("name", "view"), PARTS, ids=[name for name, _ in PARTS])
@QUICK
@given(data=st.data())
def test_what_the_schema_lets_in_the_view_reads(name: str, view: type[views.View], data: st.DataObject) -> None:
    schema = view.schema()
    obj = data.draw(values(schema))
    assert list(judge.violations(schema, shape.defaulted(schema, obj))) == []
    before = copy.deepcopy(obj)
    _walk(view(obj))
    assert obj == before, name


def _walk(view: views.View) -> None:
    """Every field that is there, or that has something to stand in for it, reads without error."""
    for name, field in type(view).fields.items():
        declared = field.declared
        if declared.required and view.data.get(declared.name) is None:
            continue
        found = getattr(view, name)
        for each in found if isinstance(found, tuple) else (found,):
            # A part that is not there has required fields that are not there either.
            if isinstance(each, views.View) and (each.data or isinstance(found, tuple)):
                _walk(each)


@pytest.mark.parametrize(("name", "view"), PARTS, ids=[name for name, _ in PARTS])
@QUICK
@given(data=st.data())
def test_a_view_gives_the_same_before_and_after_the_schema_filled_in(
    name: str, view: type[views.View], data: st.DataObject
) -> None:
    """Behind a server without our schemas a controller decides as it does behind one that has them."""
    schema = view.schema()
    obj = data.draw(values(schema))
    filled = shape.defaulted(schema, obj)
    for field in view.fields:
        assert _safely(view(obj), field) == _safely(view(filled), field), (name, field)


def _safely(view: views.View, name: str) -> Any:
    try:
        return _plain(getattr(view, name))
    except errors.MalformedError as error:
        return error.detail


def fields(view: type[views.View]) -> Iterator[views.Field[Any]]:
    for field in view.fields.values():
        yield field
        form = field.declared.form
        below = form.item if isinstance(form, forms.ListOf) else form
        if isinstance(below, views.PartForm):
            yield from fields(below.view)


@pytest.mark.parametrize("kind", crds.KINDS, ids=lambda kind: kind.type.kind)
def test_descriptions_are_sentences(kind: type[kinds.Kind]) -> None:
    for field in fields(kind):
        text = field.declared.description
        assert text.endswith("."), text
        assert "  " not in text, text


@pytest.mark.parametrize("kind", crds.KINDS, ids=lambda kind: kind.type.kind)
@pytest.mark.parametrize("data", [{}, {"spec": None}, {"spec": {}, "status": None}], ids=["nothing", "null", "empty"])
def test_an_object_without_a_spec_is_read_like_any_other(kind: type[kinds.Kind], data: dict[str, Any]) -> None:
    obj: Any = kind(data)
    assert obj.metadata.name == ""
    assert obj.spec.data == {}
    for declared in (each.declared for each in type(obj.spec).fields.values() if each.declared.required):
        with pytest.raises(errors.MalformedError, match=rf"^spec\.{declared.name}: is required$"):
            obj.spec.get_field(declared)


@pytest.mark.parametrize("kind", crds.KINDS, ids=lambda kind: kind.type.kind)
def test_an_object_of_another_shape_is_one_clear_error(kind: type[kinds.Kind]) -> None:
    obj: Any = kind({"spec": "nonsense", "metadata": []})
    with pytest.raises(errors.MalformedError, match=r"^spec: must be an object, not a string$"):
        _ = obj.spec
    with pytest.raises(errors.MalformedError, match=r"^metadata: must be an object, not a list$"):
        _ = obj.metadata


@pytest.mark.parametrize("kind", crds.KINDS, ids=lambda kind: kind.type.kind)
def test_a_new_object_knows_what_it_is(kind: type[kinds.Kind]) -> None:
    assert kind.new("a", "ns").data == {
        "apiVersion": kind.type.api_version,
        "kind": kind.type.kind,
        "metadata": {"name": "a", "namespace": "ns"},
    }


def test_an_autoscaler_as_its_controller_reads_it() -> None:
    obj = {
        "metadata": {"name": "a", "generation": 3, "annotations": {"k": "v"}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"},
            "maxReplicas": 8,
            "scalingStrategy": "KPA",
            "metricsSources": [{"metricSourceType": "pod", "targetMetric": "m", "targetValue": "0.5", "port": "8000"}],
            "observeWindowSeconds": 30,
        },
    }
    autoscaler = podautoscaler.PodAutoscaler(obj)
    spec = autoscaler.spec
    assert (spec.scale_target_ref.name, spec.min_replicas, spec.max_replicas) == ("llama", 1, 8)
    assert (spec.observe_window_seconds, spec.panic_window_seconds) == (30, 60)
    assert (spec.metrics_sources[0].target_metric, spec.metrics_sources[0].endpoint) == ("m", "")
    assert spec.sub_target_selector is None
    assert autoscaler.metadata.generation == 3
    autoscaler.status.desired_scale = 4
    record = podautoscaler.ScalingRecord()
    record.new_scale, record.success = 4, True
    autoscaler.status.scaling_history = [record]
    assert obj["status"] == {"desiredScale": 4, "scalingHistory": [{"newScale": 4, "success": True}]}


def test_what_absent_fields_of_the_other_kinds_mean() -> None:
    adapter = modeladapter.ModelAdapter({}).spec
    assert (adapter.replicas, adapter.scheduler_name, adapter.credentials_secret_ref) == (None, "default", None)
    claim = modelclaim.ModelClaim({}).spec
    assert (claim.engine, claim.replicas, dict(claim.engine_config.args)) == ("vllm", 1, {})
    service = stormservice.StormService({}).spec
    assert (service.replicas, service.revision_history_limit, service.paused) == (1, 10, False)
    assert (service.update_strategy.type, service.update_strategy.max_surge) == ("RollingUpdate", 0)
    role = roleset.RoleSet({"spec": {"roles": [{"name": "prefill"}]}}).spec.roles[0]
    assert (role.replicas, role.pod_group_size, role.upgrade_order, role.template) == (0, 1, None, None)
    assert (role.update_strategy.type, role.scheduling_strategy) == ("Recreate", None)
    assert podset.PodSet({}).spec.recovery_policy == "ReplaceUnhealthy"
    cache = kvcache.KVCache({}).spec.cache
    assert (cache.image, cache.image_pull_policy, cache.replicas) == (kvcache.DEFAULT_IMAGE, "IfNotPresent", 1)
    fleet = rayclusterfleet.RayClusterFleet({}).spec
    assert (fleet.replicas, fleet.revision_history_limit, fleet.progress_deadline_seconds) == (1, 10, 600)
    assert fleet.strategy.type == ""
    assert rayclusterreplicaset.RayClusterReplicaSet({}).spec.selector is None
