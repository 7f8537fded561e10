"""Where one request ends and the next begins: nothing may make the gateway and an endpoint disagree on it."""

from __future__ import annotations

import pytest
from tests.gateway.proxy.conftest import Start

from brickyard.gateway import testing

_BODY = testing.post().split(b"\r\n\r\n", 1)[1]
_SMUGGLED = b"POST /v1/chat/completions HTTP/1.1\r\nhost: evil\r\ncontent-length: 3\r\n\r\nabc"


def request(*fields: bytes, body: bytes = _BODY, line: bytes = b"POST /v1/chat/completions HTTP/1.1") -> bytes:
    """A request whose header lines are exactly ``fields``."""
    return b"\r\n".join((line, b"host: g", *fields, b"", b"")) + body


_LENGTH = b"content-length: %d" % len(_BODY)
_CHUNKED = testing.chunk(_BODY) + testing.LAST_CHUNK


def chunked(body: bytes) -> bytes:
    """A request that says ``chunked`` and has this for a body."""
    return request(b"transfer-encoding: chunked", body=body)


REFUSED = {
    "length, then chunked (CL.TE)": (
        400,
        request(b"content-length: 5", b"transfer-encoding: chunked", body=b"0\r\n\r\n" + _SMUGGLED),
    ),
    "chunked, then length (TE.CL)": (
        400,
        request(b"transfer-encoding: chunked", b"content-length: 4", body=_CHUNKED + _SMUGGLED),
    ),
    "two lengths that differ": (400, request(_LENGTH, b"content-length: 3")),
    "two lengths that agree": (400, request(_LENGTH, _LENGTH)),
    "lengths in a list": (400, request(b"content-length: 3, 3", body=b"abc")),
    "signed length": (400, request(b"content-length: +3", body=b"abc")),
    "negative length": (400, request(b"content-length: -1", body=b"")),
    "hexadecimal length": (400, request(b"content-length: 0x3", body=b"abc")),
    "empty length": (400, request(b"content-length:", body=b"")),
    "endless length": (400, request(b"content-length: 99999999999999999999", body=b"")),
    "blank before the colon": (400, request(b"content-length : 3", body=b"abc")),
    "chunked hidden by a blank": (400, request(b"transfer-encoding : chunked", body=_CHUNKED)),
    "chunked hidden by a tab": (400, request(b"transfer-encoding:\x0bchunked", body=_CHUNKED)),
    "chunked twice": (400, request(b"transfer-encoding: chunked", b"transfer-encoding: chunked", body=_CHUNKED)),
    "chunked twice in a list": (400, request(b"transfer-encoding: chunked, chunked", body=_CHUNKED)),
    "chunked not last": (400, request(b"transfer-encoding: chunked, gzip", body=_CHUNKED)),
    "chunked in quotes": (501, request(b'transfer-encoding: "chunked"', body=_CHUNKED)),
    "chunked behind gzip": (501, request(b"transfer-encoding: gzip, chunked", body=_CHUNKED)),
    "nearly chunked": (501, request(b"transfer-encoding: xchunked", body=_CHUNKED)),
    "identity": (501, request(b"transfer-encoding: identity", body=_BODY)),
    "chunked in HTTP/1.0": (
        400,
        request(b"transfer-encoding: chunked", body=_CHUNKED, line=b"POST /v1/chat/completions HTTP/1.0"),
    ),
    "bare line feeds in the head": (400, b"POST /v1/chat/completions HTTP/1.1\nhost: g\ncontent-length: 3\n\nabc"),
    "bare line feed after a field": (400, request(b"a: b\nc: d", _LENGTH)),
    "bare carriage return in a value": (400, request(b"a: b\rc: d", _LENGTH)),
    "folded field": (400, request(b"a: b", b" c", _LENGTH)),
    "field before the first name": (400, request(b" a: b", _LENGTH)),
    "no colon": (400, request(b"nonsense", _LENGTH)),
    "empty name": (400, request(b": b", _LENGTH)),
    "blank in a name": (400, request(b"a b: c", _LENGTH)),
    "zero byte in a value": (400, request(b"a: b\x00c", _LENGTH)),
    "control character in a value": (400, request(b"a: b\x01c", _LENGTH)),
    "chunk size with 0x": (400, request(b"transfer-encoding: chunked", body=b"0x3\r\nabc\r\n0\r\n\r\n")),
    "chunk size with a sign": (400, request(b"transfer-encoding: chunked", body=b"+3\r\nabc\r\n0\r\n\r\n")),
    "chunk size with a blank": (400, request(b"transfer-encoding: chunked", body=b"3 \r\nabc\r\n0\r\n\r\n")),
    "chunk size too large": (400, request(b"transfer-encoding: chunked", body=b"fffffffffffffffff\r\nabc")),
    "no chunk size": (400, request(b"transfer-encoding: chunked", body=b"\r\nabc\r\n0\r\n\r\n")),
    "chunk longer than its size": (400, request(b"transfer-encoding: chunked", body=b"3\r\nabcd\r\n0\r\n\r\n")),
    "bare line feeds in chunks": (400, request(b"transfer-encoding: chunked", body=b"3\nabc\n0\n\n")),
    "line feed in a chunk extension": (400, request(b"transfer-encoding: chunked", body=b"3;a\nb\r\nabc\r\n0\r\n\r\n")),
    "length after a vertical tab": (400, request(b"content-length:\x0b3", body=b"abc")),
    "length with an underscore": (400, request(b"content-length: 1_0", body=b"0123456789")),
    "two words of length": (400, request(b"content-length: 3 3", body=b"abc")),
    "empty length before another": (400, request(b"content-length:", _LENGTH)),
    "tab before the colon": (400, request(b"content-length\t: 3", body=b"abc")),
    "empty coding beside a length": (400, request(b"transfer-encoding:", _LENGTH)),
    "chunked and a comma": (400, request(b"transfer-encoding: chunked,", body=_CHUNKED)),
    "a comma and chunked": (501, request(b"transfer-encoding: ,chunked", body=_CHUNKED)),
    "chunked with a parameter": (501, request(b"transfer-encoding: chunked;q=1", body=_CHUNKED)),
    "chunked and a zero byte": (400, request(b"transfer-encoding: chunked\x00", body=_CHUNKED)),
    "chunked, then identity": (
        400,
        request(b"transfer-encoding: chunked", b"transfer-encoding: identity", body=_CHUNKED),
    ),
    "identity, then chunked": (
        501,
        request(b"transfer-encoding: identity", b"transfer-encoding: chunked", body=_CHUNKED),
    ),
    "folded coding": (400, request(b"transfer-encoding:\r\n chunked", body=_CHUNKED)),
    "length and chunked behind an upgrade": (
        400,
        request(b"upgrade: h2c", b"connection: upgrade", _LENGTH, b"transfer-encoding: chunked", body=_CHUNKED),
    ),
    "zero byte in a name": (400, request(b"a\x00b: c", _LENGTH)),
    "byte above ASCII in a name": (400, request(b"\xe9: c", _LENGTH)),
    "carriage return in a chunk extension": (400, chunked(b"%x;a\rb\r\n" % len(_BODY) + _BODY + b"\r\n0\r\n\r\n")),
    "zero byte in a chunk extension": (400, chunked(b"%x;a\x00b\r\n" % len(_BODY) + _BODY + b"\r\n0\r\n\r\n")),
    "line in a quoted chunk extension": (
        400,
        chunked(b'%x;a="\r\nb"\r\n' % len(_BODY) + _BODY + b"\r\n0\r\n\r\n"),
    ),
    "chunk size with a tab": (400, chunked(b"%x\t\r\n" % len(_BODY) + _BODY + b"\r\n0\r\n\r\n")),
    "chunk size with an underscore": (400, chunked(b"1_0\r\n" + bytes(16) + b"\r\n0\r\n\r\n")),
    "chunk without an end of line": (400, chunked(b"%x\r\n" % len(_BODY) + _BODY + b"0\r\n\r\n")),
    "line feed after a chunk": (400, chunked(b"%x\r\n" % len(_BODY) + _BODY + b"\n0\r\n\r\n")),
    "line feeds after the last chunk": (400, chunked(testing.chunk(_BODY) + b"0\n\n")),
    "carriage return after a chunk size": (400, chunked(b"%x\r" % len(_BODY) + _BODY + b"\r\n0\r\n\r\n")),
    "request in place of a trailer": (400, chunked(testing.chunk(_BODY) + b"0\r\nGET /healthz HTTP/1.1\r\n\r\n")),
    "length as a trailer": (400, chunked(testing.chunk(_BODY) + b"0\r\ncontent-length: 5\r\n\r\n")),
    "coding as a trailer": (400, chunked(testing.chunk(_BODY) + b"0\r\ntransfer-encoding: chunked\r\n\r\n")),
    "blank before the method": (400, request(_LENGTH, line=b" POST /v1/chat/completions HTTP/1.1")),
    "method in small letters": (400, request(_LENGTH, line=b"post /v1/chat/completions HTTP/1.1")),
    "tab in the first line": (400, request(_LENGTH, line=b"POST\t/v1/chat/completions HTTP/1.1")),
    "zero byte in the target": (400, request(_LENGTH, line=b"POST /v1/chat/completions?\x00 HTTP/1.1")),
    "byte above ASCII in the target": (400, request(_LENGTH, line=b"POST /v1/chat/completions?\xe9 HTTP/1.1")),
    "carriage return in the target": (400, request(_LENGTH, line=b"POST /v1/chat/completions?a\rb HTTP/1.1")),
    "blank after the version": (400, request(_LENGTH, line=b"POST /v1/chat/completions HTTP/1.1 ")),
    "version in small letters": (400, request(_LENGTH, line=b"POST /v1/chat/completions http/1.1")),
    "no host": (400, b"POST /v1/chat/completions HTTP/1.1\r\n" + _LENGTH + b"\r\n\r\n" + _BODY),
    "two hosts": (400, request(b"host: other", _LENGTH)),
    "blank in the target": (400, request(_LENGTH, line=b"POST /v1/chat completions HTTP/1.1")),
    "unknown version": (400, request(_LENGTH, line=b"POST /v1/chat/completions HTTP/1.7")),
    "HTTP/2 without its preface": (505, request(_LENGTH, line=b"POST /v1/chat/completions HTTP/2.0")),
    "HTTP/0.9": (505, b"GET /healthz\r\n\r\n"),
    "HTTP/2 preface": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "unknown method": (400, request(_LENGTH, line=b"BREW /v1/chat/completions HTTP/1.1")),
    "tunnel": (405, b"CONNECT engine:8000 HTTP/1.1\r\nhost: engine:8000\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "unknown expectation": (417, request(_LENGTH, b"expect: something")),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_ambiguous_requests_are_refused_and_the_connection_closed(start: Start, case: str) -> None:
    status, data = REFUSED[case]
    house = await start()
    async with testing.connect(house.port) as client:
        client.send(data + testing.get("/healthz"))
        answer = await client.read()
        assert answer.status == status
        assert answer.headers["connection"] == "close"
        assert answer.headers["content-type"] == "application/json"
        assert answer.error()["message"]
        assert await client.at_end()
    assert house.engine.requests == []


ACCEPTED = {
    "blank lines before a request": b"\r\n\r\n" + request(_LENGTH),
    "blanks around a value": request(b"content-length:   %d\t " % len(_BODY)),
    "chunk extension": request(
        b"transfer-encoding: chunked", body=b"%x;a=b\r\n" % len(_BODY) + _BODY + b"\r\n0;c\r\n\r\n"
    ),
    "trailer": request(b"transfer-encoding: chunked", body=testing.chunk(_BODY) + b"0\r\nx: y\r\n\r\n"),
    "coding in capitals": request(b"Transfer-Encoding: CHUNKED", body=_CHUNKED),
    "chunk size with leading zeros": request(
        b"transfer-encoding: chunked", body=b"0000%x\r\n" % len(_BODY) + _BODY + b"\r\n000\r\n\r\n"
    ),
    "absolute target": request(_LENGTH, line=b"POST http://gateway:8888/v1/chat/completions HTTP/1.1"),
    "bytes above ASCII in a value": request(b"a: \xe9", _LENGTH),
    "length with leading zeros": request(b"content-length: 000%d" % len(_BODY)),
    "offers to upgrade to several": request(b"upgrade: h2c", b"upgrade: websocket", b"connection: upgrade", _LENGTH),
    "hop's own coding in another name": request(b"transfer_encoding: chunked", _LENGTH),
}


@pytest.mark.parametrize("case", ACCEPTED)
async def test_unusual_but_clear_requests_are_served(start: Start, case: str) -> None:
    house = await start()
    async with testing.connect(house.port) as client:
        client.send(ACCEPTED[case] + testing.get("/healthz"))
        assert [(await client.read()).status for _ in range(2)] == [200, 200]
    (received,) = house.engine.requests
    assert received.body == _BODY
    assert received.head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert "transfer-encoding" not in received.headers


async def test_refusals_wait_behind_the_answers_before_them(start: Start) -> None:
    house = await start()
    async with testing.connect(house.port) as client:
        client.send(testing.post() + testing.get("/healthz") + b"nonsense\r\n\r\n")
        assert [(await client.read()).status for _ in range(3)] == [200, 200, 400]
        assert await client.at_end()


async def test_a_refused_client_that_goes_on_sending_still_reads_why(start: Start) -> None:
    """A connection closed with unread bytes is reset, and the reset may overtake the answer."""
    house = await start(max_body_bytes=1000)
    async with testing.connect(house.port) as client:
        client.send(request(b"content-length: 5000000", body=b"x" * 3_000_000))
        await client.writer.drain()
        assert (await client.read()).status == 413
        client.send(b"x" * 2_000_000)
        assert await client.at_end()


async def test_connection_options_cannot_take_the_gateways_own_fields_away(start: Start) -> None:
    house = await start()
    await house.ask(testing.post(headers="connection: content-length, host, x-request-id\r\nx-request-id: a"))
    seen = house.engine.requests[0].headers
    assert seen["content-length"] == str(len(_BODY))
    assert seen["host"].endswith(str(house.engine.port))
    assert seen["x-request-id"] == "a"
