"""From what a client sent to what is stored: whose field is whose, row by row."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from brickyard.api.kinds import contract as kinds
from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver import contract, drafts, errors, managing, strategies

NOW = 1_700_000_000.0
BIRTH = drafts.Birth("made-up", "new-uid", NOW)


@dataclasses.dataclass(frozen=True)
class Rules:
    """Admission with plain knobs."""

    unknown: Sequence[str] = ()
    found: Sequence[faults.FieldError] = ()
    mistyped: str = ""
    legacy: Sequence[str] = ()

    def convert(self, obj: resources.Object) -> kinds.Converted:
        return kinds.Converted({**obj, "spec": {"size": 2}}, self.legacy) if self.legacy else kinds.Converted(obj)

    def check_types(self, obj: resources.Object) -> None:
        if self.mistyped:
            raise contract.UndecodableError(self.mistyped)

    def default(self, obj: resources.Object) -> resources.Object:
        return {**obj, "spec": {"size": 1, **(obj.get("spec") or {})}}

    def validate(self, obj: resources.Object, old: resources.Object | None) -> Sequence[faults.FieldError]:
        return self.found

    def unknown_fields(self, obj: resources.Object) -> Sequence[str]:
        return self.unknown

    def prune(self, obj: resources.Object) -> resources.Object:
        return {key: value for key, value in obj.items() if key not in self.unknown}


WIDGET = resources.ResourceType("example.com", "v1", "widgets", "Widget")


def place(rules: Rules | None = None, kind: resources.ResourceType = WIDGET, name: str = "") -> drafts.Place:
    resource = contract.Resource(kind, kind.kind.lower(), rules or Rules(), subresources=frozenset({"status"}))
    return drafts.Place(resource, "default" if kind.namespaced else "", name)


def stored(**fields: Any) -> resources.Object:
    """A widget as the server keeps it."""
    metadata = {
        "name": "w",
        "namespace": "default",
        "uid": "old-uid",
        "creationTimestamp": "2020-01-01T00:00:00Z",
        "generation": 3,
        "resourceVersion": "7",
        **fields.pop("metadata", {}),
    }
    found = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata, "spec": {"size": 1}, **fields}
    return {key: value for key, value in found.items() if value is not None}


class TestIdentified:
    @pytest.mark.parametrize(
        ("body", "namespace", "name"),
        [
            ({}, "default", None),
            ({"metadata": None}, "default", None),
            ({"metadata": {"name": "w", "namespace": "default"}}, "default", "w"),
            ({"metadata": {"namespace": None}}, "default", None),
            ({"apiVersion": "example.com/v1", "kind": "Widget"}, "default", None),
            ({"apiVersion": None, "kind": None}, "default", None),
        ],
    )
    def test_what_is_left_out_is_filled_in(self, body: Any, namespace: str, name: str | None) -> None:
        obj = drafts.identified(place(), body)
        assert (obj["apiVersion"], obj["kind"]) == ("example.com/v1", "Widget")
        assert obj["metadata"].get("namespace") == namespace
        assert obj["metadata"].get("name") == name

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (None, "must be a JSON object"),
            ("text", "must be a JSON object"),
            ({"kind": "Gadget"}, "of kind 'Gadget'"),
            ({"kind": ["Widget"]}, "of kind"),
            ({"apiVersion": "example.com/v2"}, "does not match the expected API version"),
            ({"metadata": []}, "cannot unmarshal"),
            ({"metadata": {"namespace": "other"}}, "namespace of the provided object does not match"),
            ({"metadata": {"name": "x"}}, "does not match the name on the URL (w)"),
        ],
    )
    def test_contradictions(self, body: Any, message: str) -> None:
        with pytest.raises(errors.BadRequestError) as caught:
            drafts.identified(place(name="w"), body)
        assert message in str(caught.value)

    def test_the_body_is_not_changed(self) -> None:
        body = {"metadata": {"name": "w", "managedFields": [{}], "selfLink": "/x"}}
        obj = drafts.identified(place(), body)
        assert obj["metadata"] == {"name": "w", "namespace": "default", "managedFields": [{}]}
        assert body == {"metadata": {"name": "w", "managedFields": [{}], "selfLink": "/x"}}

    def test_cluster_wide_kinds_get_no_namespace(self) -> None:
        assert drafts.identified(place(kind=resources.NODE), {})["metadata"] == {}


class TestDecoded:
    RULES = Rules(unknown=("oops", "spec.siez"))

    @pytest.mark.parametrize(
        ("strictness", "warnings"),
        [("Warn", ['unknown field "oops"', 'unknown field "spec.siez"']), ("Ignore", [])],
    )
    def test_unknown_fields_go(self, strictness: drafts.Strictness, warnings: list[str]) -> None:
        obj, told = drafts.decoded(place(self.RULES), {"oops": 1}, strictness)
        assert "oops" not in obj
        assert told == warnings

    def test_strict(self) -> None:
        with pytest.raises(errors.BadRequestError) as caught:
            drafts.decoded(place(self.RULES), {"oops": 1}, "Strict")
        assert str(caught.value) == (
            'Widget in version "v1" cannot be handled as a Widget: strict decoding error: '
            'unknown field "oops", unknown field "spec.siez"'
        )

    @pytest.mark.parametrize(
        ("strictness", "warnings"),
        [("Strict", ["size was siez"]), ("Warn", ["size was siez"]), ("Ignore", ["size was siez"])],
    )
    def test_legacy_forms_are_told_of_however_strict(self, strictness: drafts.Strictness, warnings: list[str]) -> None:
        obj, told = drafts.decoded(place(Rules(legacy=("size was siez",))), {}, strictness)
        assert obj["spec"] == {"size": 2}
        assert told == warnings

    def test_legacy_forms_come_before_unknown_fields(self) -> None:
        _, told = drafts.decoded(place(Rules(legacy=("first",), unknown=("oops",))), {"oops": 1}, "Warn")
        assert told == ["first", 'unknown field "oops"']

    def test_a_write_of_the_status_converts_nothing(self) -> None:
        obj, told = drafts.decoded(place(Rules(legacy=("size was siez",))), {"status": {}}, "Warn", "status")
        assert "spec" not in obj
        assert told == []

    def test_types_come_first(self) -> None:
        with pytest.raises(errors.BadRequestError, match="no such type"):
            drafts.decoded(place(Rules(unknown=("oops",), mistyped="no such type")), {"oops": 1}, "Strict")


class TestCreated:
    def make(self, body: resources.Object, kind: resources.ResourceType = WIDGET) -> resources.Object:
        where = place(kind=kind)
        return drafts.created(where, drafts.identified(where, body), BIRTH)

    @pytest.mark.parametrize(
        ("metadata", "name"), [({}, "made-up"), ({"name": "w"}, "w"), ({"name": "w", "generateName": "x-"}, "w")]
    )
    def test_the_name_is_the_clients_if_it_gave_one(self, metadata: dict[str, Any], name: str) -> None:
        assert self.make({"metadata": metadata})["metadata"]["name"] == name

    def test_identity_is_the_servers(self) -> None:
        mine = {
            "uid": "mine",
            "creationTimestamp": "2001-01-01T00:00:00Z",
            "deletionTimestamp": "2001-01-01T00:00:00Z",
            "deletionGracePeriodSeconds": 1,
            "generation": 9,
        }
        metadata = self.make({"metadata": {"name": "w", "labels": {"a": "b"}, **mine}})["metadata"]
        assert [each["manager"] for each in metadata.pop("managedFields")] == [managing.SERVER]
        assert metadata == {
            "name": "w",
            "namespace": "default",
            "labels": {"a": "b"},
            "uid": "new-uid",
            "creationTimestamp": "2023-11-14T22:13:20Z",
            "generation": 1,
        }

    @pytest.mark.parametrize(
        ("kind", "generation"),
        [
            (WIDGET, 1),
            (resources.DEPLOYMENT, 1),
            (resources.POD, 1),
            (resources.CONFIG_MAP, None),
            (resources.SERVICE, None),
            (resources.LEASE, None),
        ],
    )
    def test_which_kinds_count_generations(self, kind: resources.ResourceType, generation: int | None) -> None:
        assert self.make({}, kind)["metadata"].get("generation") == generation

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            (WIDGET, None),
            (resources.NODE, {"x": 1}),
            (resources.POD, {"phase": "Pending"}),
            (resources.NAMESPACE, {"phase": "Active"}),
        ],
    )
    def test_status_is_the_servers_but_for_nodes(self, kind: resources.ResourceType, status: Any) -> None:
        assert self.make({"status": {"x": 1}}, kind).get("status") == status

    def test_a_broken_rule(self) -> None:
        where = place(Rules(found=[faults.FieldError("spec.size", "FieldValueRequired", "Required value")]))
        with pytest.raises(errors.InvalidError) as caught:
            drafts.created(where, drafts.identified(where, {"metadata": {"name": "w"}}), BIRTH)
        assert str(caught.value) == 'Widget.example.com "w" is invalid: spec.size: Required value'
        assert caught.value.status()["details"] == {
            "name": "w",
            "group": "example.com",
            "kind": "Widget",
            "causes": [{"reason": "FieldValueRequired", "message": "Required value", "field": "spec.size"}],
        }


class TestUpdated:
    def update(self, body: resources.Object, old: resources.Object, part: str = "") -> resources.Object:
        where = place(name="w")
        return drafts.updated(where, drafts.identified(where, body), old, drafts.Turn(part, NOW))

    @pytest.mark.parametrize(
        ("body", "part", "generation"),
        [
            # body                                              part       generation (3 before)
            ({"spec": {"size": 1}}, "", 3),
            ({"spec": {"size": 2}}, "", 4),
            ({"spec": {"size": 1}, "other": True}, "", 4),
            ({"spec": {"size": 1}, "metadata": {"labels": {"a": "b"}}}, "", 3),
            ({"spec": {"size": 1}, "status": {"x": 1}}, "", 3),
            ({"spec": {"size": 2}, "status": {"x": 1}}, "status", 3),
        ],
    )
    def test_generation(self, body: resources.Object, part: str, generation: int) -> None:
        assert self.update(body, stored(), part)["metadata"]["generation"] == generation

    @pytest.mark.parametrize(
        ("part", "spec", "status", "labels"),
        [("", 2, {"old": 1}, {"new": "1"}), ("status", 1, {"new": 1}, {"old": "1"})],
    )
    def test_each_part_writes_its_own(self, part: str, spec: int, status: Any, labels: Any) -> None:
        old = stored(status={"old": 1}, metadata={"labels": {"old": "1"}})
        body = {"spec": {"size": 2}, "status": {"new": 1}, "metadata": {"labels": {"new": "1"}}}
        found = self.update(body, old, part)
        assert (found["spec"]["size"], found["status"], found["metadata"]["labels"]) == (spec, status, labels)

    def test_a_status_can_be_taken_away(self) -> None:
        assert "status" not in self.update({}, stored(status={"old": 1}), "status")

    @pytest.mark.parametrize(
        ("metadata", "error"),
        [
            ({}, None),
            ({"resourceVersion": "7", "uid": "old-uid"}, None),
            ({"resourceVersion": "6"}, errors.ConflictError),
            ({"resourceVersion": "x"}, errors.ConflictError),
            ({"uid": "another"}, errors.ConflictError),
            ({"creationTimestamp": "2020-01-01T00:00:00Z"}, None),
            ({"creationTimestamp": "2020-01-01T00:00:00+00:00"}, None),
            ({"creationTimestamp": "2020-01-01T02:00:00+02:00"}, None),
            ({"creationTimestamp": "2020-01-01T00:00:00+02:00"}, errors.InvalidError),
            ({"creationTimestamp": "2020-01-01T00:00:01Z"}, errors.InvalidError),
            ({"finalizers": ["a/b"]}, None),
        ],
    )
    @pytest.mark.parametrize("part", ["", "status"])
    def test_preconditions(self, metadata: dict[str, Any], error: type[Exception] | None, part: str) -> None:
        # The status writes no metadata, and so has nothing to say against its times.
        if error is None or (part == "status" and error is errors.InvalidError):
            assert self.update({"metadata": metadata}, stored(), part)["metadata"]["uid"] == "old-uid"
        else:
            with pytest.raises(error):
                self.update({"metadata": metadata}, stored(), part)

    @pytest.mark.parametrize(
        ("before", "after", "allowed"),
        [
            (["a/b"], ["a/b"], True),
            (["a/b", "c/d"], ["c/d"], True),
            (["a/b"], [], True),
            (["a/b"], ["a/b", "c/d"], False),
            ([], ["a/b"], False),
        ],
    )
    def test_finalizers_of_what_is_going(self, before: list[str], after: list[str], allowed: bool) -> None:
        old = stored(metadata={"finalizers": before, "deletionTimestamp": "2020-01-01T00:00:00Z"})
        if allowed:
            found = self.update({"metadata": {"finalizers": after}}, old)
            assert found["metadata"]["deletionTimestamp"] == "2020-01-01T00:00:00Z"
        else:
            with pytest.raises(errors.InvalidError, match=r"no new finalizers can be added .*\[\]string\{"):
                self.update({"metadata": {"finalizers": after}}, old)


class TestStrategies:
    def test_a_definition_is_established_at_birth_and_keeps_its_transition_times(self) -> None:
        strategy = strategies.of("apiextensions.k8s.io/customresourcedefinitions")
        spec = {"names": {"plural": "widgets"}, "versions": [{"name": "v1", "storage": True}]}
        draft: resources.Object = {"metadata": {"finalizers": ["a/b"]}, "spec": spec}
        strategy.born(draft, NOW)
        assert draft["metadata"]["finalizers"] == ["a/b", strategies.DEFINITION_FINALIZER]
        assert draft["status"]["storedVersions"] == ["v1"]
        changed = {**draft, "spec": {**spec, "versions": [{"name": "v1"}, {"name": "v2", "storage": True}]}}
        strategy.guard(changed, draft, NOW + 60)
        assert changed["status"]["storedVersions"] == ["v1", "v2"]
        assert changed["status"]["conditions"] == draft["status"]["conditions"]
        strategy.doomed(changed, NOW + 90)
        assert [each["type"] for each in changed["status"]["conditions"]] == [
            "NamesAccepted",
            "Established",
            "Terminating",
        ]

    def test_a_namespace_keeps_what_the_server_wrote(self) -> None:
        strategy = strategies.of("/namespaces")
        old: resources.Object = {"metadata": {"name": "n"}, "spec": {"finalizers": ["mine/x"]}}
        strategy.born(old, NOW)
        assert old["spec"]["finalizers"] == ["kubernetes"]
        draft: resources.Object = {"metadata": {"name": "n"}}
        strategy.guard(draft, old, NOW)
        assert draft["spec"]["finalizers"] == ["kubernetes"]

    @pytest.mark.parametrize(
        ("obj", "asked", "seconds"),
        [
            ({"spec": {"nodeName": "n"}}, None, 30),
            ({"spec": {"nodeName": "n", "terminationGracePeriodSeconds": 7}}, None, 7),
            ({"spec": {"nodeName": "n", "terminationGracePeriodSeconds": 7}}, 3, 3),
            ({"spec": {"nodeName": "n"}}, -1, 1),
            ({"spec": {}}, 30, 0),
            ({"spec": {"nodeName": "n"}, "status": {"phase": "Failed"}}, 30, 0),
        ],
    )
    def test_grace_of_pods(self, obj: resources.Object, asked: int | None, seconds: int) -> None:
        assert strategies.of("/pods").grace(obj, asked) == seconds
