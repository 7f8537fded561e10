"""Manifests from files, folders, URLs and standard input."""

from __future__ import annotations

import functools
import http.server
import io
import pathlib
import threading
import types
from collections.abc import Iterator

import pytest

from brickyard.cli import sources
from brickyard.lib import errors

ONE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"
TWO = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two, namespace: there}\n"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Iterator[str]:
    """The URL under which the files of ``tmp_path`` are served."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)


def names(*where: str, namespace: str | None = None, recursive: bool = False) -> list[str]:
    return [obj["metadata"]["name"] for _, obj in sources.objects(where, namespace=namespace, recursive=recursive)]


def test_a_folder_is_read_in_order_of_name(tmp_path: pathlib.Path) -> None:
    (tmp_path / "b.yml").write_text(ONE)
    (tmp_path / "a.yaml").write_text(TWO)
    (tmp_path / "README.md").write_text("no manifest")
    (tmp_path / "folder.yaml").mkdir()
    assert names(str(tmp_path)) == ["two", "one"]


def test_folders_below_are_read_when_asked_for(tmp_path: pathlib.Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "one.json").write_text('{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "deep"}}')
    assert names(str(tmp_path), recursive=True) == ["deep"]
    with pytest.raises(errors.UsageError, match="no manifest in") as caught:
        names(str(tmp_path))
    assert "-R" in caught.value.hint


def test_what_a_url_holds(tmp_path: pathlib.Path, site: str) -> None:
    (tmp_path / "one.yaml").write_bytes(b"\xef\xbb\xbf" + ONE.encode())
    [(name, obj)] = sources.objects([f"{site}/one.yaml"], namespace=None, recursive=False)
    assert (name, obj["metadata"]["name"]) == (f"{site}/one.yaml", "one")


def test_a_url_that_is_not_there(site: str) -> None:
    with pytest.raises(errors.UsageError, match=r"cannot read http.*/no\.yaml: the server answered 404 File not found"):
        names(f"{site}/no.yaml")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("http://127.0.0.1:1/x.yaml", "x.yaml: Connection refused"),
        ("http://127.0.0.1:many/", "nonnumeric port"),
        ("/nowhere", "No such file or directory"),
    ],
)
def test_what_cannot_be_read_is_said_plainly(source: str, said: str) -> None:
    with pytest.raises(errors.UsageError, match="cannot read") as caught:
        names(source)
    assert said in str(caught.value)
    assert "urlopen" not in str(caught.value)


def test_what_is_not_text(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(errors.UsageError, match=r"cannot read .*decode"):
        names(str(tmp_path / "a.yaml"))


def test_what_is_too_large_is_refused_and_not_cut(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text(ONE)
    monkeypatch.setattr(sources, "LIMIT", len(ONE))
    assert names(str(tmp_path)) == ["one"]
    monkeypatch.setattr(sources, "LIMIT", len(ONE) - 1)
    with pytest.raises(errors.UsageError, match="it is larger than"):
        names(str(tmp_path))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(f"{ONE}---\n{TWO}".encode())))
    assert names("-") == ["one", "two"]


@pytest.mark.parametrize("namespace", [None, "there"])
def test_a_namespace_that_fits(tmp_path: pathlib.Path, namespace: str | None) -> None:
    (tmp_path / "a.yaml").write_text(f"{ONE}---\n{TWO}")
    assert names(str(tmp_path), namespace=namespace) == ["one", "two"]


def test_a_namespace_that_does_not_fit_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{ONE}---\n{TWO}")
    with pytest.raises(
        sources.WrongNamespace, match=r"a\.yaml: ConfigMap two is for namespace there, not here"
    ) as caught:
        names(str(tmp_path), namespace="here")
    assert caught.value.hint == "leave --namespace out, or give --namespace there"
