"""References to places on the network, through the cache."""

import asyncio
import contextlib
import hashlib
import logging
import os
import pathlib
import sys
from collections.abc import AsyncIterator

import pytest

from brickyard.lib import backoff
from brickyard.lib import clock as clocks
from brickyard.sidecar.downloads import cache, errors, fetching, hub, objects, testing_server, transfer

Fault, File, Reply, Server = testing_server.Fault, testing_server.File, testing_server.Reply, testing_server.Server
QUICK = transfer.Patience(stall=10, failures=2, pause=backoff.Backoff(0.001, 1, 0.001), longest=0.01)
WEIGHTS = b"GGUF" + os.urandom(600_000)
SHARDS = {f"model-0000{part}-of-00002.safetensors": os.urandom(200_000) for part in (1, 2)}
LLAMA = {"config.json": b'{"a": 1}', "tokenizer.json": b"{}", "README.md": b"words", **SHARDS}


def models(tmp_path: pathlib.Path, remotes: fetching.Remotes) -> cache.ModelCache:
    return cache.ModelCache(tmp_path / "cache", deadline=30, remotes=remotes, clock=clocks.SystemClock())


def leftovers(tmp_path: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in (tmp_path / "cache" / "tmp").rglob("*") if path.is_file()]


class TestWeb:
    async def test_a_file_arrives_and_stays(self, tmp_path: pathlib.Path) -> None:
        async with Server() as server:
            server.files["/a.gguf"] = File(WEIGHTS)
            store = models(tmp_path, fetching.Remotes(patience=QUICK))
            seen: list[tuple[int, int | None]] = []
            path = await store.fetch(f"{server.url}/a.gguf", progress=lambda *each: seen.append(each))
            assert path.read_bytes() == WEIGHTS
            assert path == store.root / "blobs" / f"sha256-{hashlib.sha256(WEIGHTS).hexdigest()}.gguf"
            assert seen[-1] == (len(WEIGHTS), len(WEIGHTS))
            assert leftovers(tmp_path) == []
        assert await store.fetch(f"{server.url}/a.gguf") == path

    async def test_a_known_checksum_asks_nobody(self, tmp_path: pathlib.Path) -> None:
        async with Server() as server:
            server.files["/a.gguf"] = File(WEIGHTS)
            store = models(tmp_path, fetching.Remotes(patience=QUICK))
            path = await store.fetch(f"{server.url}/a.gguf")
            server.asked.clear()
            marked = f"{server.url}/elsewhere.gguf#sha256={hashlib.sha256(WEIGHTS).hexdigest()}"
            assert await store.fetch(marked) == path
            assert server.asked == []

    async def test_a_wrong_checksum_is_told(self, tmp_path: pathlib.Path) -> None:
        async with Server() as server:
            server.files["/a.gguf"] = File(WEIGHTS)
            with pytest.raises(errors.CorruptError, match="was announced"):
                await models(tmp_path, fetching.Remotes(patience=QUICK)).fetch(f"{server.url}/a.gguf#sha256={'0' * 64}")

    async def test_an_interrupted_one_goes_on_in_another_process(self, tmp_path: pathlib.Path) -> None:
        async with Server() as server:
            server.files["/a.gguf"] = File(WEIGHTS)
            server.faults += [Fault(cut=400_000), *[Fault(cut=0)] * 2]
            with pytest.raises(errors.UnreachableError):
                await models(tmp_path, fetching.Remotes(patience=QUICK)).fetch(f"{server.url}/a.gguf")
            assert leftovers(tmp_path)
            server.asked.clear()
            path = await models(tmp_path, fetching.Remotes(patience=QUICK)).fetch(f"{server.url}/a.gguf")
            assert path.read_bytes() == WEIGHTS
            assert server.ranges() == ["bytes=400000-"]

    async def test_secrets_of_an_address_are_nowhere(
        self, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        async with Server() as server:
            server.files["/a.gguf"] = File(WEIGHTS)
            server.faults.append(Fault(cut=1000))
            url = server.url.replace("http://", "http://user:s3cr3t@") + "/a.gguf?sig=h1dd3n"
            store = models(tmp_path, fetching.Remotes(patience=QUICK))
            await store.fetch(url)
            server.answer = lambda _: Reply(403)
            with pytest.raises(errors.AccessDeniedError) as caught:
                await store.fetch(url.replace("a.gguf", "b.gguf"))
        entry = next(store.entries())
        told = f"{caplog.text}{caught.value}{entry}" + "".join(
            path.read_text("latin-1") for path in (tmp_path / "cache").rglob("*.json")
        )
        assert "a.gguf" in told
        assert "s3cr3t" not in told
        assert "h1dd3n" not in told


@contextlib.asynccontextmanager
async def hosting(
    files: dict[str, dict[str, bytes]],
) -> AsyncIterator[tuple[testing_server.Server, testing_server.FakeHub]]:
    fake = testing_server.FakeHub(files)
    async with Server(fake) as server:
        yield server, fake


def remotes(server: testing_server.Server, token: str = "", parallel: int = 2, force: bool = False) -> fetching.Remotes:
    return fetching.Remotes(hub=hub.Access(server.url, token), parallel=parallel, force=force, patience=QUICK)


class TestHub:
    async def test_a_model_is_a_folder(self, tmp_path: pathlib.Path) -> None:
        async with hosting({"org/llama": LLAMA}) as (server, fake):
            seen: list[tuple[int, int | None]] = []
            store = models(tmp_path, remotes(server))
            path = await store.fetch("hf://org/llama", progress=lambda *each: seen.append(each))
            kept = {name: content for name, content in LLAMA.items() if name != "README.md"}
            assert {each.name: each.read_bytes() for each in path.iterdir()} == kept
            total = sum(map(len, kept.values()))
            assert seen[-1] == (total, total)
            assert all(all_ in {None, total} for _, all_ in seen)
            assert all(f"/resolve/{fake.commit}/" in ask.path for ask in server.asked[1:])
            server.asked.clear()
            assert await store.fetch("hf://org/llama") == path
            assert server.asked == []
            assert leftovers(tmp_path) == []

    async def test_two_revisions_share_what_is_the_same(self, tmp_path: pathlib.Path) -> None:
        async with hosting({"org/llama": dict(LLAMA)}) as (server, fake):
            store = models(tmp_path, remotes(server))
            first = await store.fetch("hf://org/llama")
            fake.files["org/llama"]["config.json"] = b'{"a": 2}'
            server.asked.clear()
            second = await store.fetch(f"hf://org/llama@{fake.commit}")
            assert (first / "config.json").read_bytes() != (second / "config.json").read_bytes()
            assert not [ask.path for ask in server.asked if ask.path.endswith(".safetensors")]

    async def test_force_asks_once_again(self, tmp_path: pathlib.Path) -> None:
        async with hosting({"org/llama": dict(LLAMA)}) as (server, fake):
            await models(tmp_path, remotes(server)).fetch("hf://org/llama")
            fake.files["org/llama"]["config.json"] = b'{"a": 2}'
            store = models(tmp_path, remotes(server, force=True))
            path = await store.fetch("hf://org/llama")
            assert (path / "config.json").read_bytes() == b'{"a": 2}'
            server.asked.clear()
            assert await store.fetch("hf://org/llama") == path
            assert server.asked == []

    async def test_a_quantisation_is_a_file(self, tmp_path: pathlib.Path) -> None:
        files = {"m-Q4_K_M.gguf": WEIGHTS, "m-Q8_0.gguf": b"GGUF other"}
        async with hosting({"org/m-GGUF": files}) as (server, _):
            path = await models(tmp_path, remotes(server)).fetch("hf://org/m-GGUF:q4_k_m")
            assert path.suffix == ".gguf"
            assert path.read_bytes() == WEIGHTS
            assert not [ask for ask in server.asked if "Q8_0" in ask.path]

    async def test_a_file_in_parts_lies_together(self, tmp_path: pathlib.Path) -> None:
        parts = {f"m-Q8_0-0000{part}-of-00002.gguf": f"GGUF{part}".encode() for part in (1, 2)}
        async with hosting({"org/m-GGUF": parts}) as (server, _):
            path = await models(tmp_path, remotes(server)).fetch("hf://org/m-GGUF:Q8_0")
            assert path.name == "m-Q8_0-00001-of-00002.gguf"
            assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == parts

    async def test_the_token_goes_to_the_hub_alone(self, tmp_path: pathlib.Path) -> None:
        async with hosting({"org/llama": LLAMA}) as (server, fake), Server() as storage:
            fake.token, fake.storage = "hf_t0k3n", storage.url
            for content in SHARDS.values():
                storage.files[f"/{hashlib.sha256(content).hexdigest()}"] = File(content)
            storage.faults.append(Fault(cut=100_000))
            path = await models(tmp_path, remotes(server, "hf_t0k3n")).fetch("hf://org/llama")
            assert {name: (path / name).read_bytes() for name in SHARDS} == SHARDS
            assert all(ask.headers["authorization"] == "Bearer hf_t0k3n" for ask in server.asked)
            assert storage.asked
            assert not [ask for ask in storage.asked if "authorization" in ask.headers]
            assert "bytes=100000-" in storage.ranges()

    async def test_no_more_at_once_than_allowed(self, tmp_path: pathlib.Path) -> None:
        files = {f"model-{part}.safetensors": os.urandom(50_000) for part in range(8)}
        async with hosting({"org/llama": files}) as (server, _):
            server.faults += [Fault(stall=10, path=".safetensors")] * 8
            work = asyncio.create_task(models(tmp_path, remotes(server, parallel=3)).fetch("hf://org/llama"))
            while len(server.asked) < 4:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.05)
            assert len(server.asked) == 4
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work

    async def test_what_is_whole_is_not_asked_again_after_a_failure(self, tmp_path: pathlib.Path) -> None:
        async with hosting({"org/llama": LLAMA}) as (server, _):
            last = next(reversed(SHARDS))
            server.faults += [Fault(cut=50_000, path=last), *[Fault(cut=0, path=last)] * 2]
            with pytest.raises(errors.UnreachableError, match=f"hf://org/llama/{last}"):
                await models(tmp_path, remotes(server, parallel=1)).fetch("hf://org/llama")
            assert not list((tmp_path / "cache" / "trees").iterdir())
            server.asked.clear()
            path = await models(tmp_path, remotes(server, parallel=1)).fetch("hf://org/llama")
            assert (path / last).read_bytes() == SHARDS[last]
            assert [ask.path.rpartition("/")[2] for ask in server.asked[1:]] == [last]

    async def test_damage_is_noticed_and_told(self, tmp_path: pathlib.Path) -> None:
        async with hosting({"org/llama": LLAMA}) as (server, _):
            server.faults += [Fault(reply=Reply(200, body=b'{"a": 9}'), path="config.json")] * 3
            with pytest.raises(errors.CorruptError, match=r"hf://org/llama/config\.json is not the file that"):
                await models(tmp_path, remotes(server)).fetch("hf://org/llama")

    @pytest.mark.parametrize(
        ("reference", "kind", "said"),
        [
            ("hf://org/none", errors.ModelNotFoundError, "hf://org/none is not there: see http"),
            ("hf://org/llama@v9", errors.ModelNotFoundError, "hf://org/llama has no such revision"),
            ("hf://org/llama/x.gguf", errors.ModelNotFoundError, "has no file x.gguf"),
            (
                "hf://org/gated",
                errors.AccessDeniedError,
                r"accepts its terms: do so at http://.*/org/gated, then set HF_TOKEN",
            ),
        ],
    )
    async def test_refusals(
        self, tmp_path: pathlib.Path, reference: str, kind: type[errors.DownloadError], said: str
    ) -> None:
        async with hosting({"org/llama": LLAMA, "org/gated": LLAMA}) as (server, fake):
            fake.gated.add("org/gated")
            with pytest.raises(kind, match=said):
                await models(tmp_path, remotes(server)).fetch(reference)

    @pytest.mark.parametrize(("token", "said"), [("", "set HF_TOKEN to a token"), ("bad0ne", "HF_TOKEN is refused")])
    async def test_who_asks(self, tmp_path: pathlib.Path, token: str, said: str) -> None:
        async with hosting({"org/llama": LLAMA}) as (server, fake):
            fake.token = "right"
            with pytest.raises(
                errors.AccessDeniedError, match=f"private or not there: correct the name, or {said}"
            ) as caught:
                await models(tmp_path, remotes(server, token)).fetch("hf://org/llama")
            assert "bad0ne" not in str(caught.value)

    async def test_patience_is_asked_for(self, tmp_path: pathlib.Path) -> None:
        async with hosting({"org/llama": LLAMA}) as (server, _):
            server.faults += [Fault(reply=Reply(429))] * 3
            with pytest.raises(errors.BusyError, match="set HF_TOKEN, known users may ask more"):
                await models(tmp_path, remotes(server)).fetch("hf://org/llama")

    async def test_something_else_answers(self, tmp_path: pathlib.Path) -> None:
        async with Server(lambda _: Reply(200, body=b"<html>log in</html>")) as server:
            with pytest.raises(errors.UnreachableError, match="does not answer as a model hub: check HF_ENDPOINT"):
                await models(tmp_path, remotes(server)).fetch("hf://org/llama")

    async def test_offline_only_the_cache_answers(self, tmp_path: pathlib.Path) -> None:
        async with hosting({"org/llama": LLAMA}) as (server, _):
            path = await models(tmp_path, remotes(server)).fetch("hf://org/llama")
            away = fetching.Remotes(hub=hub.Access(server.url, offline=True))
            assert await models(tmp_path, away).fetch("hf://org/llama") == path
            with pytest.raises(errors.UnreachableError, match="HF_HUB_OFFLINE forbids to ask"):
                await models(tmp_path, away).fetch("hf://org/other")

    async def test_a_listing_that_is_too_big_for_the_disk(self, tmp_path: pathlib.Path) -> None:
        listing = b'{"sha": "c", "siblings": [{"rfilename": "a.gguf", "size": 1152921504606846976}]}'
        async with Server(lambda _: Reply(200, body=listing)) as server:
            with pytest.raises(errors.OutOfSpaceError, match="GB are to come"):
                await models(tmp_path, remotes(server)).fetch("hf://org/llama")
            assert len(server.asked) == 1

    def test_access_by_the_hubs_own_variables(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "token").write_text("from-file\n")
        assert hub.Access.configured({"HF_HOME": str(tmp_path)}).token == "from-file"
        assert hub.Access.configured({"HF_HOME": "/none", "HF_TOKEN_PATH": f"{tmp_path}/token"}).token == "from-file"
        full = {"HF_TOKEN": " t ", "HF_ENDPOINT": "https://mirror/", "HF_REVISION": "dev", "HF_HUB_OFFLINE": "1"}
        access = hub.Access.configured(full)
        assert access == hub.Access("https://mirror", "t", "dev", offline=True)
        assert "token" not in repr(access)
        assert hub.Access.configured({"HF_HOME": "/none"}) == hub.Access()


KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cr3t", "AWS_REGION": "eu-test-1"}
OBJECTS = {
    "models/llama/config.json": b"{}",
    "models/llama/deep/a.safetensors": os.urandom(700_000),
    "models/llama2/config.json": b"other",
    "models/one.gguf": WEIGHTS,
}


@contextlib.asynccontextmanager
async def storing(
    environ: dict[str, str] | None = None,
) -> AsyncIterator[tuple[testing_server.Server, fetching.Remotes]]:
    fake = testing_server.FakeStore(dict(OBJECTS))
    async with Server(fake) as server:
        full = {"AWS_ENDPOINT_URL": server.url, **(KEYS if environ is None else environ)}
        yield server, fetching.Remotes(stores=objects.Stores(full), patience=QUICK)


class TestObjects:
    async def test_an_object_is_a_file(self, tmp_path: pathlib.Path) -> None:
        async with storing() as (server, places):
            store = models(tmp_path, places)
            path = await store.fetch("s3://models/one.gguf")
            assert path.suffix == ".gguf"
            assert path.read_bytes() == WEIGHTS
            server.asked.clear()
            assert await store.fetch("s3://models/one.gguf") == path
            assert server.asked == []

    async def test_a_prefix_is_a_folder(self, tmp_path: pathlib.Path) -> None:
        async with storing() as (_, places):
            path = await models(tmp_path, places).fetch("s3://models/llama/")
            found = {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*.*")}
            assert found == {
                name.removeprefix("models/llama/"): content
                for name, content in OBJECTS.items()
                if name.startswith("models/llama/")
            }

    async def test_a_cut_goes_on_where_it_was(self, tmp_path: pathlib.Path) -> None:
        async with storing() as (server, places):
            server.faults.append(Fault(cut=500_000, path="one.gguf"))
            server.faults.insert(0, Fault(path="one.gguf"))  # the first request is a HEAD
            path = await models(tmp_path, places).fetch("s3://models/one.gguf")
            assert path.read_bytes() == WEIGHTS
            assert [each for each in server.ranges() if each] != []

    async def test_an_object_that_changes_meanwhile(self, tmp_path: pathlib.Path) -> None:
        async with storing() as (server, places):
            server.faults += [Fault(path="one.gguf"), Fault(cut=300_000, path="one.gguf")]
            server.faults += [Fault(cut=0, path="one.gguf")] * 30
            with pytest.raises(errors.UnreachableError):
                await models(tmp_path, places).fetch("s3://models/one.gguf")
            server.faults.clear()
            fake = server.answer
            assert isinstance(fake, testing_server.FakeStore)
            fake.objects["models/one.gguf"] = WEIGHTS[::-1]
            path = await models(tmp_path, places).fetch("s3://models/one.gguf")
            assert path.read_bytes() == WEIGHTS[::-1]

    async def test_allowed_suffixes(self, tmp_path: pathlib.Path) -> None:
        async with storing() as (_, places):
            only = fetching.Remotes(stores=places.stores, suffixes=frozenset({".json"}), patience=QUICK)
            path = await models(tmp_path, only).fetch("s3://models/llama")
            assert [each.name for each in path.rglob("*.*")] == ["config.json"]

    @pytest.mark.parametrize(
        ("reference", "environ", "kind", "said"),
        [
            ("s3://models/none", None, errors.ModelNotFoundError, "no object s3://models/none and none below it"),
            (
                "s3://models/one.gguf",
                {**KEYS, "AWS_SECRET_ACCESS_KEY": "wr0ng"},
                errors.AccessDeniedError,
                "set AWS_ACCESS_KEY_ID and",
            ),
            (
                "s3://models/one.gguf",
                {"AWS_SKIP_SIGNATURE": "true"},
                errors.AccessDeniedError,
                "the store refuses: set AWS_ACCESS",
            ),
            (
                "s3://models/one.gguf",
                {"AWS_ACCESS_KEY_ID": "a"},
                errors.AccessDeniedError,
                "AWS_SECRET_ACCESS_KEY is missing beside",
            ),
            ("tos://models/one.gguf", {}, errors.AccessDeniedError, "tos:// needs TOS_ENDPOINT"),
            (f"s3://models/llama#sha256={'0' * 64}", None, errors.InvalidReferenceError, "is a folder: a checksum"),
        ],
    )
    async def test_refusals(
        self,
        tmp_path: pathlib.Path,
        reference: str,
        environ: dict[str, str] | None,
        kind: type[errors.DownloadError],
        said: str,
    ) -> None:
        async with storing(environ) as (_, places):
            with pytest.raises(kind, match=said) as caught:
                await models(tmp_path, places).fetch(reference)
            assert "wr0ng" not in str(caught.value)

    async def test_a_public_bucket(self, tmp_path: pathlib.Path) -> None:
        async with storing({"AWS_SKIP_SIGNATURE": "true"}) as (server, places):
            fake = server.answer
            assert isinstance(fake, testing_server.FakeStore)
            fake.open.add("models")
            assert (await models(tmp_path, places).fetch("s3://models/one.gguf")).read_bytes() == WEIGHTS

    async def test_without_the_extra_it_says_how_to_get_it(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "obstore", None)
        with pytest.raises(errors.CacheUnusableError, match=r"s3://models/one\.gguf: .* pip install 'brickyard\[s3\]'"):
            await models(tmp_path, fetching.Remotes()).fetch("s3://models/one.gguf")

    def test_a_key_of_a_profile(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "credentials"
        path.write_text("[default]\naws_access_key_id = A\naws_secret_access_key = B\n[other]\naws_access_key_id = C\n")
        environ = {"AWS_SHARED_CREDENTIALS_FILE": str(path)}
        assert objects.amazon(environ) == {"region": "us-east-1", "access_key_id": "A", "secret_access_key": "B"}
        with pytest.raises(errors.AccessDeniedError, match="aws_secret_access_key is missing"):
            objects.amazon({**environ, "AWS_PROFILE": "other"})
        assert objects.amazon({**environ, "AWS_PROFILE": "none"}) == {"region": "us-east-1"}

    def test_settings_of_other_stores(self) -> None:
        keys = {"TOS_ENDPOINT": "tos-cn.example", "TOS_REGION": "cn", "TOS_ACCESS_KEY": "A", "TOS_SECRET_KEY": "B"}
        assert objects.tos(keys) == {
            "endpoint": "https://tos-cn.example", "region": "cn", "virtual_hosted_style_request": True,
            "access_key_id": "A", "secret_access_key": "B",
        }  # fmt: skip
        assert objects.google({"GOOGLE_SKIP_SIGNATURE": "1"}) == {"skip_signature": True}
        assert objects.google({"GOOGLE_APPLICATION_CREDENTIALS": "/k"}) == {"application_credentials": "/k"}
        assert objects.google({}) == {}

    def test_secrets_are_not_shown(self) -> None:
        assert "s3cr3t" not in repr(objects.Stores(KEYS))


async def test_a_container_brings_its_own_token(tmp_path: pathlib.Path) -> None:
    async with hosting({"org/llama": LLAMA}) as (server, fake):
        fake.token = "theirs"
        own = {
            "BRICKYARD_MODEL_CACHE": str(tmp_path),
            "HF_ENDPOINT": server.url,
            "HF_TOKEN": "ours",
            "HF_HOME": "/none",
        }
        store = cache.ModelCache.configured(own)
        with pytest.raises(errors.AccessDeniedError, match="HF_TOKEN is refused"):
            await store.fetch("hf://org/llama", environ={"PATH": "/bin"})
        brought = {"HF_TOKEN": "theirs", "HF_ENDPOINT": server.url}
        assert (await store.fetch("hf://org/llama", environ=brought)).is_dir()


async def test_the_machines_token_does_not_follow_a_containers_address(tmp_path: pathlib.Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "token").write_text("ours")
    async with hosting({"org/llama": LLAMA}) as (server, _):
        own = {"BRICKYARD_MODEL_CACHE": str(tmp_path), "HF_TOKEN": "ours", "HF_HOME": str(home)}
        await cache.ModelCache.configured(own).fetch("hf://org/llama", environ={"HF_ENDPOINT": server.url})
        assert not [ask for ask in server.asked if "authorization" in ask.headers]


async def test_settings_reach_the_places(tmp_path: pathlib.Path) -> None:
    async with hosting({"org/llama": LLAMA}) as (server, _):
        environ = {
            "BRICKYARD_MODEL_CACHE": str(tmp_path), "HF_ENDPOINT": server.url, "HF_HOME": "/none",
            "DOWNLOADER_ALLOW_FILE_SUFFIX": "json, *.md", "DOWNLOADER_NUM_THREADS": "0", "DOWNLOADER_FORCE_DOWNLOAD": "1",
        }  # fmt: skip
        path = await cache.ModelCache.configured(environ).fetch("hf://org/llama")
        assert sorted(each.name for each in path.iterdir()) == ["config.json", "tokenizer.json"]


async def test_the_same_words_at_a_containers_address_are_another_model(tmp_path: pathlib.Path) -> None:
    theirs = {"org/llama": {**LLAMA, "config.json": b'{"theirs": 1}'}}
    async with hosting({"org/llama": LLAMA}) as (ours, _), hosting(theirs) as (other, _):
        environ = {"BRICKYARD_MODEL_CACHE": str(tmp_path), "HF_ENDPOINT": ours.url, "HF_HOME": "/none"}
        store = cache.ModelCache.configured(environ)
        brought = {"HF_ENDPOINT": other.url}
        for _ in range(2):
            path = await store.fetch("hf://org/llama", environ=brought)
            assert (path / "config.json").read_bytes() == b'{"theirs": 1}'
            path = await store.fetch("hf://org/llama")
            assert (path / "config.json").read_bytes() == LLAMA["config.json"]
            assert await store.fetch("hf://org/llama", environ={"HF_ENDPOINT": ours.url, "HF_TOKEN": "t"}) == path


async def test_the_revision_that_settings_name_is_part_of_what_is_meant(tmp_path: pathlib.Path) -> None:
    async with hosting({"org/llama": LLAMA}) as (server, fake):
        own = {"BRICKYARD_MODEL_CACHE": str(tmp_path), "HF_ENDPOINT": server.url, "HF_HOME": "/none"}
        for settings in ({}, {"HF_REVISION": fake.commit}):
            await cache.ModelCache.configured({**own, **settings}).fetch("hf://org/llama")
        asked = [ask.path for ask in server.asked]
        assert [each.rpartition("/")[2] for each in asked if "/revision/" in each] == ["main", fake.commit]
        await cache.ModelCache.configured(own).fetch(f"hf://org/llama@{fake.commit}")
        await cache.ModelCache.configured({**own, "HF_REVISION": "main"}).fetch("hf://org/llama")
        assert len(server.asked) == len(asked)
