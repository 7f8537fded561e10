"""What engines say of their models."""

from __future__ import annotations

import orjson
import pytest

from brickyard.gateway.endpoints import cards, pages, pods, table, testing
from brickyard.lib import clock

VLLM = {"object": "list", "data": [{"id": "demo", "max_model_len": 4096, "root": "/models/demo", "parent": None}]}
ADAPTED = {"data": [{"id": "tone", "parent": "demo"}, *VLLM["data"]]}


class Engines:
    """Answers by URL; what it does not know is missed."""

    def __init__(self) -> None:
        self.answers: dict[str, object] = {}
        self.asked: list[str] = []

    async def get(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.answers:
            raise pages.PageMissed(url)
        return orjson.dumps(self.answers[url])


URL = "http://10.0.0.1:8000/v1/models"


def pod(name: str = "a", *, ready: bool = True) -> pods.ModelPod:
    made = pods.read(testing.FakePod(name=name, address="10.0.0.1", ready=ready).object())
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (VLLM, cards.Described(4096, "/models/demo")),
        (ADAPTED, cards.Described(4096, "/models/demo")),
        ({"data": [{"id": "file.gguf", "meta": {"n_ctx_train": 2048}}]}, cards.Described(2048, None)),
        ({"data": [{"id": "file.gguf", "meta": {"n_ctx": 512, "n_ctx_train": 2048}}]}, cards.Described(512, None)),
        ({"data": [{"id": "x", "max_model_len": 1}, {"id": "y", "max_model_len": 2}]}, cards.UNKNOWN),
        ({"data": [{"id": "demo", "max_model_len": "4096", "root": 3, "meta": []}]}, cards.UNKNOWN),
        ({"data": [{"id": "demo", "max_model_len": True}]}, cards.UNKNOWN),
        ({"data": [{"id": "demo", "max_model_len": -1}]}, cards.UNKNOWN),
        ({"data": None}, cards.UNKNOWN),
        ({"data": [5, "a"]}, cards.UNKNOWN),
        ([], cards.UNKNOWN),
    ],
)
def test_what_a_page_tells(page: object, told: cards.Described) -> None:
    assert cards.described(orjson.dumps(page), "demo") == told


def test_what_is_no_page_tells_nothing() -> None:
    assert cards.described(b"<html>", "demo") is cards.UNKNOWN


class TestCards:
    @pytest.fixture
    def engines(self) -> Engines:
        return Engines()

    async def test_one_endpoint_is_asked_once_in_a_while(self, engines: Engines) -> None:
        live, time = table.Table(), clock.ManualClock()
        live.put(pod("a"))
        live.put(pod("b"))
        engines.answers[URL] = VLLM
        shown = cards.Cards(live, engines.get, time=time)
        assert shown.of("demo") is cards.UNKNOWN
        for _ in range(3):
            await shown.look()
        assert engines.asked == [URL]
        assert shown.of("demo").max_model_len == 4096
        time.advance(cards.ASK_EVERY)
        await shown.look()
        assert len(engines.asked) == 2

    async def test_who_did_not_say_is_asked_again_sooner(self, engines: Engines) -> None:
        live, time = table.Table(), clock.ManualClock()
        live.put(pod())
        shown = cards.Cards(live, engines.get, time=time)
        await shown.look()
        await shown.look()
        assert (len(engines.asked), shown.of("demo")) == (1, cards.UNKNOWN)
        engines.answers[URL] = VLLM
        time.advance(cards.ASK_AGAIN)
        await shown.look()
        assert shown.of("demo").root == "/models/demo"

    async def test_what_was_told_stays_while_nobody_can_be_asked(self, engines: Engines) -> None:
        live, time = table.Table(), clock.ManualClock()
        live.put(pod())
        engines.answers[URL] = VLLM
        shown = cards.Cards(live, engines.get, time=time)
        await shown.look()
        engines.answers.clear()
        time.advance(cards.ASK_EVERY)
        await shown.look()
        live.put(pod(ready=False))
        await shown.look()
        assert shown.of("demo").max_model_len == 4096

    async def test_models_that_are_gone_are_forgotten(self, engines: Engines) -> None:
        live = table.Table()
        live.put(pod())
        engines.answers[URL] = VLLM
        shown = cards.Cards(live, engines.get, time=clock.ManualClock())
        await shown.look()
        live.remove("default/a")
        await shown.look()
        assert shown.of("demo") is cards.UNKNOWN
