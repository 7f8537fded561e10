import dataclasses
import hashlib
import os
import pathlib

import pytest

from brickyard.lib import clock as clocks
from brickyard.sidecar.downloads import errors, store, trees, wheels

SOURCE = "pypi://tiny==1/tiny/model.gguf"
CONTENT = b"GGUF and more"


@pytest.fixture
def clock() -> clocks.ManualClock:
    return clocks.ManualClock()


@pytest.fixture
def shelf(tmp_path: pathlib.Path, clock: clocks.ManualClock) -> store.Store:
    made = store.Store(tmp_path / "cache", clock)
    made.prepare()
    return made


def admit(shelf: store.Store, source: str = SOURCE, content: bytes = CONTENT) -> pathlib.Path:
    file = shelf.root / "tmp" / "incoming"
    file.write_bytes(content)
    return shelf.admit(source, ".gguf", wheels.Extracted(file, len(content), hashlib.sha256(content).hexdigest()))


def rewrite(path: pathlib.Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def test_what_is_admitted_is_found(shelf: store.Store) -> None:
    path = admit(shelf)
    assert path == shelf.root / "blobs" / f"sha256-{hashlib.sha256(CONTENT).hexdigest()}.gguf"
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o444
    assert shelf.lookup(SOURCE) == path
    assert shelf.lookup(SOURCE, thorough=True) == path


def test_nothing_is_found_before(shelf: store.Store) -> None:
    assert shelf.lookup(SOURCE) is None


def test_nothing_is_found_without_a_folder(tmp_path: pathlib.Path) -> None:
    shelf = store.Store(tmp_path / "none", clocks.ManualClock())
    assert shelf.lookup(SOURCE) is None
    assert list(shelf.entries()) == []


def test_equal_contents_share_a_blob(shelf: store.Store) -> None:
    assert admit(shelf) == admit(shelf, "pypi://other==2/x.gguf")
    assert len(list((shelf.root / "blobs").iterdir())) == 1
    assert shelf.lookup(SOURCE) == shelf.lookup("pypi://other==2/x.gguf")


def test_entries_tell_what_is_there(shelf: store.Store) -> None:
    path = admit(shelf)
    other = admit(shelf, "pypi://other==2/x.gguf", b"else")
    assert list(shelf.entries()) == [
        store.Entry("pypi://other==2/x.gguf", other, 4, hashlib.sha256(b"else").hexdigest(), "2023-11-14T22:13:20Z"),
        store.Entry(SOURCE, path, len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "2023-11-14T22:13:20Z"),
    ]
    other.unlink()
    assert [entry.source for entry in shelf.entries()] == [SOURCE]


def test_a_lost_blob_is_fetched_again(shelf: store.Store) -> None:
    admit(shelf).unlink()
    assert shelf.lookup(SOURCE) is None


def test_a_cut_blob_is_thrown_away(shelf: store.Store) -> None:
    path = admit(shelf)
    rewrite(path, CONTENT[:-1])
    assert shelf.lookup(SOURCE) is None
    assert not path.exists()


def test_a_changed_blob_of_the_same_size_is_thrown_away(shelf: store.Store) -> None:
    path = admit(shelf)
    rewrite(path, CONTENT[::-1])
    assert shelf.lookup(SOURCE) is None
    assert not path.exists()


def test_a_changed_blob_with_the_old_time_is_found_out_by_a_thorough_look(shelf: store.Store) -> None:
    path = admit(shelf)
    before = path.stat()
    rewrite(path, CONTENT[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert shelf.lookup(SOURCE) == path
    assert shelf.lookup(SOURCE, thorough=True) is None


def test_a_touched_blob_is_hashed_once_and_then_trusted(shelf: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = admit(shelf)
    os.utime(path, ns=(1, 1))
    assert shelf.lookup(SOURCE) == path
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
    assert shelf.lookup(SOURCE) == path


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"source": "x"}', b"null"])
def test_a_damaged_record_is_no_record(shelf: store.Store, content: bytes) -> None:
    admit(shelf)
    (record,) = (shelf.root / "refs").glob("*.json")
    record.write_bytes(content)
    assert shelf.lookup(SOURCE) is None
    assert list(shelf.entries()) == []


def test_a_draft_of_a_record_is_no_record(shelf: store.Store) -> None:
    admit(shelf)
    (record,) = (shelf.root / "refs").glob("*.json")
    record.rename(record.with_suffix(".tmp"))
    assert shelf.lookup(SOURCE) is None


def test_downloads_have_places_of_their_own(shelf: store.Store) -> None:
    assert shelf.workspace("a==1") != shelf.workspace("a==2")
    assert shelf.lock("a==1") != shelf.lock("a==2")
    assert shelf.workspace("../../x").parent == shelf.root / "tmp"
    assert shelf.lock("../../x").parent == shelf.root / "locks"


def test_given_up_downloads_are_swept_away_after_a_day(shelf: store.Store, clock: clocks.ManualClock) -> None:
    for name, age in (("old", store.STALE + 1), ("new", store.STALE - 1)):
        folder = shelf.workspace(name)
        folder.mkdir()
        (folder / "part").write_bytes(b"x")
        for path in (folder / "part", folder):
            os.utime(path, (clock.wall() - age, clock.wall() - age))
    growing = shelf.workspace("growing")
    growing.mkdir()
    (growing / "part").write_bytes(b"x")
    os.utime(growing, (clock.wall() - 2 * store.STALE, clock.wall() - 2 * store.STALE))
    os.utime(growing / "part", (clock.wall(), clock.wall()))
    shelf.sweep()
    assert set((shelf.root / "tmp").iterdir()) == {shelf.workspace("new"), growing}


def test_folder_size(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "x").write_bytes(b"12")
    (tmp_path / "a" / "b" / "y").write_bytes(b"345")
    assert store.folder_size(tmp_path) == 5
    assert store.folder_size(tmp_path / "none") == 0


def test_discard_is_content_with_nothing(tmp_path: pathlib.Path) -> None:
    store.discard(tmp_path / "none")
    assert tmp_path.exists()


def member(shelf: store.Store, tmp_path: pathlib.Path, path: str, content: bytes) -> trees.Member:
    source = tmp_path / "arrived"
    source.write_bytes(content)
    file = wheels.Extracted(source, len(content), hashlib.sha256(content).hexdigest())
    return dataclasses.replace(shelf.keep(pathlib.PurePosixPath(path).suffix, file), path=path)


class TestTrees:
    def test_a_folder_of_links(self, shelf: store.Store, tmp_path: pathlib.Path) -> None:
        files = {"config.json": b"{}", "deep/er/a.safetensors": b"weights"}
        members = [member(shelf, tmp_path, path, content) for path, content in files.items()]
        place = shelf.publish("hf://o/m", "hf://o/m", members, "")
        assert {path: (place / path).read_bytes() for path in files} == files
        assert not (place / "config.json").readlink().is_absolute()
        assert shelf.lookup("hf://o/m") == place
        assert shelf.lookup("hf://o/m", thorough=True) == place
        assert shelf.publish("hf://o/m", "hf://o/m", members, "config.json") == place / "config.json"
        assert shelf.lookup("hf://o/m") == place / "config.json"
        entry = next(shelf.entries())
        assert (entry.source, entry.path, entry.size) == ("hf://o/m", place / "config.json", 9)

    def test_another_content_is_another_folder(self, shelf: store.Store, tmp_path: pathlib.Path) -> None:
        first = shelf.publish("hf://o/m", "m", [member(shelf, tmp_path, "a.json", b"1")], "")
        second = shelf.publish("hf://o/m", "m", [member(shelf, tmp_path, "a.json", b"2")], "")
        assert first != second
        assert (first / "a.json").read_bytes() == b"1"

    @pytest.mark.parametrize("harm", ["missing", "short", "link", "record", "leads out"])
    def test_one_that_is_not_whole_is_none(self, shelf: store.Store, tmp_path: pathlib.Path, harm: str) -> None:
        place = shelf.publish("hf://o/m", "m", [member(shelf, tmp_path, "a.json", b"1")], "")
        blob = (place / "a.json").resolve()
        record = next((shelf.root / "refs").glob("*.json"))
        match harm:
            case "missing":
                blob.unlink()
            case "short":
                blob.chmod(0o644)
                blob.write_bytes(b"")
            case "link":
                (place / "a.json").unlink()
            case "record":
                record.write_bytes(record.read_bytes().replace(b'"mtime_ns"', b'"time"'))
            case _:
                record.write_bytes(record.read_bytes().replace(b'"a.json"', b'"../a.json"'))
        assert shelf.lookup("hf://o/m") is None

    def test_a_touched_blob_is_hashed_once(self, shelf: store.Store, tmp_path: pathlib.Path) -> None:
        place = shelf.publish("hf://o/m", "m", [member(shelf, tmp_path, "a.json", b"1")], "")
        os.utime((place / "a.json").resolve())
        before = next((shelf.root / "refs").glob("*.json")).read_bytes()
        assert shelf.lookup("hf://o/m") == place
        assert next((shelf.root / "refs").glob("*.json")).read_bytes() != before

    def test_a_known_checksum_is_found(self, shelf: store.Store, tmp_path: pathlib.Path) -> None:
        kept = member(shelf, tmp_path, "a.json", b"1")
        assert shelf.blob(kept.sha256, ".json", 1) == dataclasses.replace(kept, path="")
        assert shelf.blob(kept.sha256, ".json", None) is not None
        assert shelf.blob(kept.sha256, ".json", 2) is None
        assert shelf.blob(kept.sha256, ".bin", 1) is None


def test_room_is_refused_ahead_of_time(shelf: store.Store) -> None:
    shelf.room(1)
    with pytest.raises(errors.OutOfSpaceError, match=r"are to come and .* GB are free below .*: free some space"):
        shelf.room(1 << 60)
