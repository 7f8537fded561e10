"""apply, get, events and delete against a Kubernetes API that serves nothing else."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator

import pytest

COMMAND = (sys.executable, "-u", "-m", "brickyard.cli.main")
Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a command that finds a running API by its kubeconfig."""
    place = tmp_path_factory.mktemp("api")
    serve = [*COMMAND, "apiserver", "--data-dir", str(place), "--port", "0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("Ctrl-C" in line for line in process.stdout)
            yield {**os.environ, "KUBECONFIG": str(place / "kubeconfig"), "BRICKYARD_DATA_DIR": str(place / "none")}
        finally:
            process.terminate()
            process.communicate(timeout=20)


@pytest.fixture(scope="module")
def brickyard(environ: dict[str, str]) -> Run:
    """Runs a command to its end, which must be ``code``."""

    def run(*words: str, stdin: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *words], env=environ, input=stdin, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return run


def secret(name: str, **labels: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}})


def listed(brickyard: Run, *words: str) -> list[str]:
    return [line.partition("/")[2] for line in brickyard("get", "secrets", "-o", "name", *words).stdout.splitlines()]


def test_a_folder_is_applied_and_deleted(brickyard: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "1.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: folder}\n")
    (tmp_path / "2.json").write_text(secret("inside"))
    words = ("-f", str(tmp_path), "-n", "folder")
    assert brickyard("apply", *words).stdout == "namespace/folder created\nsecret/inside created\n"
    assert brickyard("apply", *words).stdout == "namespace/folder unchanged\nsecret/inside unchanged\n"
    assert listed(brickyard, "-n", "folder") == ["inside"]
    assert brickyard("delete", *words).stdout == "secret/inside deleted\nnamespace/folder deleted\n"
    assert "not found" in brickyard("get", "namespaces", "folder", code=1).stderr


def test_a_namespace_that_does_not_fit_changes_nothing(brickyard: Run) -> None:
    text = f"{secret('first')}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: second, namespace: other}}\n"
    done = brickyard("apply", "-f", "-", "-n", "default", stdin=text, code=2)
    assert "Secret second is for namespace other, not default" in done.stderr
    assert done.stdout == ""
    assert "first" not in listed(brickyard)


def test_what_is_refused_is_told_and_the_rest_applied(brickyard: Run) -> None:
    text = f"{secret('good')}\n---\n{secret('B A D')}\n---\napiVersion: no/v1\nkind: Such\nmetadata: {{name: x}}\n"
    done = brickyard("apply", "-f", "-", stdin=text, code=1)
    assert done.stdout == "secret/good created\n"
    assert "standard input: Secret B A D: " in done.stderr
    assert "no kind 'Such' in 'no/v1' is served" in done.stderr
    assert done.stderr.endswith("error: 2 of 3 objects were not applied: see above\n")
    brickyard("delete", "secret", "good")


@pytest.mark.parametrize("words", [("secret", "a", "b"), ("secret/a", "secrets/b"), ("secret", "-l", "on=yes")])
def test_what_is_named_goes(brickyard: Run, words: tuple[str, ...]) -> None:
    maps = [secret("a", on="yes"), secret("b", on="yes"), secret("kept", on="no")]
    brickyard("apply", "-f", "-", stdin="\n---\n".join(maps))
    assert brickyard("delete", *words).stdout == "secret/a deleted\nsecret/b deleted\n"
    assert listed(brickyard) == ["kept"]
    assert brickyard("delete", "secret", "--all").stdout == "secret/kept deleted\n"
    assert brickyard("delete", "secret", "--all").stdout == "Nothing to delete.\n"


def test_what_is_not_there(brickyard: Run) -> None:
    assert 'secrets "gone" not found' in brickyard("delete", "secret", "gone", code=1).stderr
    assert brickyard("delete", "secret", "gone", "--ignore-not-found").stdout == ""
    brickyard("apply", "-f", "-", stdin=secret("here"))
    done = brickyard("delete", "secret", "gone", "here", code=1)
    assert done.stdout == "secret/here deleted\n"
    assert "1 of 2 objects were not deleted" in done.stderr
    assert "no kind is called 'bricks'" in brickyard("delete", "bricks", "one", code=2).stderr


def test_what_does_not_go_in_time_is_said(brickyard: Run) -> None:
    held = json.loads(secret("held"))
    held["metadata"]["finalizers"] = ["example.com/hold"]
    brickyard("apply", "-f", "-", stdin=json.dumps(held))
    assert brickyard("delete", "secret", "held", "--no-wait").stdout == "secret/held deleted\n"
    done = brickyard("delete", "secret", "held", "--timeout", "0.1", code=1)
    assert "asked to go and still there after 0.1 s: secret/held" in done.stderr
    assert "finalizers" in done.stderr
    held["metadata"]["finalizers"] = []
    brickyard("apply", "-f", "-", stdin=json.dumps(held))
    assert listed(brickyard) == []


EVENT = """
    apiVersion: v1
    kind: Event
    metadata: {{name: {name}, namespace: default}}
    involvedObject: {{kind: Pod, name: {about}, namespace: default, apiVersion: v1}}
    type: {type}
    reason: Tested
    message: {message}
    firstTimestamp: "2026-01-02T03:04:0{second}Z"
    lastTimestamp: "2026-01-02T03:04:0{second}Z"
    count: {second}
"""


def test_events_oldest_first_and_chosen(brickyard: Run) -> None:
    assert brickyard("events").stderr == "No events in namespace default.\n"
    made = [
        EVENT.format(name="late", about="one", type="Warning", message="it broke", second=3),
        EVENT.format(name="early", about="two", type="Normal", message="it began", second=1),
    ]
    brickyard("apply", "-f", "-", stdin="\n---\n".join(map(textwrap.dedent, made)))
    head, *lines = brickyard("events").stdout.splitlines()
    assert head.split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert [line.split()[3] for line in lines] == ["pod/two", "pod/one"]
    assert lines[1].endswith("it broke (x3)")
    assert len(brickyard("events", "--warnings", "-A").stdout.splitlines()) == 2
    assert "it began" in brickyard("events", "po/two").stdout
    assert brickyard("events", "po/three").stdout == ""
    assert "no kind is called" in brickyard("events", "bricks/one", code=2).stderr


def test_events_as_they_happen(brickyard: Run, environ: dict[str, str]) -> None:
    def applied(name: str) -> None:
        made = EVENT.format(name=name, about=f"watched-{name}", type="Normal", message=f"{name} came", second=1)
        brickyard("apply", "-f", "-", stdin=textwrap.dedent(made))

    applied("before")
    with subprocess.Popen(
        [*COMMAND, "events", "--watch"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert any("before came" in line for line in process.stdout)
            applied("after")
            assert any("after came" in line for line in process.stdout)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "delete what?"),
        (("pods",), "delete what?"),
        (("pods/a", "b"), "delete what?"),
        (("pods/",), "delete what?"),
        (("pods", "a", "--all"), "are of one kind"),
        (("pods/a", "-l", "x=y"), "are of one kind"),
        (("pods", "a", "-f", "x.yaml"), "a file says itself what is meant"),
        (("-f", "/nowhere.yaml"), "cannot read /nowhere.yaml"),
    ],
)
def test_what_cannot_be_meant(brickyard: Run, words: tuple[str, ...], said: str) -> None:
    done = brickyard("delete", *words, code=2)
    assert said in done.stderr
    assert done.stdout == ""


def test_a_log_of_what_is_no_pod_says_what_is_meant(brickyard: Run) -> None:
    pod: dict[str, object] = {"metadata": {"name": "brick-1", "labels": {"model.aibrix.ai/name": "brick"}}}
    pod |= {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "engine", "image": "x"}]}}
    brickyard("apply", "-f", "-", stdin=json.dumps(pod))
    assert "brick is a model: its pods are brick-1" in brickyard("logs", "brick", code=1).stderr
    assert "`brickyard logs machine`" in brickyard("logs", "controllers", code=1).stderr
    for nobody in ("nobody", "a b"):
        assert "`brickyard get pods -A`" in brickyard("logs", nobody, code=1).stderr
