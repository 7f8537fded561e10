"""What is kept of a pod on disk."""

from __future__ import annotations

import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import records
from brickyard.embedded.kubelet.plan import messages
from brickyard.embedded.kubelet.testing import pod
from brickyard.lib import process

numbers = st.integers(0, 2**31)
times = st.floats(0, 4e9)
ends = st.builds(messages.Terminated, numbers, st.text(), st.text(), times, times, st.text())
memories = st.builds(
    messages.Memory,
    runs=numbers,
    image=st.text(),
    container_id=st.text(),
    started_at=times,
    started=st.booleans(),
    ready=st.booleans(),
    last=st.none() | ends,
    before=st.none() | ends,
    crashes=numbers,
    retry_at=times,
    restart=st.booleans(),
)
containers = st.builds(
    records.ContainerRecord,
    memories,
    st.none() | st.builds(process.Identity, numbers, numbers),
    st.dictionaries(st.text(), st.lists(st.text()).map(tuple), max_size=2),
    st.none() | st.builds(process.Identity, numbers, numbers),
)


@given(st.dictionaries(st.text(), containers, max_size=3))
def test_what_is_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, held: dict[str, records.ContainerRecord]
) -> None:
    folder = records.PodFolder(tmp_path_factory.mktemp("pods"), "uid")
    record = records.Record(pod(), "127.64.0.1", "boot", held)
    text = folder.news(record)
    assert text is not None
    folder.save(text)
    assert folder.load() == record
    assert folder.news(record) is None


def test_the_record_is_for_nobody_else(tmp_path: pathlib.Path) -> None:
    folder = records.PodFolder(tmp_path, "uid")
    folder.save(b"{}")
    assert (folder.path / "record.json").stat().st_mode & 0o077 == 0
    assert folder.path.stat().st_mode & 0o077 == 0
    assert [each.name for each in folder.path.iterdir()] == ["record.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"version": 99}', b'{"version": 1, "pod": {}}', b"\xff"]
)
def test_a_record_that_cannot_be_read_is_none(tmp_path: pathlib.Path, content: bytes) -> None:
    folder = records.PodFolder(tmp_path, "uid")
    folder.save(content)
    assert folder.load() is None


def test_no_record(tmp_path: pathlib.Path) -> None:
    assert records.PodFolder(tmp_path, "uid").load() is None
    assert list(records.folders(tmp_path / "none")) == []


def test_folders_are_found(tmp_path: pathlib.Path) -> None:
    for uid in ("b", "a"):
        records.PodFolder(tmp_path, uid).work("web")
    (tmp_path / "file").touch()
    assert [each.uid for each in records.folders(tmp_path)] == ["a", "b"]


def test_logs_and_ends_of_two_runs_are_kept(tmp_path: pathlib.Path) -> None:
    folder = records.PodFolder(tmp_path, "uid")
    for attempt in range(4):
        folder.prune_runs("web", attempt)
        log, end = folder.log("web", attempt), folder.end("web", attempt)
        for path in (log, log.with_name(log.name + ".1"), end):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    assert sorted(each.name for each in log.parent.iterdir()) == ["2.log", "2.log.1", "3.log", "3.log.1"]
    assert sorted(each.name for each in end.parent.iterdir()) == ["2.json", "3.json"]


def test_a_run_that_begins_anew_finds_nothing_of_its_first_try(tmp_path: pathlib.Path) -> None:
    folder = records.PodFolder(tmp_path, "uid")
    for path in (folder.log("web", 3), folder.end("web", 3), folder.end("web", 2)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    folder.prune_runs("web", 3)
    assert not folder.log("web", 3).exists()
    assert not folder.end("web", 3).exists()
    assert folder.end("web", 2).exists()


def test_removing_takes_all_but_what_is_linked(tmp_path: pathlib.Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    folder = records.PodFolder(tmp_path / "pods", "uid")
    (folder.work("web") / "link").symlink_to(outside)
    folder.remove()
    assert not folder.path.exists()
    assert (outside / "kept").exists()
    folder.remove()
