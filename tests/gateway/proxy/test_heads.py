"""Header fields: what passes, what is noted, what is refused."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from brickyard.gateway import errors
from brickyard.gateway.proxy import heads


def block(*fields: tuple[bytes, bytes]) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in fields)


def test_unknown_fields_pass_in_order_with_their_case_and_repetitions() -> None:
    fields = [(b"Host", b"g"), (b"X-B", b"1"), (b"x-a", b"2"), (b"X-B", b"3")]
    lines, notes = heads.sort_request(fields, "1.1")
    assert lines == block((b"X-B", b"1"), (b"x-a", b"2"), (b"X-B", b"3"))
    assert notes == {b"host": b"g"}


def test_noted_fields_may_pass_too() -> None:
    lines, notes = heads.sort_request([(b"host", b"g"), (b"User", b"ann"), (b"Expect", b"x")], "1.1")
    assert lines == block((b"User", b"ann"))
    assert notes == {b"host": b"g", b"user": b"ann", b"expect": b"x"}


def test_repeated_noted_fields_become_a_list() -> None:
    _, notes = heads.sort_request([(b"host", b"g"), (b"User", b"a"), (b"user", b"b")], "1.1")
    assert notes[b"user"] == b"a, b"


def test_connection_names_fields_of_the_hop() -> None:
    fields = [(b"host", b"g"), (b"X-Hop", b"1"), (b"x-end", b"2"), (b"Connection", b"close, X-HOP,")]
    lines, _ = heads.sort_request(fields, "1.1")
    assert lines == block((b"x-end", b"2"))


@pytest.mark.parametrize(
    ("fields", "version", "status"),
    [
        ([], "1.1", 400),
        ([(b"host", b"a"), (b"host", b"b")], "1.1", 400),
        ([(b"host", b"a")], "2.0", 505),
        ([(b"host", b"a"), (b"transfer-encoding", b"chunked")], "1.0", 400),
        ([(b"host", b"a"), (b"transfer-encoding", b"chunked"), (b"content-length", b"1")], "1.1", 400),
        ([(b"host", b"a"), (b"transfer-encoding", b"gzip")], "1.1", 501),
    ],
)
def test_heads_that_leave_questions_open_are_refused(fields: heads.Fields, version: str, status: int) -> None:
    with pytest.raises(errors.RefusedError) as caught:
        heads.sort_request(fields, version)
    assert caught.value.error.status == status
    assert caught.value.close


def test_http_1_0_needs_no_host() -> None:
    assert heads.sort_request([], "1.0") == (b"", {})


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a?b=http://c", b"/a?b=http://c"),
        (b"http://host/a?b", b"/a?b"),
        (b"http://host", b"/"),
        (b"https://host:1?x=/", b"/?x=/"),
        (b"*", b"*"),
    ],
)
def test_targets_are_brought_to_origin_form(target: bytes, path: bytes) -> None:
    assert heads.origin_form(target) == path


def test_a_request_head_is_the_given_lines_between_line_and_length() -> None:
    head = heads.request_head(b"/p?q", block((b"a", b"b")), b"host: e\r\n", 7)
    assert head == b"POST /p?q HTTP/1.1\r\na: b\r\nhost: e\r\ncontent-length: 7\r\n\r\n"


def test_a_response_head_keeps_the_engines_fields_and_loses_the_gateways() -> None:
    fields = [
        (b"Server", b"e"),
        (b"Content-Type", b"text/event-stream; charset=utf-8"),
        (b"Transfer-Encoding", b"chunked"),
        (b"X-Request-Id", b"theirs"),
        (b"Target-Pod", b"theirs"),
        (b"Connection", b"keep-alive, x-hop"),
        (b"X-Hop", b"1"),
    ]
    head = heads.sort_response(200, fields)
    assert head.lines == block((b"Server", b"e"), (b"Content-Type", b"text/event-stream; charset=utf-8"))
    assert (head.chunked, head.events, head.length, head.until_close) == (True, True, -1, False)
    out = heads.response_head(head, b"own: 1\r\n", chunked=True, close=True)
    assert out == (
        b"HTTP/1.1 200 OK\r\nServer: e\r\nContent-Type: text/event-stream; charset=utf-8\r\nown: 1\r\n"
        b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("status", "fields", "until_close"),
    [
        (200, [], True),
        (200, [(b"content-length", b"0")], False),
        (200, [(b"transfer-encoding", b"chunked")], False),
        (204, [], False),
        (304, [], False),
    ],
)
def test_where_a_body_ends(status: int, fields: heads.Fields, *, until_close: bool) -> None:
    assert heads.sort_response(status, fields).until_close is until_close


def test_a_response_without_content_says_no_length() -> None:
    assert heads.sort_response(204, [(b"content-length", b"5")]).lines == b""
    assert heads.sort_response(304, [(b"content-length", b"5")]).lines == block((b"content-length", b"5"))


@pytest.mark.parametrize(
    ("status", "fields"), [(99, []), (101, []), (600, []), (200, [(b"transfer-encoding", b"gzip, chunked")])]
)
def test_responses_that_cannot_be_passed_on(status: int, fields: heads.Fields) -> None:
    with pytest.raises(errors.MalformedResponseError):
        heads.sort_response(status, fields)


def test_statuses_without_a_name_have_a_line_all_the_same() -> None:
    assert heads.status_line(404) == b"HTTP/1.1 404 Not Found\r\n"
    assert heads.status_line(299) == b"HTTP/1.1 299 \r\n"


def test_texts_become_field_values_that_cannot_break_a_head() -> None:
    assert heads.field_text("a\r\nb: ü" + "x" * 2000) == (b"a??b: ?" + b"x" * 2000)[:1000]


NAMES = st.sampled_from(
    [
        b"host",
        b"Host",
        b"User",
        b"user",
        b"TE",
        b"x-%d",
        b"X-A",
        b"x-a",
        b"Content-Type",
        b"Expect",
        b"Upgrade",
        b"traceparent",
    ]
)
VALUES = st.sampled_from([b"", b"1", b"%b", b"a: b", b"\x85\x0b%", b"ann"])


def expected(fields: heads.Fields) -> tuple[bytes, dict[bytes, bytes]]:
    """What is to come of ``fields``, said once more and plainly."""
    read = {b"host", b"user", b"expect", b"content-type", b"traceparent"}
    ours = {b"host", b"te", b"expect", b"upgrade"}
    notes: dict[bytes, bytes] = {}
    for name, value in fields:
        if name.lower() in read:
            notes[name.lower()] = b", ".join([*([notes[name.lower()]] if name.lower() in notes else []), value])
    return block(*(field for field in fields if field[0].lower() not in ours)), notes


@hypothesis.given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_heads_are_sorted_alike_the_first_time_and_later(fields: heads.Fields) -> None:
    hypothesis.assume(sum(name.lower() == b"host" for name, _ in fields) < 2)
    for _ in range(2):
        assert heads.sort_request(fields, "1.0") == expected(fields)


def test_heads_of_ever_new_names_do_not_pile_up() -> None:
    sorter = heads.Sorter({})
    for number in range(2000):
        sorter.sort([(b"x-%d" % number, b"1")])
        sorter.sort([(b"y" * 2000 + b"%d" % number, b"1")])
    assert 0 < len(sorter.plans) <= 256
    assert all(len(name) < 100 for names in sorter.plans for name in names)
