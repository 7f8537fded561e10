"""The fleet of pages that benches read."""

from __future__ import annotations

import asyncio

from bench import podpages


def test_every_pod_has_an_address_of_its_own() -> None:
    found = {podpages.address(number) for number in range(70_000)}
    assert len(found) == 70_000
    assert all(each.startswith("127.") for each in found)
    assert "127.0.0.1" not in found


async def test_pages_that_change_at_every_address() -> None:
    pages = []
    async with podpages.served(podpages.Fleet(everywhere=True, idle=0.1)) as ports:
        for number in (0, 300):
            reader, writer = await asyncio.open_connection(podpages.address(number), ports[0])
            writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            pages.append(await reader.read())  # until the server closes, which it does after a while of silence
            assert f"content-length: {len(pages[-1])}".encode() in head
            writer.close()
            await writer.wait_closed()
    assert pages[0] != pages[1]
    assert all(each.startswith(podpages.PAGE.read_bytes()) for each in pages)
