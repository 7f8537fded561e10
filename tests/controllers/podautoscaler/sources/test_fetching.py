"""Pages read for all together, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator

import pytest

from brickyard.controllers.podautoscaler.sources import fetching, found, looks, settings, testing
from brickyard.lib import clock

QUEUE = looks.Looks({}).elsewhere("q")
SERVED = looks.Looks({}).elsewhere("served_total")


@contextlib.asynccontextmanager
async def fetcher(
    server: testing.PageServer, time: clock.Clock | None = None, **chosen: float
) -> AsyncIterator[fetching.Fetcher]:
    given = settings.Settings(**chosen)  # type: ignore[arg-type]  # integers among them are named so
    async with server.serving(), fetching.Fetcher(given, time or clock.ManualClock()) as made:
        yield made


def ask(server: testing.PageServer, look: looks.Look = QUEUE, who: str = "a", path: str = "/metrics") -> fetching.Ask:
    return fetching.Ask(who, f"http://127.0.0.1:{server.port}{path}", look)


async def number(made: fetching.Fetcher, wanted: fetching.Ask) -> found.Number:
    [answer] = await made.read([wanted])
    return answer.number


async def why(made: fetching.Fetcher, wanted: fetching.Ask) -> str:
    answer = await number(made, wanted)
    assert isinstance(answer, found.Absent)
    return answer.why


class TestSharing:
    async def test_many_who_ask_at_once_share_one_page(self) -> None:
        server = testing.PageServer({"/metrics": b"q 3\nserved_total 5\n"})
        async with fetcher(server) as made:
            answers = await asyncio.gather(*(made.read([ask(server), ask(server, SERVED)]) for _ in range(20)))
            assert {each[0].number for each in answers} == {3.0}
            assert made.fetched == len(server.asked) == 1

    async def test_while_it_is_fresh_and_no_longer(self) -> None:
        server, time = testing.PageServer({"/metrics": b"q 3\n"}), clock.ManualClock()
        async with fetcher(server, time, fresh=2.0) as made:
            assert await number(made, ask(server)) == 3.0
            server.pages["/metrics"] = b"q 4\n"
            time.advance(1.9)
            assert await number(made, ask(server)) == 3.0
            time.advance(0.2)
            assert await number(made, ask(server)) == 4.0

    async def test_what_nobody_looked_for_is_read_anew(self) -> None:
        server = testing.PageServer({"/metrics": b"q 3\nserved_total 5\n"})
        async with fetcher(server) as made:
            await made.read([ask(server)])
            assert "first time" in await why(made, ask(server, SERVED))
            assert len(server.asked) == 2

    async def test_an_answer_says_when_it_was_read(self) -> None:
        server, time = testing.PageServer({"/metrics": b"q 3\n"}), clock.ManualClock(1000.0)
        async with fetcher(server, time) as made:
            await made.read([ask(server)])
            time.advance(1.0)
            [answer] = await made.read([ask(server)])
            assert answer.at == 1000.0

    async def test_nobody_asks_nothing(self) -> None:
        async with fetcher(testing.PageServer()) as made:
            assert await made.read([]) == []


class TestOverTime:
    async def test_counters_become_rates(self) -> None:
        server, time = testing.PageServer({"/metrics": b"served_total 5\n"}), clock.ManualClock()
        async with fetcher(server, time) as made:
            await made.read([ask(server, SERVED)])
            time.advance(10)
            server.pages["/metrics"] = b"served_total 35\n"
            assert await number(made, ask(server, SERVED)) == 3.0

    @pytest.mark.parametrize(
        ("name", "note"),
        [
            ("served_total", "a counter: its increase per second is compared"),
            ("took", "a distribution: the mean of what was observed in the last minute is compared"),
            ("took_p90", "a distribution: the 90% quantile of what was observed in the last minute is compared"),
        ],
    )
    async def test_what_a_number_is_made_of_is_told_with_it(self, name: str, note: str) -> None:
        page = b'served_total 5\ntook_bucket{le="1"} 3\ntook_bucket{le="+Inf"} 4\ntook_sum 5\ntook_count 4\n'
        server = testing.PageServer({"/metrics": page})
        async with fetcher(server) as made:
            [answer, plain] = await made.read([ask(server, looks.Looks({}).elsewhere(name)), ask(server)])
            assert answer.notes == (note,)
            assert plain.notes == ()

    async def test_an_unchanged_page_is_not_looked_through_and_its_counters_stand_still(self) -> None:
        class Counting:
            key = "counting"
            reads = 0

            def read(self, page: bytes, now: float) -> found.Found:
                self.reads += 1
                return found.Counter({"": 5.0})

            def refused(self, status: int, body: bytes) -> str:
                return ""

        server, time, look = testing.PageServer({"/metrics": b"served_total 5\n"}), clock.ManualClock(), Counting()
        async with fetcher(server, time) as made:
            for _ in range(4):
                answer = await number(made, ask(server, look))
                time.advance(10)
            assert answer == 0.0
            assert look.reads == 1
            server.pages["/metrics"] = b"served_total 6\n"
            await made.read([ask(server, look)])
            assert look.reads == 2

    async def test_a_new_pod_at_an_old_address_starts_anew(self) -> None:
        server, time = testing.PageServer({"/metrics": b"served_total 500\n"}), clock.ManualClock()
        async with fetcher(server, time) as made:
            await made.read([ask(server, SERVED, "old")])
            time.advance(10)
            assert "first time" in await why(made, ask(server, SERVED, "new"))

    async def test_what_nobody_wants_is_forgotten(self) -> None:
        server, time = testing.PageServer({"/metrics": b"served_total 5\n"}), clock.ManualClock()
        async with fetcher(server, time) as made:
            await made.read([ask(server, SERVED)])
            time.advance(fetching.FORGET + 1)
            await made.read([])
            time.advance(fetching.FORGET / 4)
            assert "first time" in await why(made, ask(server, SERVED))


class TestTrouble:
    async def test_a_pod_that_hangs_delays_nobody_but_those_like_it(self) -> None:
        server = testing.PageServer({f"/{n}": b"q 1\n" for n in range(40)}, silent=("/3",))
        async with fetcher(
            server, clock.SystemClock(), page_timeout=0.4, connections=20, late_connections=2, fresh=0
        ) as made:
            asks = [ask(server, path=f"/{n}") for n in range(40)]
            assert sum(each.number == 1.0 for each in await made.read(asks)) == 29
            prompt = [each for each in asks if not each.url.rpartition("/")[2].startswith("3")]
            loop = asyncio.get_running_loop()
            hanging = asyncio.create_task(made.read(asks))
            await asyncio.sleep(0)
            begin = loop.time()
            assert {each.number for each in await made.read(prompt)} == {1.0}
            assert loop.time() - begin < 0.4
            await hanging

    async def test_one_that_answers_again_is_prompt_again(self) -> None:
        server = testing.PageServer({"/metrics": b"q 1\n"}, silent=("/metrics",))
        async with fetcher(server, page_timeout=0.3, fresh=0) as made:
            assert "did not answer within 0.3 s" in await why(made, ask(server))
            server.silent = ()
            assert await number(made, ask(server)) == 1.0
            assert await number(made, ask(server)) == 1.0

    async def test_the_deadline_of_all_holds_whatever_single_pages_take(self) -> None:
        server = testing.PageServer({"/metrics": b"q 1\n"}, silent=("/metrics",))
        async with fetcher(server, page_timeout=5, deadline=0.05) as made:
            assert "could not be read within 0.05 s: too many pages at once" in await why(made, ask(server))

    async def test_pages_that_are_always_late_take_turns_and_say_so(self) -> None:
        server = testing.PageServer(silent=("/",))
        async with fetcher(server, page_timeout=0.1, deadline=0.15, late_connections=1, fresh=0) as made:
            asks = [ask(server, path=f"/{n}") for n in range(4)]
            await made.read(asks)
            answers = [each.number for each in await made.read(asks)]
            whys = [each.why for each in answers if isinstance(each, found.Absent)]
            assert len(whys) == 4
            assert any("pages that were late before are asked in turn" in each for each in whys)

    @pytest.mark.parametrize(
        ("server", "words"),
        [
            (testing.PageServer(), "answered 404: it has no such page; correct path or port"),
            (testing.PageServer({"/metrics": b"x"}, status=500), "answered 500: its server has trouble"),
            (testing.PageServer({"/metrics": b"x"}, status=503), "answered 503: its server has trouble"),
            (testing.PageServer({"/metrics": b"x"}, status=401), "answered 401: it wants credentials"),
            (testing.PageServer({"/metrics": b"x"}, status=418), "answered 418"),
            (
                testing.PageServer({"/metrics": b""}, status=302, headers="location: http://elsewhere/\r\n"),
                "answered 302, a redirect to http://elsewhere/, which is not followed",
            ),
            (testing.PageServer({"/metrics": b"<html>no</html>"}), "the page is HTML"),
            (testing.PageServer({"/metrics": b""}), "the page is empty"),
            (testing.PageServer({"/metrics": b"q NaN\n"}), "it is NaN"),
            (testing.PageServer({"/metrics": b"q -1\n"}), "it is negative (-1)"),
            (testing.PageServer({"/metrics": b"q +Inf\n"}), "it is infinite"),
            (
                testing.PageServer(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nq 1\n"),
                "ended before the page did",
            ),
            (testing.PageServer(raw=b"not HTTP at all\r\n\r\n"), "not valid HTTP"),
            (testing.PageServer({"/metrics": b"q 1\n" * 300_000}), "larger than 1000000 bytes"),
        ],
        ids=lambda each: each if isinstance(each, str) else "",
    )
    async def test_each_has_its_sentence(self, server: testing.PageServer, words: str) -> None:
        async with fetcher(server, largest_page=1_000_000) as made:
            assert words in await why(made, ask(server))

    async def test_nobody_there(self) -> None:
        server = testing.PageServer()
        async with server.serving():
            pass
        async with fetching.Fetcher(settings.Settings(), clock.ManualClock()) as made:
            assert "cannot be reached" in await why(made, ask(server))

    async def test_an_address_that_is_none(self) -> None:
        async with fetching.Fetcher(settings.Settings(), clock.ManualClock()) as made:
            assert "is no address of a page" in await why(made, fetching.Ask("", "http:///metrics", QUEUE))

    async def test_failures_are_shared_too(self) -> None:
        server = testing.PageServer()
        async with fetcher(server) as made:
            await asyncio.gather(*(made.read([ask(server)]) for _ in range(5)))
            await made.read([ask(server)])
            assert len(server.asked) == 1

    async def test_what_was_known_before_a_failure_is_not_told_again(self) -> None:
        server, time = testing.PageServer({"/metrics": b"q 3\n"}), clock.ManualClock()
        async with fetcher(server, time) as made:
            await made.read([ask(server)])
            time.advance(10)
            server.pages.clear()
            assert "404" in await why(made, ask(server))

    async def test_leaving_ends_what_is_being_read(self) -> None:
        server = testing.PageServer(silent=("/",))
        async with server.serving():
            async with fetching.Fetcher(settings.Settings(page_timeout=60, deadline=0.05), clock.ManualClock()) as made:
                await made.read([ask(server)])
            assert [task for task in asyncio.all_tasks() if "autoscaler-pages" in task.get_name()] == []


@pytest.mark.parametrize(
    ("files", "kept"),
    [(256, 128), (1024, 512), (4096, 3072), (17_408, 16_384), (1_048_576, 16_384), (resource.RLIM_INFINITY, 16_384)],
)
def test_connections_leave_files_for_others(files: int, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert fetching.affordable() == kept
