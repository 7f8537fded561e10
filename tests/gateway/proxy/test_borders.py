"""TCP has no messages: wherever the network cuts the bytes, the result is the same."""

from __future__ import annotations

import collections
import itertools
import tracemalloc

import hypothesis
import pytest
from hypothesis import strategies as st
from tests.gateway.proxy.test_framing import ACCEPTED, REFUSED

from brickyard.gateway import errors, settings, testing
from brickyard.gateway.dialects import registry
from brickyard.gateway.proxy import budget, incoming, reader, response, router

OPTIONS = settings.GatewaySettings(max_head_bytes=2000, max_body_bytes=5000)
ROUTER = router.Router(registry.dialects(), {})


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """``data`` in pieces, cut at ``places`` (modulo its length)."""
    borders = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(borders)]


def read_requests(pieces: list[bytes]) -> tuple[list[tuple[object, ...]], budget.Budget]:
    held = budget.Budget(1_000_000)
    queue: collections.deque[incoming.Incoming] = collections.deque()
    requests = reader.RequestReader(OPTIONS, held, ROUTER.find, queue)
    for piece in pieces:
        requests.feed(piece)
    seen: list[tuple[object, ...]] = [
        (
            each.method,
            each.target,
            each.keep_alive,
            each.http10,
            each.lines,
            each.notes,
            each.body,
            each.refusal.error.status if each.refusal else 0,
        )
        for each in queue
    ]
    requests.close()
    return seen, held


MESSAGES = [
    *(data for _, data in REFUSED.values()),
    *ACCEPTED.values(),
    testing.post(),
    testing.get("/nowhere"),
    testing.post(headers="upgrade: h2c\r\nconnection: upgrade"),
    testing.post(headers="expect: 100-continue"),
    testing.post(headers="connection: close"),
    b"GET / HTTP/1.1\r\nhost: g\r\nx: " + b"y" * 3000 + b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: g\r\ncontent-length: 6000\r\n\r\n",
]

places = st.lists(st.integers(0, 10_000), max_size=30)


@hypothesis.given(st.lists(st.sampled_from(MESSAGES), max_size=4), places)
def test_requests_are_the_same_wherever_they_are_cut(messages: list[bytes], where: list[int]) -> None:
    data = b"".join(messages)
    whole, _ = read_requests([data])
    pieces, held = read_requests(cut(data, where))
    # A head that is too large is found out at its end or on the way there: the refusal is the same, what is known of it is not.
    assert [row[-1] for row in pieces] == [row[-1] for row in whole]
    assert [row for row in pieces if not row[-1]] == [row for row in whole if not row[-1]]
    assert held.held == 0


@pytest.mark.parametrize("data", MESSAGES)
def test_requests_are_the_same_byte_by_byte(data: bytes) -> None:
    whole, _ = read_requests([data])
    single, held = read_requests([bytes([byte]) for byte in data])
    assert [row[-1] for row in single] == [row[-1] for row in whole]
    assert held.held == 0


@hypothesis.given(st.binary(max_size=300))
def test_any_bytes_end_in_requests_or_one_refusal(data: bytes) -> None:
    seen, held = read_requests([data])
    assert [row[-1] for row in seen[:-1]].count(400) == 0
    assert held.held == 0


@hypothesis.given(st.sampled_from(MESSAGES), st.integers(0, 300), st.binary(min_size=1, max_size=3), places)
def test_damaged_requests_never_raise(data: bytes, at: int, damage: bytes, where: list[int]) -> None:
    at %= len(data)
    seen, held = read_requests(cut(data[:at] + damage + data[at + len(damage) :], where))
    for row in seen:
        assert row[-1] in (0, 400, 404, 405, 408, 413, 415, 417, 431, 501, 505)
    assert held.held == 0


# Responses.


def read_response(pieces: list[bytes], *, plain: bool = False) -> tuple[object, ...]:
    responses = response.ResponseReader()
    responses.reset(plain=plain)
    out = b""
    failed = False
    for piece in pieces:
        try:
            out += responses.feed(piece)
        except errors.MalformedResponseError:
            failed = True
            break
        if responses.complete:
            break
    head = responses.head
    if failed:
        return ("malformed", head is not None)
    return (head and (head.status, head.lines, head.length, head.chunked), out, responses.complete)


RESPONSES = [
    testing.reply(),
    testing.reply(b"x" * 5000),
    testing.reply(headers="connection: close"),
    testing.EVENTS + b"".join(testing.chunk(b"data: %d\n\n" % n) for n in range(20)) + testing.LAST_CHUNK,
    testing.EVENTS + testing.chunk(b"x" * 3000) + b"0\r\nx-trailer: 1\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" + testing.reply(),
    b"HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\n\r\n",
    b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nuntil the end",
    b"HTTP/1.1 299\r\ncontent-length: 0\r\n\r\n",
]


@hypothesis.given(st.sampled_from(RESPONSES), places, st.booleans())
def test_responses_are_the_same_wherever_they_are_cut(data: bytes, where: list[int], plain: bool) -> None:
    assert read_response(cut(data, where), plain=plain) == read_response([data], plain=plain)


KEPT = [each for each in RESPONSES if b"close" not in each and not each.startswith((b"HTTP/1.0", b"HTTP/1.1 30"))]
SERVED = st.lists(st.tuples(st.sampled_from(KEPT), st.booleans(), st.booleans(), places), min_size=2, max_size=5)


@hypothesis.given(SERVED)
def test_what_a_connection_served_before_does_not_show(served: list[tuple[bytes, bool, bool, list[int]]]) -> None:
    """Plain for one client, stripped for another, as it came for a third: each as from a connection of its own."""
    kept = response.ResponseReader()
    for data, plain, stripped, where in served:
        fresh = response.ResponseReader()
        seen = []
        for each in (kept, fresh):
            each.reset(plain=plain, strip_usage=stripped)
            out = b"".join([each.feed(piece) for piece in cut(data, where)])
            assert each.head is not None
            seen.append((each.head.lines, out, each.complete, each.reusable, each.body_bytes, each.unframed))
        assert seen[0] == seen[1]
        assert seen[0][2]


@pytest.mark.parametrize("plain", [True, False])
def test_a_kept_connection_keeps_no_bodies(*, plain: bool) -> None:
    """Whatever was done to the first of them."""
    responses, body = response.ResponseReader(), bytes(100_000)
    tracemalloc.start()
    try:
        for turn in range(40):
            responses.reset(plain=plain and turn == 0, strip_usage=not plain and turn == 0)
            responses.feed(testing.reply(body))
            assert responses.complete
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 5 * len(body)


@hypothesis.given(st.sampled_from(RESPONSES[3:5]), places)
def test_chunks_come_off_wherever_they_are_cut(data: bytes, where: list[int]) -> None:
    _, body, complete = read_response(cut(data, where), plain=True)
    assert complete
    assert body in (b"".join(b"data: %d\n\n" % n for n in range(20)), b"x" * 3000)


@hypothesis.given(st.sampled_from(RESPONSES[:5]), st.binary(min_size=1, max_size=20), places)
def test_nothing_behind_a_response_gets_through(data: bytes, excess: bytes, where: list[int]) -> None:
    """Blank lines apart, which parsers skip before a status line."""
    seen = read_response(cut(data + excess, where))
    whole = read_response([data])
    if seen[0] != "malformed":
        assert seen[0] == whole[0]
        assert isinstance(seen[1], bytes)
        assert isinstance(whole[1], bytes)
        assert seen[1].rstrip(b"\r\n") == whole[1].rstrip(b"\r\n")


@hypothesis.given(st.integers(0, 400), places)
def test_a_chunk_is_added_to_a_cut_stream_only_where_it_fits(end: int, where: list[int]) -> None:
    """Whatever ``at_boundary`` allows, the client's parser must read to the end."""
    stream = testing.EVENTS + b"".join(testing.chunk(b"data: %d\n\n" % n) for n in range(20))
    responses = response.ResponseReader()
    responses.reset()
    body = b""
    for piece in cut(stream[: len(testing.EVENTS) + end % (len(stream) - len(testing.EVENTS))], where):
        body += responses.feed(piece)
    if responses.head is None or not responses.at_boundary():
        return
    client = response.ResponseReader()
    client.reset(plain=True)
    out = client.feed(testing.EVENTS + body + testing.chunk(b"\n\nerror\n\n") + testing.LAST_CHUNK)
    assert client.complete
    assert out.endswith(b"\n\nerror\n\n")
