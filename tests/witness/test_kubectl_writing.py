"""kubectl writes: apply and its conflicts, diff, patches, edits, scale, replace, dry runs, several documents at once."""

from __future__ import annotations

import json
import pathlib
import stat

import pytest
from tests.witness import cluster as clusters
from tests.witness import manifests

pytestmark = pytest.mark.slow

Kubectl = clusters.Kubectl
IMAGE = ".spec.template.spec.containers[0].image"
REPLICAS = ".spec.replicas"


def test_client_side_apply_is_three_way(kubectl: Kubectl) -> None:
    assert kubectl.apply(manifests.ALL).count(" created") == 3
    assert kubectl.apply(manifests.ALL).count(" unchanged") == 3
    kubectl.says("scale", "deployment/web", "--replicas=5")
    kubectl.says("label", "deployment/web", "tier=front")
    changed = manifests.ALL.replace("image:1", "image:2").replace('{a: "1"}', '{b: "2"}').replace("  replicas: 2\n", "")
    assert kubectl.apply(changed).count(" configured") == 2
    # The label was never applied, so it stays; the replicas were applied once and are no more, so the default returns.
    assert kubectl.path("deploy/web", IMAGE) == "example/image:2"
    assert kubectl.path("deploy/web", ".metadata.labels.tier") == "front"
    assert kubectl.path("deploy/web", REPLICAS) == "1"
    assert kubectl.path("cm/settings", ".data") == '{"b":"2"}'
    assert "image:2" in kubectl.says("apply", "view-last-applied", "deployment/web")


def test_pruning_by_label(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.ALL)
    kept = f"{manifests.WEB}---\n{manifests.SERVICE}"
    flags = ("--prune", "-l", "app=web", "--prune-allowlist=core/v1/ConfigMap")
    assert "configmap/settings pruned" in kubectl.apply(kept, *flags)
    assert kubectl.says("get", "deploy,svc,cm", "-l", "app=web", "-o", "name").split() == [
        "deployment.apps/web",
        "service/web",
    ]


def test_server_side_apply_and_its_conflicts(kubectl: Kubectl) -> None:
    assert kubectl.apply(manifests.ALL, "--server-side").count(" serverside-applied") == 3
    before = kubectl.path("deploy/web", ".metadata.resourceVersion")
    assert kubectl.apply(manifests.ALL, "--server-side").count(" serverside-applied") == 3
    assert kubectl.path("deploy/web", ".metadata.resourceVersion") == before
    more = manifests.WEB.replace("replicas: 2", "replicas: 3")
    other = ("apply", "--server-side", "--field-manager=other", "-f", "-")
    result = kubectl(*other, stdin=more)
    assert result.code == 1
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas' in result.err
    assert "--force-conflicts" in result.err
    assert kubectl.path("deploy/web", REPLICAS) == "2"
    kubectl.says(*other, "--force-conflicts", stdin=more)
    assert kubectl.path("deploy/web", REPLICAS) == "3"
    owners = {
        each["manager"]
        for each in kubectl.object("deploy", "web", "--show-managed-fields")["metadata"]["managedFields"]
        if "f:replicas" in each["fieldsV1"].get("f:spec", {})
    }
    assert owners == {"other"}


def test_what_an_applier_leaves_out_goes_unless_another_owns_it(kubectl: Kubectl) -> None:
    settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {%s}\n"
    kubectl.apply(settings % 'a: "1", b: "2", c: "3"', "--server-side")
    kubectl.apply(settings % 'b: "2"', "--server-side", "--field-manager=other")
    kubectl.apply(settings % 'a: "1"', "--server-side")
    assert json.loads(kubectl.path("cm/s", ".data")) == {"a": "1", "b": "2"}


def test_from_client_side_to_server_side_apply(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.WEB)
    changed = manifests.WEB.replace("image:1", "image:2").replace("  replicas: 2\n", "")
    kubectl.apply(changed, "--server-side")
    assert kubectl.path("deploy/web", IMAGE) == "example/image:2"
    assert kubectl.path("deploy/web", REPLICAS) == "1"


def test_diff(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.ALL)
    assert kubectl("diff", "-f", "-", stdin=manifests.ALL) == clusters.Result(0, "", "")
    changed = manifests.ALL.replace("image:1", "image:2")
    shown = kubectl("diff", "-f", "-", stdin=changed)
    assert shown.code == 1
    assert "-      - image: example/image:1\n+      - image: example/image:2" in shown.out
    served = kubectl("diff", "--server-side", "--force-conflicts", "-f", "-", stdin=changed)
    assert served.code == 1
    assert "+      - image: example/image:2" in served.out
    new = kubectl("diff", "-f", "-", stdin=manifests.pod("new"))
    assert (new.code, "+  name: new" in new.out) == (1, True)
    assert kubectl("diff", "-f", "-", stdin=manifests.WEB.replace("replicas: 2", "replicas: -1")).code > 1
    assert kubectl.path("deploy/web", IMAGE) == "example/image:1"


def test_three_kinds_of_patch(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.WEB)
    second = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "example/side:1"}]}}}}
    kubectl.says("patch", "deploy", "web", "-p", json.dumps(second))
    images = kubectl.says("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[*].image}")
    assert images == "example/side:1 example/image:1"
    kubectl.says("patch", "deploy", "web", "--type=merge", "-p", json.dumps(second))
    assert kubectl.path("deploy/web", ".spec.template.spec.containers[*].name") == "side"
    operations = [
        {"op": "test", "path": "/spec/replicas", "value": 2},
        {"op": "replace", "path": "/spec/replicas", "value": 4},
    ]
    kubectl.says("patch", "deploy", "web", "--type=json", "-p", json.dumps(operations))
    assert kubectl.path("deploy/web", REPLICAS) == "4"
    assert "the server rejected our request" in kubectl.refused(
        "patch", "deploy", "web", "--type=json", "-p", json.dumps(operations)
    )
    assert "(no change)" in kubectl.says("patch", "deploy", "web", "-p", '{"spec":{"replicas":4}}')
    status = '{"status":{"replicas":7,"observedGeneration":1}}'
    kubectl.says("patch", "deploy", "web", "--subresource=status", "--type=merge", "-p", status)
    assert kubectl.path("deploy/web", ".status.replicas") == "7"
    kubectl.says("patch", "deploy", "web", "--type=merge", "-p", '{"status":{"replicas":8}}')
    assert kubectl.path("deploy/web", ".status.replicas") == "7"
    kubectl.says("patch", "deploy", "web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":1}}')
    assert kubectl.path("deploy/web", REPLICAS) == "1"


def test_scale(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.WEB)
    kubectl.says("scale", "deployment/web", "--replicas=3", "--current-replicas=2")
    assert "Expected replicas to be 2, was 3" in kubectl.refused(
        "scale", "deployment/web", "--replicas=4", "--current-replicas=2"
    )
    assert kubectl.path("deploy/web", REPLICAS) == "3"
    assert kubectl.object("deploy", "web", "--subresource=scale")["kind"] == "Scale"
    kubectl.apply(manifests.pod("a"))
    assert "could not find the requested resource" in kubectl.refused("scale", "pod/a", "--replicas=1")


def test_labels_and_annotations(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.pod("a"))
    assert kubectl.says("label", "pod", "a", "k=1") == "pod/a labeled\n"
    assert "already has a value (1), and --overwrite is false" in kubectl.refused("label", "pod", "a", "k=2")
    kubectl.says("label", "pod", "a", "k=2", "--overwrite", "app-")
    assert kubectl.path("pod/a", ".metadata.labels") == '{"k":"2"}'
    assert "a valid label must be" in kubectl.refused("label", "pod", "a", "k=not valid")
    kubectl.says("annotate", "pods", "--all", "note=any text at all")
    assert kubectl.path("pod/a", ".metadata.annotations.note") == "any text at all"
    version = kubectl.path("pod/a", ".metadata.resourceVersion")
    kubectl.says("label", "pod", "a", "k=3", "--overwrite", f"--resource-version={version}")
    assert "the object has been modified" in kubectl.refused(
        "label", "pod", "a", "k=4", "--overwrite", f"--resource-version={version}"
    )


def editor(folder: pathlib.Path, *commands: str) -> dict[str, str]:
    """An editor that does each ``sed`` command in its turn, once, and then leaves everything as it is."""
    script = folder / "editor"
    cases = "\n".join(f"{number}) sed -i '{command}' \"$1\" ;;" for number, command in enumerate(commands))
    count = folder / "count"
    count.write_text("0")
    script.write_text(f"#!/bin/sh\nn=$(cat {count})\necho $((n+1)) > {count}\ncase $n in\n{cases}\nesac\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {"KUBE_EDITOR": str(script), "TMPDIR": str(folder)}


def test_edit(kubectl: Kubectl, tmp_path: pathlib.Path) -> None:
    kubectl.apply(manifests.WEB)
    assert kubectl.says("edit", "deploy", "web", env=editor(tmp_path, "s/replicas: 2/replicas: 6/")) == (
        "deployment.apps/web edited\n"
    )
    assert kubectl.path("deploy/web", REPLICAS) == "6"
    assert "Edit cancelled, no changes made" in kubectl("edit", "deploy", "web", env=editor(tmp_path)).err


def test_an_edit_that_is_refused_is_shown_again(kubectl: Kubectl, tmp_path: pathlib.Path) -> None:
    kubectl.apply(manifests.WEB)
    env = editor(tmp_path, "s/replicas: 2/replicas: -2/", "s/replicas: -2/replicas: 3/")
    result = kubectl("edit", "deploy", "web", env=env)
    assert 'deployments.apps "web" is invalid' in result.err
    assert (result.code, kubectl.path("deploy/web", REPLICAS)) == (0, "3")
    # One that gives up finds what it wrote in a copy, with what is wrong on top.
    gone = kubectl("edit", "deploy", "web", env=editor(tmp_path, "s/replicas: 3/replicas: -3/"))
    assert (gone.code, "no valid changes were saved" in gone.err) == (1, True)
    copies = [copy.read_text() for copy in tmp_path.glob("kubectl-edit-*.yaml")]
    wrong = "# * spec.replicas: Invalid value: -3: must be greater than or equal to 0"
    assert any(wrong in copy for copy in copies)


def test_edit_of_a_subresource(kubectl: Kubectl, tmp_path: pathlib.Path) -> None:
    kubectl.apply(manifests.pod("a"))
    kubectl.says("edit", "pod", "a", "--subresource=status", env=editor(tmp_path, "s/phase: Pending/phase: Running/"))
    assert kubectl.path("pod/a", ".status.phase") == "Running"


def test_dry_runs_change_nothing(kubectl: Kubectl) -> None:
    assert "created (server dry run)" in kubectl.says("create", "--dry-run=server", "-f", "-", stdin=manifests.WEB)
    assert kubectl.says("get", "deploy", "-o", "name") == ""
    kubectl.apply(manifests.WEB)
    before = kubectl.path("deploy/web", ".metadata.resourceVersion")
    changed = manifests.WEB.replace("image:1", "image:2")
    assert "configured (server dry run)" in kubectl.apply(changed, "--dry-run=server")
    assert "serverside-applied (server dry run)" in kubectl.apply(
        changed, "--server-side", "--force-conflicts", "--dry-run=server"
    )
    kubectl.says("patch", "deploy", "web", "--dry-run=server", "-p", '{"spec":{"replicas":9}}')
    kubectl.says("scale", "deploy", "web", "--dry-run=server", "--replicas=9")
    kubectl.says("label", "deploy", "web", "--dry-run=server", "a=b")
    kubectl.says("replace", "--dry-run=server", "-f", "-", stdin=changed)
    assert "(server dry run)" in kubectl.says("delete", "deploy", "web", "--dry-run=server")
    assert kubectl.path("deploy/web", ".metadata.resourceVersion") == before


def test_one_bad_document_does_not_stop_the_others(kubectl: Kubectl) -> None:
    documents = [
        manifests.pod("a"),
        manifests.pod("B"),
        manifests.pod("c").replace("containers", "containrs"),
        manifests.pod("d"),
    ]
    result = kubectl("create", "-f", "-", stdin="---\n".join(documents))
    assert result.code == 1
    assert 'Pod "B" is invalid: metadata.name: Invalid value: "B"' in result.err
    assert 'unknown field "spec.containrs"' in result.err
    assert kubectl.says("get", "pods", "-o", "name").split() == ["pod/a", "pod/d"]
    again = kubectl("create", "-f", "-", stdin=manifests.pod("a"))
    assert again.err == 'Error from server (AlreadyExists): error when creating "STDIN": pods "a" already exists\n'


def test_unknown_fields_are_refused_warned_of_or_let_be(kubectl: Kubectl) -> None:
    typo = manifests.WEB.replace("  replicas: 2", "  replcas: 2")
    assert 'unknown field "spec.replcas"' in kubectl.refused("apply", "-f", "-", stdin=typo)
    warned = kubectl("apply", "--validate=warn", "-f", "-", stdin=typo)
    assert (warned.code, 'Warning: unknown field "spec.replcas"' in warned.err) == (0, True)
    ignored = kubectl("apply", "--validate=ignore", "-f", "-", stdin=typo.replace("name: web", "name: other"))
    assert (ignored.code, "replcas" in ignored.err) == (0, False)


def test_all_that_is_wrong_is_told_at_once(kubectl: Kubectl) -> None:
    wrong = manifests.WEB.replace("replicas: 2", "replicas: -2").replace("{app: web}}\n    spec", "{app: x}}\n    spec")
    told = kubectl.refused("apply", "-f", "-", stdin=wrong.replace("containerPort: 80", "containerPort: 80000"))
    assert told.startswith('The Deployment "web" is invalid: \n')
    for path in (
        "* spec.replicas: ",
        "* spec.template.metadata.labels: ",
        "* spec.template.spec.containers[0].ports[0].containerPort: ",
    ):
        assert path in told


def test_replace(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.WEB)
    uid = kubectl.path("deploy/web", ".metadata.uid")
    kubectl.says("replace", "-f", "-", stdin=manifests.WEB.replace("image:1", "image:2"))
    assert (kubectl.path("deploy/web", IMAGE), kubectl.path("deploy/web", ".metadata.uid")) == ("example/image:2", uid)
    kubectl.says("replace", "--force", "-f", "-", stdin=manifests.WEB)
    assert kubectl.path("deploy/web", ".metadata.uid") != uid
    assert "NotFound" in kubectl.refused("replace", "-f", "-", stdin=manifests.pod("nobody"))
    stale = manifests.WEB.replace("{name: web,", '{name: web, resourceVersion: "1",')
    assert "the object has been modified; please apply your changes to the latest version" in kubectl.refused(
        "replace", "-f", "-", stdin=stale
    )


def test_rollouts(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.WEB)
    assert kubectl.says("rollout", "pause", "deployment/web") == "deployment.apps/web paused\n"
    assert kubectl.path("deploy/web", ".spec.paused") == "true"
    kubectl.says("rollout", "resume", "deployment/web")
    kubectl.says("rollout", "restart", "deployment/web")
    assert kubectl.path("deploy/web", ".spec.template.metadata.annotations") != ""
    assert "No rollout history found" in kubectl.says("rollout", "history", "deployment/web")
    with kubectl.started("rollout", "status", "deployment/web", "--timeout=30s") as following:
        assert "Waiting for" in clusters.lines(following, 1)[0]
        generation = int(kubectl.path("deploy/web", ".metadata.generation"))
        counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"), 2)
        status = json.dumps({"status": {"observedGeneration": generation, **counts}})
        kubectl.says("patch", "deploy", "web", "--subresource=status", "--type=merge", "-p", status)
        assert following.stdout is not None
        assert following.stdout.read().splitlines()[-1] == 'deployment "web" successfully rolled out'


@pytest.mark.parametrize(
    "words",
    [
        ("configmap", "c", "--from-literal=a=b"),
        ("secret", "generic", "s", "--from-literal=a=b"),
        ("secret", "docker-registry", "d", "--docker-username=u", "--docker-password=p"),
        ("serviceaccount", "robot"),
        ("deployment", "d", "--image=example/image:1", "--replicas=3", "--port=80"),
        ("service", "clusterip", "web", "--tcp=80:8080"),
        ("service", "nodeport", "np", "--tcp=80"),
        ("job", "j", "--image=example/image:1"),
        ("cronjob", "cj", "--image=example/image:1", "--schedule=*/5 * * * *"),
        ("role", "reader", "--verb=get,list", "--resource=pods"),
        ("rolebinding", "rb", "--role=reader", "--serviceaccount=default:robot"),
        ("quota", "q", "--hard=pods=3"),
        ("poddisruptionbudget", "pdb", "--min-available=1", "--selector=app=web"),
        ("ingress", "in", "--rule=example.com/*=web:80"),
    ],
    ids=lambda words: "-".join(words[:2]),
)
def test_generators(kubectl: Kubectl, words: tuple[str, ...]) -> None:
    assert " created" in kubectl.says("create", *words)
    kind = words[0]
    name = words[2] if words[1] in ("generic", "docker-registry", "clusterip", "nodeport") else words[1]
    assert kubectl("get", kind, name).rows[1][0] == name
    assert "Name:" in kubectl.says("describe", kind, name)


def test_typed_commands(kubectl: Kubectl) -> None:
    for words in (
        ("create", "deployment", "d", "--image=example/image:1"),
        ("expose", "deployment", "d", "--port=80"),
        ("set", "image", "deployment/d", "image=example/image:2"),
        ("set", "env", "deployment/d", "A=b"),
        ("set", "resources", "deployment/d", "--limits=cpu=1"),
        ("set", "serviceaccount", "deployment/d", "default"),
        ("autoscale", "deployment", "d", "--max=5"),
        ("run", "one", "--image=example/image:1", "--restart=Never"),
        ("get", "all"),
    ):
        kubectl.says(*words)
    assert kubectl.path("deploy/d", IMAGE) == "example/image:2"
    assert kubectl.path("deploy/d", ".spec.template.spec.containers[0].env[0].value") == "b"
    assert kubectl.path("hpa/d", ".spec.maxReplicas") == "5"
    assert kubectl.path("svc/d", ".spec.selector.app") == "d"
