"""A StormService's own rules and legacy forms. What its template says is tested with the RoleSet, the sidecar with the sidecar."""

from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.api.kinds.stormservice import admission

RULES = admission.Rules()


def storm(name: str, *roles: tuple[str, Any]) -> resources.Object:
    made = [{"name": role, "podGroupSize": size} for role, size in roles]
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"roles": made}}}}


def messages(obj: resources.Object) -> list[str]:
    assert all(each.path == "metadata.name" for each in RULES.validate(obj, None))
    return [each.message.partition(": ")[2].partition(": ")[2] for each in RULES.validate(obj, None)]


class TestName:
    def test_63_fit(self) -> None:
        assert messages(storm("s" * 63)) == []
        assert messages(storm("s" * 64)) == ["StormService name must be no more than 63 characters"]

    @pytest.mark.parametrize(
        ("name", "roles", "lengths"),
        [
            (50, [("r" * 20, 2)], (50, 20, 106)),
            (30, [("a" * 5, 2), ("r" * 35, 4), ("b", 2)], (30, 35, 101)),
            (17, [("r" * 11, 2)], (17, 11, 64)),
        ],
    )
    def test_without_room_for_its_pods(self, name: int, roles: Any, lengths: tuple[int, int, int]) -> None:
        own, role, estimate = lengths
        (message,) = messages(storm("s" * name, *roles))
        assert message == (
            f"combined length of StormService name ({own}) and longest PodSet-enabled role name ({role}) may produce "
            f"PodSet names exceeding 63 characters (estimated: {estimate})"
        )

    @pytest.mark.parametrize(
        ("name", "roles"),
        [
            (12, [("r" * 11, 2)]),
            (16, [("r" * 11, 2)]),
            (50, [("r" * 20, 1), ("q" * 20, None), ("p" * 20, 0)]),
            (50, []),
        ],
    )
    def test_with_room(self, name: int, roles: Any) -> None:
        assert messages(storm("s" * name, *roles)) == []

    def test_both_at_once(self) -> None:
        assert len(messages(storm("s" * 64, ("r", 2)))) == 2

    def test_updates_are_not_judged(self) -> None:
        assert list(RULES.validate(storm("s" * 64, ("r", 2)), storm("a"))) == []


class TestNothing:
    """Published samples have no spec; a template may have none."""

    @pytest.mark.parametrize(
        "spec", [None, {}, [], "x", {"template": None}, {"template": {"spec": None}}, {"template": []}]
    )
    def test_it_is_stored(self, spec: Any) -> None:
        obj = {"metadata": {"name": "s"}, "spec": spec}
        assert RULES.convert(obj).obj == obj
        assert RULES.default(obj) is obj
        assert list(RULES.validate(obj, None)) == []

    @pytest.mark.parametrize("obj", [{}, {"metadata": None}, {"metadata": {"name": 7}}])
    def test_strange_metadata(self, obj: resources.Object) -> None:
        assert RULES.convert(obj).obj == obj
        assert RULES.default(obj) is obj
        assert list(RULES.validate(obj, None)) == []


class TestLegacy:
    def test_an_empty_update_strategy(self) -> None:
        found = RULES.convert({"metadata": {}, "spec": {"updateStrategy": {"type": "", "maxSurge": 1}}})
        assert found.obj["spec"] == {"updateStrategy": {"maxSurge": 1}}
        assert found.warnings == (
            "spec.updateStrategy.type is empty and taken for RollingUpdate; write that or leave it out",
        )

    def test_annotations_without_a_value(self) -> None:
        template = {"metadata": {"annotations": {"a": None}}}
        found = RULES.convert({"metadata": {"annotations": {"b": None}}, "spec": {"template": template}})
        assert found.obj == {"metadata": {"annotations": {}}, "spec": {"template": {"metadata": {"annotations": {}}}}}
        assert len(found.warnings) == 2
