"""Killed with -9 in a storm of writes, again and again: what was acknowledged is there, and who watched can go on.

The storm comes over HTTP, in two namespaces, with creates, updates and deletes; a server that lives between two kills proves that a
restart is no beginning: revisions go on, identities stay.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import pathlib
import random
import ssl
from typing import Any

import httpx2
import orjson
import pytest
from tests.witness import cluster as clusters

pytestmark = pytest.mark.slow

NAMESPACES = ("default", "second")
ROUNDS = 4
WRITERS = 8


@dataclasses.dataclass
class Known:
    """An object as it was acknowledged last. ``writing`` is what a write that was not answered may have made of it."""

    uid: str
    revision: int
    count: int
    writing: int | None = None


@dataclasses.dataclass
class Storm:
    """What its writers were told. ``objects`` by namespace and name; None is a delete that was acknowledged."""

    objects: dict[tuple[str, str], Known | None] = dataclasses.field(default_factory=dict)
    unsure: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    """Creates and deletes without an answer: the object may be there or not."""
    highest: int = 0
    acknowledged: int = 0

    def told(self, body: dict[str, Any]) -> int:
        revision = int(body["metadata"]["resourceVersion"])
        self.highest = max(self.highest, revision)
        self.acknowledged += 1
        return revision


def connect(cluster: clusters.Cluster) -> httpx2.AsyncClient:
    trusted = ssl.create_default_context(cafile=str(cluster.data / "pki" / "ca.crt"))
    bearer = {"authorization": f"Bearer {(cluster.data / 'token').read_text().strip()}"}
    return httpx2.AsyncClient(base_url=cluster.url, verify=trusted, headers=bearer, timeout=20)


def collection(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


async def write(
    api: httpx2.AsyncClient, storm: Storm, number: int, numbers: itertools.count[int], dice: random.Random
) -> None:
    """Create, update and delete objects of one's own until the server is gone."""
    mine: list[tuple[str, str]] = [
        key for key, known in storm.objects.items() if known and key[1].startswith(f"w{number}-")
    ]
    while True:
        choice = dice.random()
        if choice < 0.4 or not mine:
            mine.append(await create(api, storm, (dice.choice(NAMESPACES), f"w{number}-{next(numbers)}")))
        elif choice < 0.8:
            await update(api, storm, dice.choice(mine))
        else:
            await delete(api, storm, mine.pop(dice.randrange(len(mine))))


async def create(api: httpx2.AsyncClient, storm: Storm, key: tuple[str, str]) -> tuple[str, str]:
    storm.unsure.add(key)
    reply = await api.post(collection(key[0]), json={"metadata": {"name": key[1]}, "data": {"count": "0"}})
    assert reply.status_code == 201, reply.text
    body = reply.json()
    storm.objects[key] = Known(body["metadata"]["uid"], storm.told(body), 0)
    storm.unsure.discard(key)
    return key


async def update(api: httpx2.AsyncClient, storm: Storm, key: tuple[str, str]) -> None:
    known = storm.objects[key]
    assert known is not None
    known.writing = known.count + 1
    reply = await api.patch(
        f"{collection(key[0])}/{key[1]}",
        content=orjson.dumps({"data": {"count": str(known.writing)}}),
        headers={"content-type": "application/merge-patch+json"},
    )
    assert reply.status_code == 200, reply.text
    body = reply.json()
    revision = storm.told(body)
    assert revision > known.revision
    storm.objects[key] = Known(known.uid, revision, known.writing)


async def delete(api: httpx2.AsyncClient, storm: Storm, key: tuple[str, str]) -> None:
    storm.unsure.add(key)
    reply = await api.delete(f"{collection(key[0])}/{key[1]}")
    assert reply.status_code == 200, reply.text
    storm.objects[key] = None
    storm.acknowledged += 1
    storm.unsure.discard(key)


async def rage(cluster: clusters.Cluster, storm: Storm, numbers: itertools.count[int], seed: int, enough: int) -> None:
    """Write until ``enough`` more writes were acknowledged, then kill the server under the writers' hands."""
    goal = storm.acknowledged + enough
    async with connect(cluster) as api:
        writers = [
            asyncio.ensure_future(write(api, storm, number, numbers, random.Random(seed * WRITERS + number)))
            for number in range(WRITERS)
        ]
        async with asyncio.timeout(60):
            while storm.acknowledged < goal and not any(writer.done() for writer in writers):
                await asyncio.sleep(0.001)
            cluster.kill()
            ended = await asyncio.gather(*writers, return_exceptions=True)
    strange = [error for error in ended if not isinstance(error, httpx2.TransportError)]
    assert strange == []
    assert storm.acknowledged >= goal


async def judge(cluster: clusters.Cluster, storm: Storm) -> None:
    """Compare what is there with what was acknowledged; afterwards nothing is unsure any more."""
    async with connect(cluster) as api:
        found: dict[tuple[str, str], Any] = {}
        for namespace in NAMESPACES:
            listed = (await api.get(collection(namespace), params={"labelSelector": "", "limit": 100_000})).json()
            assert int(listed["metadata"]["resourceVersion"]) >= storm.highest
            for each in listed["items"]:
                if each["metadata"]["name"].startswith("w"):
                    found[namespace, each["metadata"]["name"]] = each
    for key, known in storm.objects.items():
        if key in storm.unsure:
            continue
        assert (key in found) == (known is not None), key
        if known is not None:
            same(found[key], known)
    assert found.keys() <= storm.objects.keys() | storm.unsure
    storm.unsure.clear()
    storm.objects = {
        key: Known(each["metadata"]["uid"], int(each["metadata"]["resourceVersion"]), int(each["data"]["count"]))
        for key, each in found.items()
    }


def same(found: dict[str, Any], known: Known) -> None:
    assert found["metadata"]["uid"] == known.uid
    count, revision = int(found["data"]["count"]), int(found["metadata"]["resourceVersion"])
    if count == known.count:
        assert revision == known.revision
    else:
        assert (count, revision > known.revision) == (known.writing, True)


async def follow(cluster: clusters.Cluster, since: int, key: tuple[str, str]) -> str:
    """What a watcher that comes back with ``since`` is told first: ``Expired``, or the type of the change of ``key``."""
    async with connect(cluster) as api:
        query = {"watch": "true", "resourceVersion": str(since), "timeoutSeconds": "10"}
        async with asyncio.timeout(15), api.stream("GET", collection(key[0]), params=query) as reply:
            if reply.status_code == 410:
                return "Expired"
            assert reply.status_code == 200
            async for line in reply.aiter_lines():
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    assert event["object"]["code"] == 410
                    return str(event["object"]["reason"])
                if event["object"]["metadata"]["name"] == key[1]:
                    return str(event["type"])
    return "nothing"


async def test_storms(tmp_path: pathlib.Path) -> None:
    storm, numbers = Storm(), itertools.count()
    with clusters.running(tmp_path) as cluster:
        cluster.kubectl().says("create", "namespace", NAMESPACES[1])
        for turn in range(ROUNDS):
            await rage(cluster, storm, numbers, seed=turn, enough=(1, 150, 400, 700)[turn])
            before = storm.highest
            cluster.start()
            await judge(cluster, storm)
            # The past is gone with the process, or it is told whole; never in part.
            async with connect(cluster) as api:
                made = (await api.post(collection("default"), json={"metadata": {"name": f"after-{turn}"}})).json()
            assert int(made["metadata"]["resourceVersion"]) > before
            assert await follow(cluster, 1, ("default", f"after-{turn}")) in ("Expired", "ADDED")
            assert (
                await follow(cluster, int(made["metadata"]["resourceVersion"]) - 1, ("default", f"after-{turn}"))
                == "ADDED"
            )
    assert storm.acknowledged > 1000


def test_a_second_server_is_refused(tmp_path: pathlib.Path) -> None:
    with clusters.running(tmp_path) as cluster:
        second = clusters.Cluster(tmp_path, clusters.free_port())
        with pytest.raises(AssertionError):
            second.start()
        assert second.stop() != 0
        assert "another" in (tmp_path / "log").read_text()
        assert cluster.kubectl().says("get", "--raw", "/readyz") == "ok"
