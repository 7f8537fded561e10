"""Who is asked, row by row of the plan's table."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import catalog
from brickyard.embedded.apiserver import contract as kinds
from brickyard.embedded.apiserver.webhooks import contract, plan, testing

CATALOG = catalog.BuiltinCatalog()


def resource(kind: resources.ResourceType) -> kinds.Resource:
    found = CATALOG.find(kind.group, kind.version, kind.plural)
    assert found is not None
    return found


def obj(**labels: str) -> resources.Object:
    return {"metadata": {"name": "x", "labels": labels}}


POD = contract.Asked(resource(resources.POD), "default", "x", "CREATE", obj())
NODE = contract.Asked(resource(resources.NODE), "", "x", "CREATE", obj())
NAMESPACE = contract.Asked(resource(resources.NAMESPACE), "x", "x", "CREATE", obj())
DEPLOYMENT = contract.Asked(resource(resources.DEPLOYMENT), "default", "x", "UPDATE", obj(), obj())
HERE = plan.Situation({"team": "a"}, ("v1",))


def hook(rule: dict[str, Any] | None = None, **fields: Any) -> plan.Hook:
    rules = [{**testing.EVERYTHING, **(rule or {})}]
    return plan.hooks_of(testing.configuration("mutating", {}, rules=rules, **fields))[0]


@pytest.mark.parametrize(
    ("asked", "rule", "meant"),
    [
        (POD, {}, True),
        (POD, {"operations": ["CREATE"]}, True),
        (POD, {"operations": ["UPDATE", "DELETE"]}, False),
        (POD, {"apiGroups": [""]}, True),
        (POD, {"apiGroups": ["apps"]}, False),
        (POD, {"apiVersions": ["v1"]}, True),
        (POD, {"apiVersions": ["v2"]}, False),
        (POD, {"resources": ["pods"]}, True),
        (POD, {"resources": ["pods/*"]}, True),
        (POD, {"resources": ["*"]}, True),
        (POD, {"resources": ["pods/status"]}, False),
        (POD, {"resources": ["services", "*/scale"]}, False),
        (dataclasses.replace(POD, part="status"), {"resources": ["pods"]}, False),
        (dataclasses.replace(POD, part="status"), {"resources": ["*"]}, False),
        (dataclasses.replace(POD, part="status"), {"resources": ["*/status"]}, True),
        (dataclasses.replace(POD, part="status"), {"resources": ["pods/*"]}, True),
        (POD, {"scope": "Namespaced"}, True),
        (POD, {"scope": "Cluster"}, False),
        (NODE, {"scope": "Namespaced"}, False),
        (NODE, {"scope": "Cluster"}, True),
        (NAMESPACE, {"scope": "Namespaced"}, False),
        (NAMESPACE, {"scope": "Cluster"}, True),
        (DEPLOYMENT, {"apiGroups": ["apps"], "resources": ["deployments"]}, True),
    ],
)
def test_rules(asked: contract.Asked, rule: dict[str, Any], meant: bool) -> None:
    assert plan.version_for(hook(rule), asked, HERE) == (asked.resource.type.version if meant else None)


@pytest.mark.parametrize(
    ("policy", "versions", "chosen"),
    [
        ("Equivalent", ("v1", "v1beta1"), "v1beta1"),
        ("Equivalent", ("v1",), None),
        ("Exact", ("v1", "v1beta1"), None),
    ],
)
def test_another_version_of_the_kind(policy: str, versions: tuple[str, ...], chosen: str | None) -> None:
    found = hook({"apiVersions": ["v1beta1"]}, matchPolicy=policy)
    assert plan.version_for(found, POD, plan.Situation(None, versions)) == chosen


def test_the_version_of_the_request_comes_first() -> None:
    assert plan.version_for(hook(), POD, plan.Situation(None, ("v1beta1", "v1"))) == "v1"


TEAM_A = {"matchLabels": {"team": "a"}}
TEAM_B = {"matchExpressions": [{"key": "team", "operator": "In", "values": ["b"]}]}


@pytest.mark.parametrize(
    ("asked", "selector", "meant"),
    [
        (POD, TEAM_A, True),
        (POD, TEAM_B, False),
        (NODE, TEAM_B, True),
        (NAMESPACE, TEAM_A, False),
        (dataclasses.replace(NAMESPACE, object=obj(team="b")), TEAM_B, True),
        (dataclasses.replace(NAMESPACE, operation="DELETE", object=None, old=obj(team="b")), TEAM_B, True),
    ],
)
def test_the_namespace_selector(asked: contract.Asked, selector: dict[str, Any], meant: bool) -> None:
    assert (plan.version_for(hook(namespaceSelector=selector), asked, HERE) is not None) is meant


@pytest.mark.parametrize(
    ("new", "old", "meant"),
    [
        (obj(team="b"), None, True),
        (obj(team="a"), None, False),
        (obj(team="a"), obj(team="b"), True),
        (None, obj(team="b"), True),
        (None, obj(), False),
    ],
)
def test_the_object_selector(new: resources.Object | None, old: resources.Object | None, meant: bool) -> None:
    asked = dataclasses.replace(POD, object=new, old=old)
    assert (plan.version_for(hook(objectSelector=TEAM_B), asked, HERE) is not None) is meant


@pytest.mark.parametrize("kind", [resources.MUTATING_WEBHOOK_CONFIGURATION, resources.VALIDATING_WEBHOOK_CONFIGURATION])
def test_configurations_are_never_sent(kind: resources.ResourceType) -> None:
    asked = contract.Asked(resource(kind), "", "x", "DELETE", None, obj())
    assert plan.version_for(hook(), asked, HERE) is None


def test_what_a_configuration_leaves_out() -> None:
    spec = {"name": "a.b.c", "clientConfig": {"url": "https://x"}, "sideEffects": "Some"}
    (found,) = plan.hooks_of({"webhooks": [spec]})
    assert found == plan.Hook("a.b.c", {"url": "https://x"}, without_side_effects=False)
    assert plan.version_for(found, POD, HERE) is None
    assert plan.hooks_of({}) == ()


class TestRounds:
    def test_only_those_before_a_change_that_want_to(self) -> None:
        again, once, last = hook(name="a", reinvocationPolicy="IfNeeded"), hook(name="b"), hook(name="c")
        rounds = plan.Rounds()
        rounds.answered(again, changed=True)
        rounds.answered(once, changed=False)
        assert not rounds.wanted_again(again)
        rounds.answered(last, changed=True)
        assert [rounds.wanted_again(each) for each in (again, once, last)] == [True, False, False]

    @given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=6))
    def test_as_the_rule_says(self, steps: list[tuple[bool, bool]]) -> None:
        hooks = [
            hook(name=f"h{n}", reinvocationPolicy="IfNeeded" if wants else "Never")
            for n, (wants, _) in enumerate(steps)
        ]
        rounds = plan.Rounds()
        for each, (_, changed) in zip(hooks, steps, strict=True):
            rounds.answered(each, changed=changed)
        for n, (wants, _) in enumerate(steps):
            changed_later = any(changed for _, changed in steps[n + 1 :])
            assert rounds.wanted_again(hooks[n]) == (wants and changed_later)
