"""Pods: what is filled in, what is refused, what may change."""

from __future__ import annotations

import re
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds
from brickyard.embedded.apiserver.admission import containers, testing
from brickyard.embedded.apiserver.admission.testing import ABSENT, bent

POD = testing.pod()
C0 = "spec.containers[0]"


def complaints(obj: resources.Object, old: resources.Object | None = None) -> list[str]:
    return testing.complaints(builtin_kinds.POD, obj, old)


def filled(obj: resources.Object) -> Any:
    return testing.admitted(builtin_kinds.POD, obj)["spec"]


def test_a_bare_pod_is_filled_in_as_kubernetes_fills_it() -> None:
    assert filled(POD) == {
        "containers": [
            {
                "name": "main",
                "image": "engine:1",
                "imagePullPolicy": "IfNotPresent",
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "resources": {},
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
        "enableServiceLinks": True,
    }


def test_filling_in_again_changes_nothing() -> None:
    probe = {"httpGet": {"port": 8000}}
    volumes = [{"name": "v"}, {"name": "s", "secret": {"secretName": "x"}}]
    obj = bent(testing.pod(volumes=volumes, hostNetwork=True), f"{C0}.readinessProbe", probe)
    once = testing.admitted(builtin_kinds.POD, bent(obj, f"{C0}.ports", [{"containerPort": 80}]))
    assert testing.admitted(builtin_kinds.POD, once) == once


def test_the_object_given_is_not_changed() -> None:
    before = testing.pod()
    builtin_kinds.POD.admission.default(before)
    assert before == testing.pod()


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("engine", "Always"),
        ("engine:latest", "Always"),
        ("engine:1", "IfNotPresent"),
        ("host:5000/engine", "Always"),
        ("host:5000/engine:v1", "IfNotPresent"),
        ("engine@sha256:" + "0" * 64, "IfNotPresent"),
        ("engine:latest@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
def test_a_moving_tag_is_always_pulled(image: str, policy: str) -> None:
    assert containers.pull_policy(image) == policy


def test_probes_are_filled_in() -> None:
    spec = filled(bent(POD, f"{C0}.livenessProbe", {"httpGet": {"port": 80}, "periodSeconds": 2}))
    assert spec["containers"][0]["livenessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 2,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def test_hooks_and_grpc_probes_are_filled_in() -> None:
    obj = bent(POD, f"{C0}.lifecycle", {"preStop": {"httpGet": {"port": 80, "path": "/bye"}}})
    (container,) = filled(bent(obj, f"{C0}.startupProbe", {"grpc": {"port": 9}}))["containers"]
    assert container["lifecycle"]["preStop"]["httpGet"] == {"port": 80, "path": "/bye", "scheme": "HTTP"}
    assert container["startupProbe"]["grpc"] == {"port": 9, "service": ""}


def test_volumes_are_filled_in() -> None:
    volumes = [
        {"name": "none"},
        {"name": "host", "hostPath": {"path": "/x"}},
        {"name": "secret", "secret": {"secretName": "s"}},
        {"name": "config", "configMap": {"name": "c", "defaultMode": 0o400}},
        {"name": "down", "downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        {"name": "all", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
    ]
    found = filled(testing.pod(volumes=volumes))["volumes"]
    assert found[0] == {"name": "none", "emptyDir": {}}
    assert found[1]["hostPath"] == {"path": "/x", "type": ""}
    assert found[2]["secret"]["defaultMode"] == 0o644
    assert found[3]["configMap"]["defaultMode"] == 0o400
    assert found[4]["downwardAPI"]["items"][0]["fieldRef"]["apiVersion"] == "v1"
    assert found[5]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"] == 3600


def test_limits_become_requests_and_the_account_has_two_names() -> None:
    obj = bent(testing.pod(serviceAccountName="robot"), f"{C0}.resources", {"limits": {"cpu": 2, "memory": "1Gi"}})
    spec = filled(bent(obj, f"{C0}.resources.requests", {"cpu": "500m"}))
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    assert spec["serviceAccount"] == "robot"


def test_ports_env_and_the_host_network() -> None:
    obj = bent(testing.pod(hostNetwork=True), f"{C0}.ports", [{"containerPort": 80}])
    reference = {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    (container,) = filled(bent(obj, f"{C0}.env", [reference]))["containers"]
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP", "hostPort": 80}]
    assert container["env"][0]["valueFrom"]["fieldRef"] == {"fieldPath": "status.podIP", "apiVersion": "v1"}


HTTP = {"httpGet": {"port": 80}}
ROWS: list[tuple[str, Any, list[str]]] = [
    # path, value, the complaints; @ stands for spec.containers[0], … for any text
    ("spec.containers", ABSENT, ["spec.containers: Required value"]),
    ("spec.containers", [], ["spec.containers: Required value"]),
    ("@.name", ABSENT, ["@.name: Required value"]),
    ("@.name", "A b", ['@.name: Invalid value: "A b": a lowercase RFC 1123 label must …']),
    ("@.image", ABSENT, ["@.image: Required value"]),
    ("@.image", " x", ['@.image: Invalid value: " x": must not have leading or trailing whitespace']),
    (
        "@.imagePullPolicy",
        "Sometimes",
        ['@.imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"'],
    ),
    (
        "@.terminationMessagePolicy",
        "X",
        ['@.terminationMessagePolicy: Unsupported value: "X": supported values: "FallbackToLogsOnError", "File"'],
    ),
    (
        "spec.restartPolicy",
        "Maybe",
        ['spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "Never", "OnFailure"'],
    ),
    ("spec.dnsPolicy", "Own", ['spec.dnsPolicy: Unsupported value: "Own": …']),
    (
        "spec.terminationGracePeriodSeconds",
        -1,
        ["spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0"],
    ),
    (
        "spec.activeDeadlineSeconds",
        0,
        ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
    ),
    ("spec.hostname", "a.b", ['spec.hostname: Invalid value: "a.b": a lowercase RFC 1123 label …']),
    ("spec.nodeName", "A", ['spec.nodeName: Invalid value: "A": …']),
    ("spec.imagePullSecrets", [{}], ["spec.imagePullSecrets[0].name: Required value"]),
    ("spec.nodeSelector", {"a b": "c"}, ['spec.nodeSelector: Invalid value: "a b": name part …']),
    (
        "spec.readinessGates",
        [{"conditionType": "x y"}],
        ['spec.readinessGates[0].conditionType: Invalid value: "x y": …'],
    ),
    ("spec.tolerations", [{"operator": "Exists"}, {"key": "k", "effect": "NoExecute", "tolerationSeconds": 3}], []),
    (
        "spec.tolerations",
        [{"value": "v"}],
        ['spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists …'],
    ),
    (
        "spec.tolerations",
        [{"key": "k", "operator": "Exists", "value": "v"}],
        ["spec.tolerations[0].operator: Invalid value: \"v\": value must be empty when `operator` is 'Exists'"],
    ),
    (
        "spec.tolerations",
        [{"key": "k", "operator": "Near", "effect": "Shout"}],
        [
            'spec.tolerations[0].operator: Unsupported value: "Near": …',
            'spec.tolerations[0].effect: Unsupported value: "Shout": …',
        ],
    ),
    (
        "spec.tolerations",
        [{"key": "k", "tolerationSeconds": 3}],
        ["spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set"],
    ),
    (
        "@.ports",
        [{"containerPort": 0}],
        ["@.ports[0].containerPort: Invalid value: 0: must be between 1 and 65535, inclusive"],
    ),
    ("@.ports", [{}], ["@.ports[0].containerPort: Required value"]),
    ("@.ports", [{"containerPort": 1, "hostPort": 70000}], ["@.ports[0].hostPort: Invalid value: 70000: …"]),
    (
        "@.ports",
        [{"containerPort": 1, "protocol": "QUIC"}],
        ['@.ports[0].protocol: Unsupported value: "QUIC": supported values: "SCTP", "TCP", "UDP"'],
    ),
    (
        "@.ports",
        [{"containerPort": 1, "name": "p1"}, {"containerPort": 2, "name": "p1"}],
        ['@.ports[1].name: Duplicate value: "p1"'],
    ),
    (
        "@.ports",
        [{"containerPort": 1, "name": "a-very-long-port-name"}],
        ['@.ports[0].name: Invalid value: "a-very-long-port-name": must be no more than 15 characters'],
    ),
    (
        "@.ports",
        [{"containerPort": 1, "name": "123"}],
        ['@.ports[0].name: Invalid value: "123": must contain at least one letter (a-z)'],
    ),
    (
        "@.ports",
        [{"containerPort": 1, "name": "-a--B"}],
        [
            "…must contain only alpha-numeric…",
            "…must not contain consecutive hyphens",
            "…must not begin or end with a hyphen",
        ],
    ),
    ("@.env", [{"value": "v"}], ["@.env[0].name: Required value"]),
    ("@.env", [{"name": "A=B"}], ['@.env[0].name: Invalid value: "A=B": a valid environment variable name …']),
    ("@.env", [{"name": "data-parallel-size", "value": "2"}], []),
    (
        "@.env",
        [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        ['@.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ),
    ("@.env", [{"name": "A", "valueFrom": {}}], ['@.env[0].valueFrom: Invalid value: "": must specify one of: …']),
    (
        "@.env",
        [
            {
                "name": "A",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}, "secretKeyRef": {"name": "s", "key": "k"}},
            }
        ],
        ['@.env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time'],
    ),
    (
        "@.env",
        [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.containers"}}}],
        ['@.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.containers": …'],
    ),
    ("@.env", [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a.b/c']"}}}], []),
    (
        "@.env",
        [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a b']"}}}],
        ['@.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "a b": …'],
    ),
    (
        "@.env",
        [{"name": "A", "valueFrom": {"fieldRef": {}}}],
        ["@.env[0].valueFrom.fieldRef.fieldPath: Required value"],
    ),
    (
        "@.env",
        [{"name": "A", "valueFrom": {"resourceFieldRef": {}}}],
        ["@.env[0].valueFrom.resourceFieldRef.resource: Required value"],
    ),
    (
        "@.env",
        [{"name": "A", "valueFrom": {"configMapKeyRef": {}}}],
        [
            "@.env[0].valueFrom.configMapKeyRef.name: Required value",
            "@.env[0].valueFrom.configMapKeyRef.key: Required value",
        ],
    ),
    ("@.envFrom", [{"configMapRef": {"name": "c"}}, {"prefix": "P_", "secretRef": {"name": "s"}}], []),
    ("@.envFrom", [{}], ['@.envFrom[0]: Invalid value: "": must specify one of: `configMapRef` or `secretRef`']),
    ("@.envFrom", [{"secretRef": {}}], ["@.envFrom[0].secretRef.name: Required value"]),
    ("@.livenessProbe", {}, ["@.livenessProbe: Required value: must specify a handler type"]),
    (
        "@.livenessProbe",
        {**HTTP, "exec": {"command": ["a"]}},
        ["@.livenessProbe.httpGet: Forbidden: may not specify more than 1 handler type"],
    ),
    (
        "@.livenessProbe",
        {**HTTP, "successThreshold": 2},
        ["@.livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    ),
    ("@.readinessProbe", {**HTTP, "successThreshold": 2}, []),
    (
        "@.startupProbe",
        {**HTTP, "periodSeconds": -1},
        ["@.startupProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0"],
    ),
    (
        "@.startupProbe",
        {**HTTP, "terminationGracePeriodSeconds": 0},
        ["@.startupProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0"],
    ),
    ("@.readinessProbe", {"exec": {}}, ["@.readinessProbe.exec.command: Required value"]),
    ("@.readinessProbe", {"httpGet": {}}, ["@.readinessProbe.httpGet.port: Required value"]),
    (
        "@.readinessProbe",
        {"httpGet": {"port": "http", "scheme": "GOPHER"}},
        ['@.readinessProbe.httpGet.scheme: Unsupported value: "GOPHER": supported values: "HTTP", "HTTPS"'],
    ),
    (
        "@.readinessProbe",
        {"httpGet": {"port": 1, "httpHeaders": [{"value": "x"}]}},
        ["@.readinessProbe.httpGet.httpHeaders[0].name: Required value"],
    ),
    ("@.readinessProbe", {"tcpSocket": {"port": 0}}, ["@.readinessProbe.tcpSocket.port: Invalid value: 0: …"]),
    ("@.readinessProbe", {"grpc": {"port": 99999}}, ["@.readinessProbe.grpc.port: Invalid value: 99999: …"]),
    ("@.lifecycle", {"preStop": {"sleep": {"seconds": 3}}}, []),
    ("@.lifecycle", {"preStop": {"sleep": {"seconds": -3}}}, ["@.lifecycle.preStop.sleep: Invalid value: -3: …"]),
    ("@.lifecycle", {"postStart": {}}, ["@.lifecycle.postStart: Required value: must specify a handler type"]),
    (
        "@.resources",
        {
            "limits": {"cpu": "2", "hugepages-2Mi": "4Mi", "nvidia.com/gpu": 1},
            "requests": {"cpu": 1, "nvidia.com/gpu": "1"},
        },
        [],
    ),
    (
        "@.resources",
        {"limits": {"gpu": 1}},
        [
            '@.resources.limits: Invalid value: "gpu": must be a standard resource for containers',
            '@.resources.requests: Invalid value: "gpu": must be a standard resource for containers',
        ],
    ),
    (
        "@.resources",
        {"requests": {"cpu": "-1"}},
        ['@.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0'],
    ),
    (
        "@.resources",
        {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}},
        ['@.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1500m'],
    ),
    (
        "@.resources",
        {"requests": {"a.b/c": 1}},
        ["@.resources.limits: Required value: Limit must be set for non overcommitable resources"],
    ),
    (
        "@.resources",
        {"requests": {"a.b/c": 1}, "limits": {"a.b/c": 2}},
        ['@.resources.requests: Invalid value: "1": must be equal to a.b/c limit of 2'],
    ),
    (
        "@.resources",
        {"limits": {"a.b/c": "500m"}},
        [
            '…limits[a.b/c]: Invalid value: "500m": must be an integer',
            '…requests[a.b/c]: Invalid value: "500m": must be an integer',
        ],
    ),
    ("@.volumeMounts", [{"name": "v", "mountPath": "/v"}], ['@.volumeMounts[0].name: Not found: "v"']),
    ("@.volumeMounts", [{}], ["@.volumeMounts[0].name: Required value", "@.volumeMounts[0].mountPath: Required value"]),
]


def fits(found: list[str], expected: list[str]) -> bool:
    """Each complaint is as its row says; ``…`` stands for any text."""
    patterns = [".*".join(re.escape(part) for part in row.split("…")) for row in expected]
    pairs = zip(patterns, found, strict=False)
    return len(found) == len(expected) and all(re.fullmatch(pattern, each, re.DOTALL) for pattern, each in pairs)


@pytest.mark.parametrize(("path", "value", "expected"), ROWS)
def test_one_thing_wrong(path: str, value: Any, expected: list[str]) -> None:
    found = complaints(bent(POD, path.replace("@", C0), value))
    assert fits(found, [each.replace("@", C0) for each in expected]), found


VOLUME_ROWS: list[tuple[Any, list[str]]] = [
    ({"name": "v", "emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}}, []),
    ({"name": "V", "emptyDir": {}}, ['spec.volumes[0].name: Invalid value: "V": a lowercase RFC 1123 label …']),
    ({"emptyDir": {}}, ["spec.volumes[0].name: Required value"]),
    (
        {"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}},
        ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    ),
    ({"name": "v", "hostPath": {"type": "Directory"}}, ["spec.volumes[0].hostPath.path: Required value"]),
    (
        {"name": "v", "hostPath": {"path": "/a/../b"}},
        ["spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"],
    ),
    (
        {"name": "v", "hostPath": {"path": "/a", "type": "Disk"}},
        ['spec.volumes[0].hostPath.type: Unsupported value: "Disk": …'],
    ),
    ({"name": "v", "secret": {}}, ["spec.volumes[0].secret.secretName: Required value"]),
    (
        {"name": "v", "secret": {"secretName": "s", "defaultMode": 512}},
        [
            "spec.volumes[0].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive"
        ],
    ),
    ({"name": "v", "configMap": {}}, ["spec.volumes[0].configMap.name: Required value"]),
    (
        {"name": "v", "configMap": {"name": "c", "items": [{"path": "/abs"}, {"key": "k", "path": "a/../b"}]}},
        [
            "spec.volumes[0].configMap.items[0].key: Required value",
            'spec.volumes[0].configMap.items[0].path: Invalid value: "/abs": must be a relative path',
            "spec.volumes[0].configMap.items[1].path: Invalid value: \"a/../b\": must not contain '..'",
        ],
    ),
    ({"name": "v", "persistentVolumeClaim": {}}, ["spec.volumes[0].persistentVolumeClaim.claimName: Required value"]),
    (
        {"name": "v", "downwardAPI": {"items": [{"path": "p"}]}},
        ["spec.volumes[0].downwardAPI.items[0]: Required value: one of fieldRef and resourceFieldRef is required"],
    ),
    (
        {
            "name": "v",
            "projected": {"sources": [{"secret": {}, "configMap": {"name": "c"}}, {"serviceAccountToken": {}}]},
        },
        [
            "spec.volumes[0].projected.sources[0]: Forbidden: may not specify more than 1 volume type per source",
            "spec.volumes[0].projected.sources[0].secret.name: Required value",
            "spec.volumes[0].projected.sources[1].serviceAccountToken.path: Required value",
        ],
    ),
    ({"name": "v", "nfs": {"server": "s", "path": "/"}}, []),
]


@pytest.mark.parametrize(("volume", "expected"), VOLUME_ROWS)
def test_one_thing_wrong_with_a_volume(volume: Any, expected: list[str]) -> None:
    found = complaints(testing.pod(volumes=[volume]))
    assert fits(found, expected), found


def test_mounts_name_volumes_and_differ() -> None:
    pod = testing.pod(volumes=[{"name": "v"}, {"name": "v"}])
    mounts = [{"name": "v", "mountPath": "/m"}, {"name": "v", "mountPath": "/m", "subPath": "../x", "subPathExpr": "y"}]
    assert complaints(bent(pod, f"{C0}.volumeMounts", mounts)) == [
        'spec.volumes[1].name: Duplicate value: "v"',
        'spec.containers[0].volumeMounts[1].subPathExpr: Invalid value: "y": subPathExpr and subPath are mutually exclusive',
        "spec.containers[0].volumeMounts[1].subPath: Invalid value: \"../x\": must not contain '..'",
        'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/m": must be unique',
    ]


def test_names_and_host_ports_are_unique_in_the_pod() -> None:
    port = {"containerPort": 1, "hostPort": 8080}
    twins = [{"name": "main", "image": "x:1", "ports": [port]}, {"name": "main", "image": "x:1", "ports": [port]}]
    init = [{"name": "main", "image": "x:1"}]
    assert complaints(testing.pod(containers=twins, initContainers=init)) == [
        'spec.containers[1].name: Duplicate value: "main"',
        'spec.initContainers[0].name: Duplicate value: "main"',
        'spec.containers[1].ports[0].hostPort: Duplicate value: "TCP//8080"',
    ]


def test_only_init_containers_that_stay_are_probed() -> None:
    init = [
        {"name": "once", "image": "x:1", "readinessProbe": HTTP},
        {"name": "stays", "image": "x:1", "readinessProbe": HTTP, "restartPolicy": "Always"},
        {"name": "odd", "image": "x:1", "restartPolicy": "Daily"},
    ]
    found = complaints(testing.pod(initContainers=init))
    assert (
        "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"
        in found
    )
    assert any(each.startswith('spec.initContainers[2].restartPolicy: Unsupported value: "Daily"') for each in found)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{C0}.image", "engine:2"),
        ("spec.nodeName", "here"),
        ("spec.activeDeadlineSeconds", 60),
        ("spec.tolerations", [{"operator": "Exists"}]),
        ("metadata.labels", {"a": "b"}),
    ],
)
def test_what_may_change(path: str, value: Any) -> None:
    assert complaints(bent(POD, path, value), POD) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{C0}.command", ["sh"]),
        (f"{C0}.env", [{"name": "A", "value": "b"}]),
        ("spec.restartPolicy", "Never"),
        ("spec.hostNetwork", True),
    ],
)
def test_what_may_not_change(path: str, value: Any) -> None:
    (found,) = complaints(bent(POD, path, value), POD)
    assert found.startswith("spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,")


def test_a_claimed_pod_stays_where_it_is() -> None:
    claimed = testing.pod(nodeName="here")
    (found,) = complaints(testing.pod(nodeName="there"), claimed)
    assert found.startswith("spec: Forbidden")
    assert found.endswith('{"spec.nodeName":"there"}')


def test_tolerations_are_added_never_taken() -> None:
    tolerant = testing.pod(tolerations=[{"key": "a", "operator": "Exists"}])
    assert len(complaints(testing.pod(tolerations=[{"key": "b", "operator": "Exists"}]), tolerant)) == 1


def test_containers_neither_come_nor_go() -> None:
    more = testing.pod(containers=[{"name": "a", "image": "x:1"}, {"name": "b", "image": "x:1"}])
    assert complaints(more, POD) == ["spec.containers: Forbidden: pod updates may not add or remove containers"]


def test_a_deadline_only_shrinks() -> None:
    old = testing.pod(activeDeadlineSeconds=60)
    assert complaints(testing.pod(activeDeadlineSeconds=30), old) == []
    assert complaints(testing.pod(activeDeadlineSeconds=61), old)[0] == (
        "spec.activeDeadlineSeconds: Invalid value: 61: must be less than or equal to previous value 60"
    )
    assert "must not update from a positive integer to nil value" in complaints(testing.pod(), old)[0]
