"""Services that get addresses, with real listeners, on an API in memory."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import controllers, testing
from brickyard.embedded.builtin.balancer import plan, proxy
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import meta
from brickyard.lib import clock, tasks

DEADLINE = 10.0


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


@dataclasses.dataclass
class World:
    client: clients.MemoryClient
    balancer: proxy.Balancer

    async def make(self, name: str = "web", **spec: Any) -> None:
        await self.client.create(resources.SERVICE, testing.unstored(testing.service(name, **spec)))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                await asyncio.sleep(0.005)

    def address(self, name: str = "web") -> str:
        found = {meta.name(each): each["spec"].get("clusterIP") or "" for each in self.client.all(resources.SERVICE)}
        return str(found[name])


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[World]:
    client = clients.MemoryClient()
    balancer = proxy.Balancer()
    async with tasks.Scope("world") as scope:
        scope.start(controllers.run(client, clock.SystemClock(), balancer), name="controllers")
        yield World(client, balancer)


def ports(number: int) -> list[dict[str, Any]]:
    return [{"name": "http", "port": number, "targetPort": "http", "protocol": "TCP"}]


async def test_connections_to_a_service_reach_its_pods() -> None:
    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    # The fixture's pods listen on 8000, on an address of their own.
    server = await asyncio.start_server(hello, "127.64.77.1", 0)
    number = server.sockets[0].getsockname()[1]
    async with server, world() as it:
        port = free_port()
        await it.make(ports=[{**ports(port)[0], "targetPort": number}])
        it.client.seed(resources.POD, testing.pod("a", ip="127.64.77.1"))
        (made,) = it.client.all(resources.SERVICE)
        await it.until(it.address)
        address = it.address()
        assert plan.is_ours(address)
        assert it.client.all(resources.SERVICE)[0]["spec"]["clusterIPs"] == [address]
        await it.until(lambda: it.balancer.addresses(("default", "web")) == [(address, port)])
        assert meta.name(made) == "web"

        async def answer() -> bytes:
            reader, writer = await asyncio.open_connection(address, port)
            try:
                return await reader.read()
            except ConnectionResetError:
                return b""  # the endpoint is not known yet
            finally:
                writer.close()

        async with asyncio.timeout(DEADLINE):
            while await answer() != b"hello":
                await asyncio.sleep(0.01)
        await it.client.delete(resources.SERVICE, ("default", "web"))
        await it.until(lambda: it.balancer.addresses(("default", "web")) == [])


async def test_every_service_has_another_address() -> None:
    async with world() as it:
        port = free_port()
        for number in range(12):
            await it.make(f"s{number}", ports=ports(port))
        await it.until(lambda: all(it.address(f"s{number}") for number in range(12)))
        assert len({it.address(f"s{number}") for number in range(12)}) == 12


async def test_a_headless_service_stays_without() -> None:
    async with world() as it:
        await it.make("quiet", clusterIP="None", ports=ports(free_port()))
        await it.make("web", ports=ports(free_port()))
        await it.until(lambda: it.balancer.addresses(("default", "web")))
        assert it.balancer.addresses(("default", "quiet")) == []
        assert it.address("quiet") == "None"


@pytest.mark.parametrize("spec", [{"clusterIP": "10.9.8.7"}])
async def test_what_cannot_be_served_is_told(spec: dict[str, Any]) -> None:
    async with world() as it:
        await it.make(ports=ports(free_port()), **spec)
        await it.until(lambda: it.client.all(resources.EVENT))
        (event,) = it.client.all(resources.EVENT)
        assert (event["type"], event["reason"]) == ("Warning", "NotServed")


async def test_a_taken_port_is_told() -> None:
    with socket.socket() as held:
        held.bind(("127.140.3.3", 0))
        held.listen()
        async with world() as it:
            await it.make(clusterIP="127.140.3.3", ports=ports(held.getsockname()[1]))
            await it.until(lambda: it.client.all(resources.EVENT))
            assert "another program listens there" in it.client.all(resources.EVENT)[0]["message"]


async def test_ports_of_the_node_are_given_and_told_apart() -> None:
    async with world() as it:
        for number in range(5):
            await it.make(f"s{number}", type="NodePort", ports=ports(free_port()))

        def given() -> list[int]:
            found = it.client.all(resources.SERVICE)
            return [each["spec"]["ports"][0].get("nodePort", 0) for each in found]

        await it.until(lambda: all(given()))
        assert len(set(given())) == 5
        await it.until(lambda: ("127.0.0.1", given()[0]) in it.balancer.addresses(("default", "s0")))


async def test_a_load_balancer_has_its_own_address_in_its_status() -> None:
    async with world() as it:
        await it.make(type="LoadBalancer", ports=ports(free_port()))

        def told() -> dict[str, Any]:
            return dict((it.client.all(resources.SERVICE)[0].get("status") or {}).get("loadBalancer") or {})

        await it.until(told)
        assert told() == {"ingress": [{"ip": it.address()}]}
        await it.client.patch(resources.SERVICE, ("default", "web"), {"spec": {"type": "ClusterIP"}})
        await it.until(lambda: not told())
