"""Roles, bindings, webhook configurations: who may do what, and who is asked."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds, contract
from brickyard.embedded.apiserver.admission import testing
from brickyard.embedded.apiserver.admission.testing import ABSENT, bent

RBAC = "rbac.authorization.k8s.io"
RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
URLS = {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}


def made(resource: contract.Resource, **content: Any) -> resources.Object:
    metadata = {"name": "a:b", **({"namespace": "default"} if resource.type.namespaced else {})}
    return {"apiVersion": resource.type.api_version, "kind": resource.type.kind, "metadata": metadata, **content}


def role(**rule: Any) -> resources.Object:
    return made(builtin_kinds.ROLE, rules=[{**RULE, **rule}])


def binding(resource: contract.Resource, kind: str, subject: dict[str, Any]) -> resources.Object:
    return made(resource, roleRef={"kind": kind, "name": "r"}, subjects=[subject])


def test_names_of_roles_may_hold_colons() -> None:
    assert testing.complaints(builtin_kinds.ROLE, role()) == []
    assert testing.complaints(builtin_kinds.CLUSTER_ROLE, made(builtin_kinds.CLUSTER_ROLE, rules=[RULE, URLS])) == []
    (found,) = testing.complaints(builtin_kinds.ROLE, bent(role(), "metadata.name", "a/b"))
    assert found == "metadata.name: Invalid value: \"a/b\": may not contain '/'"


ROLE_REFUSED = [
    ({"verbs": []}, ["rules[0].verbs: Required value: verbs must contain at least one value"]),
    (
        {"apiGroups": [], "resources": []},
        [
            "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
            "rules[0].resources: Required value: resource rules must supply at least one resource",
        ],
    ),
    (
        {"nonResourceURLs": ["/x"]},
        [
            'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
            (
                'rules[0].nonResourceURLs: Invalid value: ["/x"]: '
                "rules cannot apply to both regular resources and non-resource URLs"
            ),
        ],
    ),
]


@pytest.mark.parametrize(("rule", "complaints"), ROLE_REFUSED)
def test_what_is_wrong_with_a_role_is_named(rule: dict[str, Any], complaints: list[str]) -> None:
    assert testing.complaints(builtin_kinds.ROLE, role(**rule)) == complaints


def test_an_aggregation_selects_something() -> None:
    kind = builtin_kinds.CLUSTER_ROLE
    assert testing.complaints(kind, made(kind, aggregationRule={"clusterRoleSelectors": []})) == [
        (
            "aggregationRule.clusterRoleSelectors: Required value: "
            "at least one clusterRoleSelector required if aggregationRule is non-nil"
        )
    ]
    selector = {"matchLabels": {"a": "b"}}
    assert testing.complaints(kind, made(kind, aggregationRule={"clusterRoleSelectors": [selector]})) == []


SUBJECTS = [
    # given, group that is filled in
    ({"kind": "User", "name": "u"}, RBAC),
    ({"kind": "Group", "name": "g"}, RBAC),
    ({"kind": "ServiceAccount", "name": "s", "namespace": "default"}, None),
]


@pytest.mark.parametrize(("subject", "group"), SUBJECTS, ids=lambda each: str(each)[:30])
def test_groups_are_filled_in(subject: dict[str, Any], group: str | None) -> None:
    obj = binding(builtin_kinds.ROLE_BINDING, "ClusterRole", subject)
    kept = testing.admitted(builtin_kinds.ROLE_BINDING, obj)
    assert kept["roleRef"]["apiGroup"] == RBAC
    assert kept["subjects"][0].get("apiGroup") == group
    assert testing.complaints(builtin_kinds.ROLE_BINDING, obj) == []


SUBJECT_REFUSED = [
    ({"kind": "User"}, ["subjects[0].name: Required value"]),
    (
        {"kind": "Robot", "name": "r"},
        ['subjects[0].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"'],
    ),
    ({"kind": "ServiceAccount", "name": "s"}, ["subjects[0].namespace: Required value"]),
    (
        {"kind": "ServiceAccount", "name": "s", "namespace": "n", "apiGroup": RBAC},
        [f'subjects[0].apiGroup: Unsupported value: "{RBAC}": supported values: ""'],
    ),
    (
        {"kind": "User", "name": "u", "apiGroup": "other"},
        [f'subjects[0].apiGroup: Unsupported value: "other": supported values: "{RBAC}"'],
    ),
]


@pytest.mark.parametrize(("subject", "complaints"), SUBJECT_REFUSED)
def test_what_is_wrong_with_a_subject_is_named(subject: dict[str, Any], complaints: list[str]) -> None:
    obj = binding(builtin_kinds.ROLE_BINDING, "Role", subject)
    assert testing.complaints(builtin_kinds.ROLE_BINDING, obj) == complaints


def test_a_binding_keeps_its_role() -> None:
    obj = binding(builtin_kinds.ROLE_BINDING, "Role", {"kind": "User", "name": "u"})
    (found,) = testing.complaints(builtin_kinds.ROLE_BINDING, bent(obj, "roleRef.name", "other"), obj)
    assert found.endswith("cannot change roleRef")


def test_a_cluster_wide_binding_takes_cluster_roles_only() -> None:
    kind = builtin_kinds.CLUSTER_ROLE_BINDING
    user = {"kind": "User", "name": "u"}
    assert testing.complaints(kind, binding(kind, "ClusterRole", user)) == []
    assert testing.complaints(kind, binding(kind, "Role", user)) == [
        'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'
    ]


HOOK = {
    "name": "pods.example.com",
    "clientConfig": {"service": {"name": "s", "namespace": "n", "path": "/x"}},
    "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
KINDS = [builtin_kinds.VALIDATING_WEBHOOK_CONFIGURATION, builtin_kinds.MUTATING_WEBHOOK_CONFIGURATION]


def configuration(resource: contract.Resource, hook: dict[str, Any]) -> resources.Object:
    return bent(made(resource, webhooks=[hook]), "metadata.name", "a")


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.type.kind)
def test_a_webhook_is_filled_in(kind: contract.Resource) -> None:
    (kept,) = testing.admitted(kind, configuration(kind, HOOK))["webhooks"]
    assert {key: kept[key] for key in kept.keys() - HOOK.keys()} == {
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "timeoutSeconds": 10,
        **({"reinvocationPolicy": "Never"} if kind is KINDS[1] else {}),
    }
    assert kept["rules"][0]["scope"] == "*"
    assert kept["clientConfig"]["service"]["port"] == 443
    assert testing.complaints(kind, configuration(kind, HOOK)) == []


W = "webhooks[0]"
HOOK_REFUSED = [
    (
        "name",
        "pods",
        f'{W}.name: Invalid value: "pods": should be a domain with at least three segments separated by dots',
    ),
    ("name", "", f"{W}.name: Required value"),
    ("sideEffects", ABSENT, f"{W}.sideEffects: Required value: must specify one of None, NoneOnDryRun"),
    (
        "sideEffects",
        "Some",
        f'{W}.sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
    ),
    ("admissionReviewVersions", [], f"{W}.admissionReviewVersions: Required value: must specify one of v1, v1beta1"),
    (
        "admissionReviewVersions",
        ["v9"],
        f'{W}.admissionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1',
    ),
    ("failurePolicy", "Try", f'{W}.failurePolicy: Unsupported value: "Try": supported values: "Fail", "Ignore"'),
    (
        "timeoutSeconds",
        31,
        f"{W}.timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
    ),
    ("timeoutSeconds", 0, f"{W}.timeoutSeconds: Invalid value: 0: the timeout value must be between 1 and 30 seconds"),
    ("rules[0].operations", [], f"{W}.rules[0].operations: Required value"),
    (
        "rules[0].operations",
        ["SING"],
        (
            f'{W}.rules[0].operations[0]: Unsupported value: "SING": '
            'supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"'
        ),
    ),
    (
        "rules[0].apiGroups",
        ["*", "apps"],
        f'{W}.rules[0].apiGroups: Invalid value: ["*","apps"]: if \'*\' is present, must not specify other API groups',
    ),
    ("rules[0].resources", [""], f"{W}.rules[0].resources[0]: Required value"),
    (
        "rules[0].scope",
        "All",
        f'{W}.rules[0].scope: Unsupported value: "All": supported values: "*", "Cluster", "Namespaced"',
    ),
    ("clientConfig", {}, f"{W}.clientConfig: Required value: exactly one of url or service is required"),
    (
        "clientConfig",
        {"url": "https://x", "service": {"name": "s", "namespace": "n"}},
        f"{W}.clientConfig: Required value: exactly one of url or service is required",
    ),
    (
        "clientConfig",
        {"url": "http://x"},
        (
            f"{W}.clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; "
            "desired format: https://host[/path]"
        ),
    ),
    (
        "clientConfig",
        {"url": "https://u@x"},
        f'{W}.clientConfig.url: Invalid value: "u": user information are not permitted in the URL',
    ),
    ("clientConfig.service.name", "", f"{W}.clientConfig.service.name: Required value: service name is required"),
    (
        "clientConfig.service.port",
        0,
        f"{W}.clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
    ),
    ("clientConfig.service.path", "x", f"{W}.clientConfig.service.path: Invalid value: \"x\": must start with a '/'"),
]


@pytest.mark.parametrize(("path", "value", "complaint"), HOOK_REFUSED)
def test_what_is_wrong_with_a_webhook_is_named(path: str, value: Any, complaint: str) -> None:
    kind = KINDS[0]
    assert testing.complaints(kind, configuration(kind, bent(HOOK, path, value))) == [complaint]


def test_two_webhooks_have_two_names() -> None:
    obj = bent(configuration(KINDS[0], HOOK), "webhooks", [HOOK, HOOK])
    assert testing.complaints(KINDS[0], obj) == ['webhooks[1].name: Duplicate value: "pods.example.com"']
