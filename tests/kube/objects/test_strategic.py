from __future__ import annotations

import contextlib
import copy
import json
import pathlib
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.objects import errors, mergekeys, patch, strategic


def merge_pod(target: Any, change: Any) -> dict[str, Any]:
    return strategic.strategic_merge(target, change, "v1", "Pod")


def containers(*items: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": list(items)}}


def names(pod: dict[str, Any]) -> list[str]:
    return [each["name"] for each in pod["spec"]["containers"]]


def test_list_elements_are_merged_by_their_key() -> None:
    target = containers(
        {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "b:1"}
    )
    change = containers({"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}]})
    assert merge_pod(target, change) == containers(
        {"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]},
        {"name": "b", "image": "b:1"},
    )


def test_a_new_element_joins_the_list() -> None:
    assert names(merge_pod(containers({"name": "a"}), containers({"name": "b"}))) == ["b", "a"]


def test_delete_directive_removes_one_element() -> None:
    change = containers({"name": "a", "$patch": "delete"})
    assert names(merge_pod(containers({"name": "a"}, {"name": "b"}), change)) == ["b"]


def test_replace_directive_in_a_list_takes_the_others_as_the_whole() -> None:
    change = containers({"$patch": "replace"}, {"name": "c", "image": "c:1"})
    assert merge_pod(containers({"name": "a"}, {"name": "b"}), change) == containers({"name": "c", "image": "c:1"})


def test_replace_directive_in_an_object_takes_it_whole() -> None:
    change = {"metadata": {"labels": {"$patch": "replace", "b": "2"}}}
    assert merge_pod({"metadata": {"labels": {"a": "1"}}}, change) == {"metadata": {"labels": {"b": "2"}}}


def test_delete_directive_in_an_object_empties_it() -> None:
    assert merge_pod({"metadata": {"labels": {"a": "1"}}}, {"metadata": {"labels": {"$patch": "delete"}}}) == {
        "metadata": {"labels": {}}
    }


def test_null_removes_a_field() -> None:
    assert merge_pod(containers({"name": "a", "image": "x"}), containers({"name": "a", "image": None})) == containers(
        {"name": "a"}
    )


def test_lists_without_a_merge_key_are_replaced() -> None:
    target = {"spec": {"tolerations": [{"key": "a"}], "containers": [{"name": "a", "args": ["1", "2"]}]}}
    change = {"spec": {"tolerations": [{"key": "b"}], "containers": [{"name": "a", "args": ["3"]}]}}
    assert merge_pod(target, change) == change


def test_scalar_lists_with_merge_are_sets() -> None:
    target = {"metadata": {"finalizers": ["a", "b"]}}
    assert merge_pod(target, {"metadata": {"finalizers": ["b", "c"]}})["metadata"]["finalizers"] == ["a", "b", "c"]


def test_scalars_are_deleted_from_a_list() -> None:
    change = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert merge_pod({"metadata": {"finalizers": ["a", "b"]}}, change) == {"metadata": {"finalizers": ["b"]}}


def test_deleting_scalars_from_nothing_does_nothing() -> None:
    assert merge_pod({"metadata": {}}, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}) == {"metadata": {}}


# live order, $setElementOrder, patch → result. Names unknown to the order keep their place among the live ones.
ORDERS = [
    (["a", "b"], ["b", "a"], [], ["b", "a"]),
    (["a", "b", "c"], ["c", "a"], [], ["b", "c", "a"]),
    (["a", "x", "b"], ["a", "b"], [], ["a", "x", "b"]),
    (["x", "a", "b"], ["b", "a"], [], ["x", "b", "a"]),
    (["a"], ["b", "a"], ["b"], ["b", "a"]),
    (["a", "x"], ["a", "n"], ["n"], ["a", "n", "x"]),
]


@pytest.mark.parametrize(("live", "order", "added", "result"), ORDERS)
def test_set_element_order(live: list[str], order: list[str], added: list[str], result: list[str]) -> None:
    change = {
        "spec": {
            "$setElementOrder/containers": [{"name": name} for name in order],
            **({"containers": [{"name": name} for name in added]} if added else {}),
        }
    }
    assert names(merge_pod(containers(*({"name": name} for name in live)), change)) == result


def test_what_kubectl_apply_sends_when_an_element_is_renamed() -> None:
    target = containers({"name": "old", "image": "x"}, {"name": "sidecar"})
    change = {
        "spec": {
            "$setElementOrder/containers": [{"name": "new"}, {"name": "sidecar"}],
            "containers": [{"name": "new", "image": "x"}, {"name": "old", "$patch": "delete"}],
        }
    }
    assert merge_pod(target, change) == containers({"name": "new", "image": "x"}, {"name": "sidecar"})


def test_order_of_scalars_with_deletion() -> None:
    change = {
        "metadata": {
            "$setElementOrder/finalizers": ["c", "b"],
            "$deleteFromPrimitiveList/finalizers": ["a"],
            "finalizers": ["c"],
        }
    }
    assert merge_pod({"metadata": {"finalizers": ["a", "b"]}}, change)["metadata"]["finalizers"] == ["c", "b"]


def test_retain_keys_prunes_a_union() -> None:
    target = {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}
    change = {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}}
    assert merge_pod(target, change) == {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}}


def test_retain_keys_of_a_deployment_strategy() -> None:
    target = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    change = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    merged = strategic.strategic_merge(target, change, "apps/v1", "Deployment")
    assert merged == {"spec": {"strategy": {"type": "Recreate"}}}


def test_directives_in_what_is_new_do_not_stay_in_the_object() -> None:
    change = {
        "spec": {
            "volumes": [{"name": "v", "$retainKeys": ["name", "emptyDir"], "emptyDir": {"medium": None}}],
            "$setElementOrder/volumes": [{"name": "v"}],
            "containers": [{"name": "gone", "$patch": "delete"}],
        }
    }
    assert merge_pod({}, change) == {"spec": {"volumes": [{"name": "v", "emptyDir": {}}], "containers": []}}


@pytest.mark.parametrize("directive", ["replace", "delete", "merge"])
def test_a_directive_about_an_object_that_is_not_there_leaves_it_out(directive: str) -> None:
    change = {"metadata": {"labels": {"$patch": directive, "a": "1"}, "annotations": {"b": "2"}}}
    assert merge_pod({}, change) == {"metadata": {"annotations": {"b": "2"}}}
    assert merge_pod({"metadata": {"name": "p"}}, change) == {"metadata": {"name": "p", "annotations": {"b": "2"}}}


def test_of_adding_and_removing_the_same_scalar_removing_wins() -> None:
    change = {"metadata": {"finalizers": ["b"], "$deleteFromPrimitiveList/finalizers": ["b"]}}
    assert merge_pod({"metadata": {"finalizers": ["a"]}}, change) == {"metadata": {"finalizers": ["a"]}}


def test_conditions_of_a_status_are_merged_by_type() -> None:
    target = {"status": {"conditions": [{"type": "Ready", "status": "False"}, {"type": "A", "status": "True"}]}}
    change = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert merge_pod(target, change)["status"]["conditions"] == [
        {"type": "Ready", "status": "True"},
        {"type": "A", "status": "True"},
    ]


def test_two_ports_of_a_service_stay_apart() -> None:
    target = {"spec": {"ports": [{"port": 80, "name": "http"}, {"port": 443, "name": "https"}]}}
    change = {"spec": {"ports": [{"port": 443, "targetPort": 8443}]}}
    merged = strategic.strategic_merge(target, change, "v1", "Service")
    assert {each["port"]: each for each in merged["spec"]["ports"]} == {
        80: {"port": 80, "name": "http"},
        443: {"port": 443, "name": "https", "targetPort": 8443},
    }


def test_custom_resources_are_not_supported() -> None:
    with pytest.raises(errors.UnsupportedPatchError, match="merge-patch"):
        strategic.strategic_merge({}, {}, "ray.io/v1", "RayCluster")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ([], errors.MalformedPatchError),
        ({"$patch": "fly"}, errors.MalformedPatchError),
        ({"$patch": "merge"}, errors.MalformedPatchError),
        (
            {"spec": {"$setElementOrder/containers": [{"name": "b"}], "containers": [{"name": "a"}]}},
            errors.MalformedPatchError,
        ),
        ({"metadata": {"$patch": 3}}, errors.MalformedPatchError),
        ({"metadata": {"$retainKeys": "labels"}}, errors.MalformedPatchError),
        ({"metadata": {"$retainKeys": [], "labels": {}}}, errors.MalformedPatchError),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}}, errors.MalformedPatchError),
        ({"metadata": {"$setElementOrder/finalizers": "a"}}, errors.MalformedPatchError),
        (containers({"image": "x"}), errors.PatchConflictError),
        (containers({"$patch": "delete"}), errors.PatchConflictError),
        (containers({"name": "a", "$patch": "merge"}), errors.MalformedPatchError),
        ({"spec": {"containers": ["a"]}}, errors.MalformedPatchError),
    ],
)
def test_what_makes_no_sense_is_refused(change: Any, error: type[errors.PatchError]) -> None:
    target = {"metadata": {"finalizers": ["a"], "labels": {}}, **containers({"name": "a"})}
    with pytest.raises(error):
        merge_pod(target, change)


# Objects and patches near to what a pod is, directives included.
NAMES = st.sampled_from(["a", "b", "c"])
ENV = st.lists(
    st.fixed_dictionaries({"name": NAMES}, optional={"value": NAMES}), max_size=3, unique_by=lambda e: e["name"]
)
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": NAMES}, optional={"image": NAMES, "env": ENV, "args": st.lists(NAMES, max_size=2)}),
    max_size=3,
    unique_by=lambda each: each["name"],
)
PODS = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries(
            {}, optional={"labels": st.dictionaries(NAMES, NAMES), "finalizers": st.lists(NAMES, unique=True)}
        ),
        "spec": st.fixed_dictionaries({}, optional={"containers": CONTAINERS, "nodeName": NAMES}),
    },
)
JUNK = st.recursive(
    st.none() | NAMES | st.integers(0, 1),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "name",
                    "spec",
                    "metadata",
                    "containers",
                    "env",
                    "$patch",
                    "$retainKeys",
                    "$setElementOrder/containers",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(target=PODS, change=PODS)
def test_merging_is_idempotent_and_keeps_its_arguments(target: dict[str, Any], change: dict[str, Any]) -> None:
    before = copy.deepcopy((target, change))
    once = merge_pod(target, change)
    assert (target, change) == before
    assert merge_pod(once, change) == once


@given(target=PODS, change=PODS)
def test_every_element_of_the_patch_arrives_in_the_patches_order(
    target: dict[str, Any], change: dict[str, Any]
) -> None:
    asked = [each["name"] for each in change.get("spec", {}).get("containers", [])]
    merged = [each["name"] for each in merge_pod(target, change).get("spec", {}).get("containers", [])]
    had = [each["name"] for each in target.get("spec", {}).get("containers", [])]
    assert [name for name in merged if name in asked] == asked
    assert set(merged) == set(asked) | set(had)


@given(target=PODS, change=JUNK)
def test_whatever_is_sent_merges_or_is_a_patch_error(target: dict[str, Any], change: Any) -> None:
    with contextlib.suppress(errors.PatchError):
        merge_pod(target, change)


@given(target=PODS, change=PODS)
def test_without_lists_it_is_a_merge_patch(target: dict[str, Any], change: dict[str, Any]) -> None:
    def flat(pod: dict[str, Any]) -> dict[str, Any]:
        return {"metadata": {"labels": pod.get("metadata", {}).get("labels", {})}}

    assert merge_pod(flat(target), flat(change)) == patch.merge_patch(flat(target), flat(change))


SCHEMAS = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
ROOTS = {
    "io.k8s.api.core.v1": (
        "v1",
        """Pod Service Namespace Node PersistentVolume PersistentVolumeClaim ServiceAccount ConfigMap Secret Event Endpoints
        ResourceQuota LimitRange""",
    ),
    "io.k8s.api.apps.v1": ("apps/v1", "Deployment ReplicaSet StatefulSet DaemonSet ControllerRevision"),
    "io.k8s.api.autoscaling.v2": ("autoscaling/v2", "HorizontalPodAutoscaler"),
    "io.k8s.api.batch.v1": ("batch/v1", "Job CronJob"),
    "io.k8s.api.networking.v1": ("networking.k8s.io/v1", "Ingress NetworkPolicy"),
    "io.k8s.api.policy.v1": ("policy/v1", "PodDisruptionBudget"),
    "io.k8s.api.rbac.v1": ("rbac.authorization.k8s.io/v1", "Role RoleBinding ClusterRole ClusterRoleBinding"),
    "io.k8s.api.resource.v1": ("resource.k8s.io/v1", "ResourceClaimTemplate"),
    "io.k8s.api.scheduling.v1": ("scheduling.k8s.io/v1", "PriorityClass"),
    "io.k8s.api.storage.v1": ("storage.k8s.io/v1", "StorageClass"),
    "io.k8s.api.admissionregistration.v1": (
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration ValidatingWebhookConfiguration",
    ),
    "io.k8s.api.discovery.v1": ("discovery.k8s.io/v1", "EndpointSlice"),
    "io.k8s.api.coordination.v1": ("coordination.k8s.io/v1", "Lease"),
}
# Newer than what the embedded API server serves, and behind feature gates.
UNSERVED = {
    "nodeAllocatableResourceClaimStatuses",
    "healthConditions",
    "mapping",
    "overhead",
    "evictionResponders",
    "volumeHealth",
    "scheduling",
}


def published(definitions: dict[str, Any], name: str, path: str, seen: tuple[str, ...] = ()) -> dict[str, str]:
    """Path → merge key of every merged list inside a definition, as Kubernetes publishes it."""
    found: dict[str, str] = {}
    for field, schema in definitions[name].get("properties", {}).items():
        if field in UNSERVED:
            continue
        here = f"{path}.{field}"
        if "merge" in (schema.get("x-kubernetes-patch-strategy") or "").split(","):
            found[here] = schema.get("x-kubernetes-patch-merge-key") or ""
        elif "items" in schema:
            continue  # replaced as a whole: what is inside is never merged
        reference = schema.get("$ref") or (schema.get("items") or {}).get("$ref") or ""
        inner = reference.rpartition("/")[2]
        if inner in definitions and inner not in seen:
            found |= published(definitions, inner, here, (*seen, name))
    return found


def ours(struct: mergekeys.Struct, path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, field in struct.items():
        here = f"{path}.{name}"
        if field.merge:
            found[here] = field.key
        if field.struct:
            found |= ours(mergekeys.STRUCTS[field.struct], here)
    return found


@pytest.mark.parametrize(
    ("definition", "api_version", "kind"),
    [(f"{group}.{kind}", version, kind) for group, (version, kinds) in ROOTS.items() for kind in kinds.split()],
)
def test_merge_keys_are_those_that_kubernetes_publishes(definition: str, api_version: str, kind: str) -> None:
    newest = max(
        SCHEMAS.glob("v1.*-local"), key=lambda path: [int(part) for part in path.name[1:].split("-")[0].split(".")]
    )
    definitions = json.loads((newest / "_definitions.json").read_text())["$defs"]
    assert ours(mergekeys.KINDS[api_version, kind], kind) == published(definitions, definition, kind)
