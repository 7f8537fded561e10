from __future__ import annotations

from typing import Any

import pytest

from brickyard.api.kinds import contract as kinds
from brickyard.api.kinds import faults, resources
from brickyard.kube.webhooks import adapting, contract


class Rules(kinds.NoRules):
    """Knows one legacy form (``spec.count``), one default and two faults."""

    def convert(self, obj: resources.Object) -> kinds.Converted:
        spec = obj.get("spec") or {}
        if "count" not in spec or "replicas" in spec:
            return kinds.Converted(obj)
        return kinds.Converted(
            {**obj, "spec": {**spec, "replicas": spec["count"]}}, ["spec.count: write spec.replicas"]
        )

    def default(self, obj: resources.Object) -> resources.Object:
        return {**obj, "spec": {"mode": "plain", **(obj.get("spec") or {})}}

    def validate(self, obj: resources.Object, old: resources.Object | None) -> faults.Errors:
        spec = obj.get("spec") or {}
        if (spec.get("replicas") or 0) < 0:
            yield faults.invalid("spec.replicas", spec["replicas"], "must not be negative")
        if old is not None and spec.get("mode") != (old.get("spec") or {}).get("mode"):
            yield faults.forbidden("spec.mode", "cannot be changed")


def asked(
    obj: dict[str, Any],
    old: dict[str, Any] | None = None,
    operation: contract.Operation = contract.Operation.CREATE,
    name: str = "x",
) -> contract.Request:
    return contract.Request("u", operation, "example.com", "Thing", "default", name, obj, old)


MUTATING = adapting.mutating(Rules())
VALIDATING = adapting.validating(Rules())


def test_a_legacy_form_is_converted_defaulted_and_told() -> None:
    answer = MUTATING(asked({"spec": {"count": 2}}))
    assert answer == contract.Patched(
        {"spec": {"mode": "plain", "count": 2, "replicas": 2}}, ("spec.count: write spec.replicas",)
    )


def test_all_faults_come_at_once() -> None:
    new, old = {"spec": {"replicas": -1, "mode": "b"}}, {"spec": {"mode": "a"}}
    answer = VALIDATING(asked(new, old, contract.Operation.UPDATE))
    assert isinstance(answer, contract.Denied)
    assert (answer.code, answer.reason) == (422, "Invalid")
    assert answer.message == (
        'Thing.example.com "x" is invalid: [spec.replicas: Invalid value: -1: must not be negative, '
        "spec.mode: Forbidden: cannot be changed]"
    )
    assert [each["field"] for each in answer.details["causes"]] == ["spec.replicas", "spec.mode"]
    assert answer.details["name"] == "x"


def test_one_fault_is_told_without_brackets() -> None:
    answer = VALIDATING(asked({"metadata": {"generateName": "thing-"}, "spec": {"replicas": -1}}, name=""))
    assert isinstance(answer, contract.Denied)
    assert answer.message == (
        'Thing.example.com "thing-" is invalid: spec.replicas: Invalid value: -1: must not be negative'
    )


def test_a_legacy_form_is_judged_where_nothing_was_mutated() -> None:
    assert isinstance(VALIDATING(asked({"spec": {"count": -1}})), contract.Denied)


@pytest.mark.parametrize("spec", [{"replicas": 1}, {}, None])
def test_what_is_right_is_allowed(spec: object) -> None:
    assert VALIDATING(asked({"spec": spec})) == contract.Allowed()


@pytest.mark.parametrize("operation", [contract.Operation.DELETE, contract.Operation.CONNECT])
@pytest.mark.parametrize("handler", [MUTATING, VALIDATING])
def test_other_operations_are_allowed(handler: contract.Handler, operation: contract.Operation) -> None:
    assert handler(asked({"spec": {"replicas": -1}}, operation=operation)) == contract.Allowed()
