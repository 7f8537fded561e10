"""RoleSets: their rules and legacy forms, row by row, on their own and inside a StormService."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from brickyard.api.kinds import contract, resources, shapes
from brickyard.api.kinds.roleset import admission as roleset
from brickyard.api.kinds.stormservice import admission as stormservice

GROUP = {
    "minMember": 2,
    "priorityClassName": "high",
    "scheduleTimeoutSeconds": 30,
    "application": "llama",
    "affinity": {"podGroupAffinity": {}},
}


class Bare:
    """A RoleSet of its own."""

    rules: contract.KindRules = roleset.Rules()
    path: tuple[str, ...] = ("spec",)
    shown = "spec"

    def make(self, spec: Any) -> resources.Object:
        return {"metadata": {"name": "a"}, "spec": spec}


class Inside(Bare):
    """A RoleSet's spec inside a StormService."""

    rules = stormservice.Rules()
    path = ("spec", "template", "spec")
    shown = "spec.template.spec"

    def make(self, spec: Any) -> resources.Object:
        return {"metadata": {"name": "a"}, "spec": {"template": {"spec": spec}}}


@pytest.fixture(params=[Bare, Inside])
def home(request: pytest.FixtureRequest) -> Bare:
    made: Callable[[], Bare] = request.param
    return made()


def converted(home: Bare, spec: Any) -> tuple[Any, list[str]]:
    """The spec of today, and the warnings with the path of the spec cut out. The argument stays; twice is once."""
    obj = home.make(spec)
    before = copy.deepcopy(obj)
    found = home.rules.convert(obj)
    assert obj == before
    assert home.rules.convert(found.obj).obj == found.obj
    return shapes.at(found.obj, *home.path), [each.replace(f"{home.shown}.", "", 1) for each in found.warnings]


class TestToday:
    @pytest.mark.parametrize(
        "spec",
        [
            None,
            {},
            {"roles": [{"name": "a", "podGroupSize": 1}, {"name": "b", "podGroupSize": 100}]},
            {"updateStrategy": "Parallel", "schedulingStrategy": {"volcanoSchedulingStrategy": {"minMember": 1}}},
            {"roles": [{"name": "a", "updateStrategy": {"type": "InPlaceIfPossible"}}]},
            {"roles": [{"name": "a", "podGroupSize": 101}]},
        ],
    )
    def test_nothing_to_convert(self, home: Bare, spec: Any) -> None:
        assert converted(home, spec) == (spec, [])


class TestPodGroup:
    def test_it_is_godel_s(self, home: Bare) -> None:
        spec, warnings = converted(home, {"schedulingStrategy": {"podGroup": GROUP}})
        assert spec["schedulingStrategy"] == {"godelSchedulingStrategy": GROUP}
        assert len(warnings) == 1
        assert warnings[0].startswith("schedulingStrategy.podGroup is taken for godelSchedulingStrategy; write ")

    @pytest.mark.parametrize(
        "kind", ["godelSchedulingStrategy", "coschedulingSchedulingStrategy", "volcanoSchedulingStrategy"]
    )
    def test_a_strategy_of_today_wins(self, home: Bare, kind: str) -> None:
        spec, warnings = converted(home, {"schedulingStrategy": {"podGroup": GROUP, kind: {"minMember": 1}}})
        assert spec["schedulingStrategy"] == {kind: {"minMember": 1}}
        assert warnings == [
            "schedulingStrategy.podGroup is not read beside a scheduling strategy of today; leave it out"
        ]

    def test_applied_again_with_an_edit(self, home: Bare) -> None:
        """kubectl sends the legacy member again, since it is not in the stored object."""
        stored = home.rules.convert(home.make({"schedulingStrategy": {"podGroup": GROUP}})).obj
        path = (*home.path, "schedulingStrategy", "podGroup")
        again = home.rules.convert(shapes.placed(stored, path, {**GROUP, "minMember": 5})).obj
        assert shapes.at(again, *path[:-1]) == {"godelSchedulingStrategy": {**GROUP, "minMember": 5}}

    @pytest.mark.parametrize("strategy", ["x", [], {"podGroup": "x"}, {"podGroup": None}])
    def test_strange_shapes(self, home: Bare, strategy: Any) -> None:
        assert converted(home, {"schedulingStrategy": strategy}) == ({"schedulingStrategy": strategy}, [])


class TestEmptyWords:
    def test_order_of_roles(self, home: Bare) -> None:
        assert converted(home, {"updateStrategy": "", "roles": []}) == (
            {"roles": []},
            ["updateStrategy is empty and taken for Sequential; write that or leave it out"],
        )

    def test_update_of_a_role(self, home: Bare) -> None:
        spec = {"roles": [{"name": "a"}, {"name": "b", "updateStrategy": {"type": "", "maxSurge": 1}}]}
        assert converted(home, spec) == (
            {"roles": [{"name": "a"}, {"name": "b", "updateStrategy": {"maxSurge": 1}}]},
            ["roles[1].updateStrategy.type is empty and taken for Recreate; write that or leave it out"],
        )

    @pytest.mark.parametrize("size", [0, -1])
    def test_groups_of_none(self, home: Bare, size: int) -> None:
        assert converted(home, {"roles": [{"name": "a", "podGroupSize": size}]}) == (
            {"roles": [{"name": "a"}]},
            [f"roles[0].podGroupSize {size} is taken for pods without groups; leave it out, or write 1 to 100"],
        )

    def test_annotations_without_a_value(self, home: Bare) -> None:
        template = {"metadata": {"annotations": {"annotations": None, "a": "b"}}, "spec": {}}
        spec, warnings = converted(home, {"roles": [{"name": "a", "template": template}]})
        assert spec["roles"][0]["template"] == {"metadata": {"annotations": {"a": "b"}}, "spec": {}}
        assert warnings == [
            "roles[0].template.metadata.annotations[annotations] has no value and is dropped; give it one or leave it out"
        ]

    @pytest.mark.parametrize("roles", ["x", {}, [None], [[]], ["x"], [{"updateStrategy": "", "template": []}]])
    def test_strange_roles(self, home: Bare, roles: Any) -> None:
        assert converted(home, {"roles": roles}) == ({"roles": roles}, [])


class TestNames:
    def test_names_are_told_apart(self, home: Bare) -> None:
        obj = home.make({"roles": [{"name": "a"}, {"name": "b"}, {"name": "a"}]})
        (error,) = home.rules.validate(obj, None)
        assert (error.path, error.message) == (f"{home.shown}.roles[2].name", 'Duplicate value: "a"')
        assert list(home.rules.validate(obj, obj)) == []

    @pytest.mark.parametrize(
        "roles", [None, [], [{}, {}], [{"name": ""}, {"name": ""}], [{"name": {}}, {"name": {}}], [1, 1], "aa"]
    )
    def test_what_has_no_name_is_not_compared(self, home: Bare, roles: Any) -> None:
        assert list(home.rules.validate(home.make({"roles": roles}), None)) == []
