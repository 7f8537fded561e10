"""Pods by selector, however many there are and however they change."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import hypothesis
import hypothesis.strategies as st
import pytest

from brickyard.api.kinds import resources
from brickyard.controllers.podautoscaler import pods, testing
from brickyard.kube.client import testing as clients
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta, selectors
from brickyard.lib import tasks

TEXTS = ("app=a", "app=a,role=x", "app in (a,b)", "app!=a", "role", "app=a,role notin (y)", "app=none", "")


class Held(informers.Informer):
    """An informer that is told what it holds."""

    def __init__(self) -> None:
        super().__init__(clients.MemoryClient(testing.LoopClock()), resources.POD)

    def put(self, pod: resources.Object) -> None:
        self._hold(pod)

    def drop(self, pod: resources.Object) -> None:
        self._forget(meta.key(pod))


def pod(name: str, version: int = 1, **labels: str) -> resources.Object:
    found = testing.pod(name)
    found["metadata"] |= {"uid": name, "resourceVersion": str(version), "labels": labels}
    return found


labels = st.fixed_dictionaries(
    {}, optional={"app": st.sampled_from(["a", "b"]), "role": st.sampled_from(["x", "y"]), "other": st.just("z")}
)
changes = st.lists(st.tuples(st.integers(0, 6), st.none() | labels), max_size=30)


@hypothesis.given(changes, st.sampled_from(TEXTS), st.sampled_from(TEXTS))
def test_the_answer_is_that_of_looking_at_every_pod(
    told: list[tuple[int, dict[str, str] | None]], early: str, late: str
) -> None:
    held = Held()
    found = pods.Pods(held)
    found.find("default", selectors.parse_labels(early))  # begins an index before there is anything
    for version, (number, said) in enumerate(told, 1):
        each = pod(f"p{number}", version, **(said or {"gone": "yes"}))
        if said is None:
            held.drop(each)
        else:
            each["metadata"]["labels"] = said
            held.put(each)
    for text in (early, late):
        selector = selectors.parse_labels(text)
        expected = [meta.name(each) for each in held.list("default") if selector.matches(meta.labels(each))]
        assert [meta.name(each) for each in found.find("default", selector)] == expected
        assert found.find("elsewhere", selector) == []


def test_what_selects_nothing_finds_nothing() -> None:
    held = Held()
    held.put(pod("one", app="a"))
    assert pods.Pods(held).find("default", selectors.NOTHING) == ()


def test_only_replicas_count() -> None:
    held = Held()
    found = pods.Pods(held)
    for name, phase in (("a", "Running"), ("b", "Failed"), ("c", "Succeeded"), ("d", "Pending")):
        made = pod(name, app="a")
        made["status"]["phase"] = phase
        held.put(made)
    leaving = pod("e", app="a")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    held.put(leaving)
    assert [meta.name(each) for each in found.find("default", selectors.parse_labels("app=a"))] == ["a", "d"]


def test_empty_heaps_are_let_go() -> None:
    held = Held()
    found = pods.Pods(held)
    for index in range(100):
        one = pod(f"p{index}", app=f"app-{index}")
        held.put(one)
        found.find("default", selectors.parse_labels(f"app=app-{index}"))
        held.drop(one)
    assert found._labels == {"app": {}}


@contextlib.asynccontextmanager
async def followed(client: clients.MemoryClient) -> AsyncIterator[pods.Pods]:
    cache = informers.Informer(client, resources.POD)
    async with tasks.Scope("pods") as scope:
        scope.start(cache.run(), name="cache")
        await cache.wait_synced(5)
        yield pods.Pods(cache)


@pytest.mark.looptime
async def test_over_an_api() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.POD, testing.pod("one"), testing.pod("two"), testing.pod("three", app="else"))
    async with followed(client) as found:
        names = [meta.name(each) for each in found.find("default", selectors.parse_labels("app=chat"))]
        assert names == ["one", "two"]
