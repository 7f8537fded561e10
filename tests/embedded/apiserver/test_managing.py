"""Who wrote what, without a server: names of managers, what can be owned, what an update leaves to whom."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds, drafts, errors, managing

NOW = 1_700_000_000.0
DEPLOYMENT = next(each for each in builtin_kinds.ALL if each.type == resources.DEPLOYMENT)
CONFIG_MAP = next(each for each in builtin_kinds.ALL if each.type == resources.CONFIG_MAP)
NOTE = "kubectl.kubernetes.io/last-applied-configuration"


def config_map(**fields: Any) -> resources.Object:
    metadata = {"name": "a", "namespace": "default", "uid": "u", "creationTimestamp": "t", "resourceVersion": "7"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **fields}


def writer(manager: str, **how: bool) -> managing.Writer:
    return managing.Writer(manager, **how)


def owners(obj: resources.Object) -> dict[str, Any]:
    return {each["manager"]: each["fieldsV1"] for each in obj["metadata"].get("managedFields", [])}


@pytest.mark.parametrize(
    ("asked", "agent", "name"),
    [
        ("me", "kubectl/v1", "me"),
        ("", "kubectl/v1.37.1 (linux/amd64)", "kubectl"),
        ("", "OpenAPI-Generator/37.0.0/python", "OpenAPI-Generator"),
        ("", "", "unknown"),
        ("", "/1", "unknown"),
        ("", "\x00\x01", "unknown"),
        ("", "é" * 100, "é" * 64),
    ],
)
def test_the_name_of_a_manager(asked: str, agent: str, name: str) -> None:
    assert managing.manager_name(asked, agent) == name


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", ""),
        ("x" * 128, ""),
        ("x" * 129, "Too long: may not be more than 128 bytes"),
        ("é" * 65, "Too long: may not be more than 128 bytes"),
        ("a\x00", 'Invalid value: "a\\u0000": should only contain printable characters'),
    ],
)
def test_what_is_no_name(name: str, fault: str) -> None:
    assert managing.name_fault(name) == fault


class TestCreated:
    def test_identity_is_nobodys(self) -> None:
        draft = config_map(data={"x": "1"})
        draft["metadata"]["labels"] = {"a": "b"}
        managing.created(CONFIG_MAP, draft, writer("m"), NOW, {})
        assert owners(draft) == {
            "m": {"f:data": {".": {}, "f:x": {}}, "f:metadata": {"f:labels": {".": {}, "f:a": {}}}}
        }
        assert draft["metadata"]["managedFields"][0]["time"] == "2023-11-14T22:13:20Z"

    def test_an_object_of_identity_alone_is_nobodys(self) -> None:
        draft = config_map()
        managing.created(CONFIG_MAP, draft, writer("m"), NOW, {})
        assert "managedFields" not in draft["metadata"]

    def test_a_status_that_is_a_part_of_its_own_is_nobodys(self) -> None:
        draft = {"metadata": {"name": "d"}, "spec": {"paused": True}, "status": {"replicas": 1}}
        managing.created(DEPLOYMENT, draft, writer("m"), NOW, {})
        assert owners(draft) == {"m": {"f:spec": {"f:paused": {}}}}


class TestUpdated:
    def test_nothing_of_the_old_object_is_changed(self) -> None:
        old = config_map(data={"x": "1"})
        managing.created(CONFIG_MAP, old, writer("one"), NOW, {})
        draft = {**old, "data": {"x": "2"}}
        before = copy.deepcopy(old)
        managing.updated(managing.Change(CONFIG_MAP, old), draft, writer("two"), NOW)
        assert old == before
        assert owners(draft) == {"one": {"f:data": {}}, "two": {"f:data": {"f:x": {}}}}

    def test_without_owners_there_stay_none(self) -> None:
        old = config_map(data={"x": "1"})
        draft = {**old, "data": {"x": "2"}}
        managing.updated(managing.Change(CONFIG_MAP, old), draft, writer("two"), NOW)
        assert "managedFields" not in draft["metadata"]


class TestApply:
    def apply(self, live: resources.Object | None, config: resources.Object, manager: str = "m") -> resources.Object:
        return managing.apply(managing.Applied(CONFIG_MAP, config), live, writer(manager), NOW)

    def test_a_new_object_is_what_was_applied(self) -> None:
        config = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "a", "labels": {"l": "1"}},
            "data": {"x": "1"},
        }
        made = self.apply(None, config)
        assert owners(made) == {"m": {"f:data": {"f:x": {}}, "f:metadata": {"f:labels": {"f:l": {}}}}}
        made["metadata"].pop("managedFields")
        assert made == config

    def test_what_is_live_keeps_its_identity(self) -> None:
        live = config_map(data={"x": "1"})
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"y": "1"}}
        before = copy.deepcopy((live, config))
        made = self.apply(live, config)
        assert (live, config) == before
        assert {**made["metadata"], "managedFields": None} == {**live["metadata"], "managedFields": None}
        assert made["data"] == {"x": "1", "y": "1"}
        assert owners(made) == {"m": {"f:data": {"f:y": {}}}, "before-first-apply": {"f:data": {".": {}, "f:x": {}}}}

    def test_identity_outlives_the_last_label(self) -> None:
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}
        labelled = {**config, "metadata": {"name": "a", "labels": {"l": "1"}, "annotations": {"n": "1"}}}
        live = self.apply(config_map(), labelled)
        assert live["metadata"]["labels"] == {"l": "1"}
        made = self.apply(live, config)
        assert owners(made) == {"m": {"f:data": {"f:x": {}}}}
        assert {**made["metadata"], "managedFields": None} == {**config_map()["metadata"], "managedFields": None}

    def test_preconditions_come_along_for_the_check(self) -> None:
        config = {"metadata": {"name": "a", "uid": "other", "resourceVersion": "3"}, "data": {}}
        metadata = self.apply(config_map(), config)["metadata"]
        assert (metadata["uid"], metadata["resourceVersion"]) == ("other", "3")

    def test_a_conflict_has_a_cause_for_each_field(self) -> None:
        live = config_map(data={"x": "1", "y": "1"})
        managing.created(CONFIG_MAP, live, writer("one"), NOW, {})
        config = {"metadata": {"name": "a"}, "data": {"x": "2", "y": "2"}}
        with pytest.raises(errors.ConflictError) as caught:
            self.apply(live, config)
        assert caught.value.about is not None
        assert [each["field"] for each in caught.value.about["causes"]] == [".data.x", ".data.y"]

    @pytest.mark.parametrize("note", ["", "{", '{"apiVersion":"v2","data":{"x":"1"}}'])
    def test_an_annotation_that_says_nothing_gives_no_right(self, note: str) -> None:
        live = config_map(data={"x": "1"})
        live["metadata"]["annotations"] = {NOTE: note}
        managing.created(CONFIG_MAP, live, writer("one"), NOW, {})
        with pytest.raises(errors.ConflictError):
            self.apply(live, {"metadata": {"name": "a"}, "data": {"x": "2"}}, "kubectl")


class TestBirth:
    """What the server adds to a new object is nobody's: whoever applies less of it later takes nothing away."""

    @staticmethod
    def born(kind: resources.ResourceType, body: dict[str, Any]) -> tuple[resources.Object, dict[str, Any]]:
        resource = next(each for each in builtin_kinds.ALL if each.type == kind)
        place = drafts.Place(resource, "default" if kind.namespaced else "", "n")
        birth = drafts.Birth("", "uid-1", NOW, writer("m"))
        obj = drafts.created(place, drafts.identified(place, body), birth)
        return obj, owners(obj)["m"]

    def test_a_pods_account(self) -> None:
        containers = [{"name": "c", "image": "i"}]
        obj, owned = self.born(resources.POD, {"spec": {"containers": containers}})
        assert (obj["spec"]["serviceAccount"], obj["spec"]["serviceAccountName"]) == ("default", "default")
        assert {"f:containers", "f:restartPolicy"} <= owned["f:spec"].keys()
        assert not {"f:serviceAccount", "f:serviceAccountName"} & owned["f:spec"].keys()
        _, owned = self.born(resources.POD, {"spec": {"containers": containers, "serviceAccountName": "mine"}})
        assert {"f:serviceAccount", "f:serviceAccountName"} <= owned["f:spec"].keys()

    @pytest.mark.parametrize("labels", [{}, {"mine": "x"}])
    def test_a_jobs_selector(self, labels: dict[str, str]) -> None:
        pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
        obj, owned = self.born(resources.JOB, {"spec": {"template": {"metadata": {"labels": labels}, "spec": pod}}})
        assert obj["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "uid-1"}}
        assert "f:selector" not in owned["f:spec"]
        left = owned["f:spec"]["f:template"].get("f:metadata", {}).get("f:labels", {})
        assert left.keys() - {"."} == {f"f:{each}" for each in labels}

    def test_a_namespaces_finalizer_and_not_its_name(self) -> None:
        obj, owned = self.born(resources.NAMESPACE, {})
        assert obj["spec"] == {"finalizers": ["kubernetes"]}
        assert owned == {"f:metadata": {"f:labels": {".": {}, "f:kubernetes.io/metadata.name": {}}}}

    def test_a_namespace_is_always_found_by_its_name(self) -> None:
        old, _ = self.born(resources.NAMESPACE, {"metadata": {"labels": {"a": "b"}}})
        assert old["metadata"]["labels"] == {"a": "b", "kubernetes.io/metadata.name": "n"}
        old["metadata"]["resourceVersion"] = "7"
        place = drafts.Place(builtin_kinds.NAMESPACE, "", "n")
        lost = drafts.identified(place, {"metadata": {"labels": {"kubernetes.io/metadata.name": "x"}}})
        new = drafts.updated(place, lost, old, drafts.Turn("", NOW))
        assert new["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
