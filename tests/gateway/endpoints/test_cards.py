"""What engines say of their models and adapters."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api import serving
from brickyard.gateway.endpoints import cards, pods, table, testing
from brickyard.lib import clock, pages
from brickyard.routing import testing as routing_testing

VLLM = {"object": "list", "data": [{"id": "demo", "max_model_len": 4096, "root": "/models/demo", "parent": None}]}
TONE = {"id": "tone", "root": "/loras/tone", "parent": "demo", "max_model_len": None}
TALE = {"id": "tale", "root": "/loras/tale", "parent": "demo"}
DATA = VLLM["data"]
ADAPTED = {"data": [TONE, *DATA]}
MIDDLE = routing_testing.Dice((0.5,))


class Engines:
    """Answers by URL; what it does not know is missed. ``held`` URLs never answer."""

    def __init__(self) -> None:
        self.answers: dict[str, object] = {}
        self.asked: list[str] = []

    async def get(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.answers:
            raise pages.PageMissed(url)
        await asyncio.sleep(0)
        answer = self.answers[url]
        return answer if isinstance(answer, bytes) else orjson.dumps(answer)


URL = "http://10.0.0.1:8000/v1/models"
SECOND = "http://10.0.0.2:8000/v1/models"


def pod(
    name: str = "a",
    address: str = "10.0.0.1",
    *,
    ready: bool = True,
    model: str = "demo",
    labels: dict[str, str] | None = None,
) -> pods.ModelPod:
    made = pods.read(
        testing.FakePod(name=name, address=address, ready=ready, model=model, labels=labels or {}).object()
    )
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (VLLM, cards.Described(4096, "/models/demo")),
        (ADAPTED, cards.Described(4096, "/models/demo")),
        ({"data": [{"id": "file.gguf", "meta": {"n_ctx_train": 2048}}]}, cards.Described(2048, None)),
        ({"data": [{"id": "file.gguf", "meta": {"n_ctx": 512, "n_ctx_train": 2048}}]}, cards.Described(512, None)),
        ({"data": [TONE, {"id": "file.gguf", "max_model_len": 7}]}, cards.Described(7, None)),
        ({"data": [{"id": "x", "max_model_len": 1}, {"id": "y", "max_model_len": 2}]}, cards.UNKNOWN),
        ({"data": [{"id": "demo", "max_model_len": "4096", "root": 3, "meta": []}]}, cards.UNKNOWN),
        ({"data": [{"id": "demo", "max_model_len": True}]}, cards.UNKNOWN),
        ({"data": [{"id": "demo", "max_model_len": -1}]}, cards.UNKNOWN),
        ({"data": [5, "a"]}, cards.UNKNOWN),
        ({"data": []}, cards.UNKNOWN),
    ],
)
def test_what_a_page_tells_of_its_own_model(page: object, told: cards.Described) -> None:
    assert cards.listing(orjson.dumps(page), "demo").own == told


@pytest.mark.parametrize(
    ("rows", "held"),
    [
        (DATA, {}),
        (
            [*DATA, TONE, TALE],
            {"tone": cards.Described(None, "/loras/tone"), "tale": cards.Described(None, "/loras/tale")},
        ),
        ([{"id": "demo", "parent": "x"}], {}),
        ([{"id": "", "parent": "demo"}, {"id": 3, "parent": "demo"}, {"parent": "demo"}], {}),
        ([{"id": "tone", "parent": True}, {"id": "tale", "parent": ""}], {}),
        ([{"id": "x" * 257, "parent": "demo"}, {"id": "y" * 256, "parent": "demo"}], {"y" * 256: cards.UNKNOWN}),
    ],
)
def test_what_a_page_tells_of_adapters(rows: list[object], held: dict[str, cards.Described]) -> None:
    assert cards.listing(orjson.dumps({"data": rows}), "demo").adapters == held


def test_one_engine_s_adapters_are_bounded() -> None:
    rows = [{"id": f"a{n}", "parent": "demo"} for n in range(cards.MOST + 5)]
    assert len(cards.listing(orjson.dumps({"data": rows}), "demo").adapters) == cards.MOST


@pytest.mark.parametrize("page", [b"<html>", b"[]", b'{"data":null}', b'"a"', b"{}"])
def test_what_is_no_list_tells_nothing(page: bytes) -> None:
    with pytest.raises(pages.PageMissed, match="list of models"):
        cards.listing(page, "demo")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "id", "parent", "root", "meta", "n_ctx", "max_model_len"]), inner)
    ),
    max_leaves=12,
)


@given(JSON, st.lists(JSON, max_size=4))
def test_any_page_is_read_or_missed(page: object, rows: list[object]) -> None:
    for document in (page, {"data": rows}):
        try:
            told = cards.listing(orjson.dumps(document), "demo")
        except pages.PageMissed:
            continue
        assert all(name and name != "demo" for name in told.adapters)


class World:
    """Endpoints, engines and a clock."""

    def __init__(self, *members: pods.ModelPod) -> None:
        self.live = table.Table()
        self.time = clock.ManualClock()
        self.engines = Engines()
        self.cards = cards.Cards(self.live, self.engines.get, time=self.time, rng=MIDDLE, every=5.0)
        for each in members:
            self.live.put(each)

    async def look(self, after: float = 0.0) -> list[str]:
        """Which endpoints were asked ``after`` seconds."""
        self.time.advance(after)
        self.engines.asked.clear()
        await self.cards.look()
        return sorted(self.engines.asked)

    def rows(self, model: str) -> list[str]:
        return [each.pod for each in self.live.snapshot(model, 0.0).endpoints]


class TestDescriptions:
    async def test_they_are_read_when_an_endpoint_comes_and_seldom_after_that(self) -> None:
        world = World(pod())
        world.engines.answers[URL] = VLLM
        assert world.cards.of("demo") is cards.UNKNOWN
        assert await world.look() == [URL]
        assert world.cards.of("demo").max_model_len == 4096
        assert await world.look(59.0) == []
        assert await world.look(1.0) == [URL]

    async def test_what_was_told_stays_while_nobody_can_be_asked(self) -> None:
        world = World(pod())
        world.engines.answers[URL] = VLLM
        await world.look()
        world.engines.answers.clear()
        await world.look(60.0)
        world.live.put(pod(ready=False))
        await world.look()
        assert world.cards.of("demo").max_model_len == 4096

    async def test_models_that_are_gone_are_forgotten(self) -> None:
        world = World(pod())
        world.engines.answers[URL] = VLLM
        await world.look()
        world.live.remove("default/a")
        await world.look()
        assert world.cards.of("demo") is cards.UNKNOWN

    async def test_an_adapter_does_not_describe_a_model_of_its_name(self) -> None:
        world = World(pod(), pod("x", "10.0.0.2", model="tone"))
        world.engines.answers |= {URL: ADAPTED, SECOND: {"data": [{"id": "tone", "max_model_len": 99}]}}
        await world.look()
        assert world.cards.of("tone") == cards.Described(99, None)


class TestAdapters:
    async def test_each_endpoint_holds_what_its_engine_lists(self) -> None:
        world = World(pod(), pod("b", "10.0.0.2"))
        world.engines.answers |= {URL: ADAPTED, SECOND: VLLM}
        assert await world.look() == [URL, SECOND]
        assert (world.rows("tone"), world.rows("demo")) == (["a"], ["a", "b"])
        assert world.cards.of("tone").root == "/loras/tone"

    async def test_who_holds_some_is_asked_at_the_pace_and_one_reading_ends_them(self) -> None:
        world = World(pod())
        world.engines.answers[URL] = ADAPTED
        await world.look()
        assert await world.look(4.9) == []
        world.engines.answers[URL] = {"data": [*DATA, TALE]}
        assert await world.look(0.1) == [URL]
        assert (world.live.knows("tone"), world.rows("tale")) == (False, ["a"])
        assert world.cards.of("tone") is cards.UNKNOWN

    @pytest.mark.parametrize(
        "load",
        [serving.EngineLoad(lora_slots=4), serving.EngineLoad(loras_running=()), None],
        ids=["slots", "none at work", "label"],
    )
    async def test_who_may_hold_some_is_asked_at_the_pace(self, load: serving.EngineLoad | None) -> None:
        world = World(pod(labels={} if load else {"adapter.model.aibrix.ai/enabled": "true"}))
        world.engines.answers[URL] = VLLM
        (slot,) = world.live.routable()
        world.live.heard(slot, load, 0.0)
        await world.look()
        assert await world.look(5.0) == [URL]

    async def test_an_adapter_at_work_that_was_not_listed_is_looked_up_at_once_and_once(self) -> None:
        world = World(pod())
        world.engines.answers[URL] = VLLM
        (slot,) = world.live.routable()
        await world.look()
        world.live.heard(slot, serving.EngineLoad(loras_running=("tone",), loras_waiting=("demo",)), 0.0)
        world.engines.answers[URL] = ADAPTED
        assert await world.look() == [URL]
        assert world.rows("tone") == ["a"]
        world.live.heard(slot, serving.EngineLoad(loras_running=("ghost",)), 0.0)
        assert await world.look() == [URL]
        assert await world.look() == []

    async def test_who_does_not_know_what_it_listed_is_asked_at_once(self) -> None:
        world = World(pod())
        world.engines.answers[URL] = ADAPTED
        await world.look()
        (slot,) = world.live.routable()
        world.live.doubt(slot.endpoint)
        assert world.rows("tone") == ["a"], "a 404 may mean a path as well"
        world.engines.answers[URL] = VLLM
        assert await world.look() == [URL]
        assert not world.live.knows("tone")
        assert await world.look() == []

    async def test_a_page_that_cannot_be_read_changes_nothing(self) -> None:
        world = World(pod())
        world.engines.answers[URL] = ADAPTED
        await world.look()
        world.engines.answers[URL] = b"<html>"
        assert await world.look(5.0) == [URL]
        assert world.rows("tone") == ["a"]

    async def test_who_does_not_answer_is_asked_ever_less_often(self) -> None:
        world = World(pod())
        assert await world.look() == [URL]
        gaps = []
        for _ in range(6):
            gap = 0.0
            while not await world.look(1.0):
                gap += 1.0
            gaps.append(gap + 1.0)
        assert gaps == [5, 10, 20, 40, 60, 60]

    async def test_who_comes_back_ready_is_asked_before_it_gets_requests(self) -> None:
        world = World(pod())
        world.engines.answers[URL] = ADAPTED
        await world.look()
        world.live.put(pod(ready=False))
        world.live.put(pod())
        assert world.rows("tone") == []
        assert await world.look() == [URL]
        assert world.rows("tone") == ["a"]

    async def test_an_endpoint_that_goes_while_it_is_asked_leaves_nothing_behind(self) -> None:
        world = World(pod())
        world.engines.answers[URL] = ADAPTED
        look = asyncio.create_task(world.cards.look())
        while not world.engines.asked:
            await asyncio.sleep(0)
        world.live.remove("default/a")
        await look
        assert not world.live.knows("tone")
        assert world.live.inconsistencies() == []
        assert world.cards.of("tone") is cards.UNKNOWN
