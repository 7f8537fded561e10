import asyncio

import pytest

from bench import gateway_rate


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int, stay: bool) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            keep = b"" if stay else b"connection: close\r\n"
            writer.write(b"HTTP/1.1 %d X\r\n%bcontent-length: 2\r\n\r\nok" % (status, keep))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


@pytest.mark.parametrize(("status", "stay", "errors"), [(200, True, 0), (200, False, 0), (503, True, 50)])
async def test_every_request_is_an_answer_or_an_error(status: int, stay: bool, errors: int) -> None:
    server = await asyncio.start_server(lambda r, w: serve(r, w, status, stay), "127.0.0.1", 0)
    async with server:
        found = await gateway_rate.drive(server.sockets[0].getsockname()[1], 250, 0.2)
    assert found["errors"] == errors
    assert found["requests"] == 50 - errors
    assert found["connections"] <= (50 if not stay else 49)


async def test_where_nobody_listens_all_are_errors() -> None:
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    found = await gateway_rate.drive(port, 100, 0.1)
    assert (found["requests"], found["errors"]) == (0, 10)
