"""What is asked of the API server, and how it is refused: every answer that comes before a WebSocket."""

from __future__ import annotations

import asyncio
import pathlib
import socket
from collections.abc import AsyncIterator

import pytest
import websockets
import websockets.asyncio.client as clients

from brickyard.api.kinds import podstreams
from brickyard.embedded.apiserver import testing
from brickyard.embedded.apiserver.podstreams import channels, peers, tunnel
from brickyard.embedded.apiserver.podstreams import testing as fakes

POD = "/api/v1/namespaces/default/pods/a"
RUN = f"{POD}/exec?command=x&stdin=true&stdout=true"


class Pods:
    """A node agent that keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[podstreams.CommandQuery] = []
        self.refusal = ""

    async def execute(self, query: podstreams.CommandQuery) -> podstreams.Session:
        self.asked.append(query)
        if self.refusal:
            raise podstreams.StreamsUnavailable(self.refusal)
        return fakes.FakeSession(echo)

    attach = execute

    async def forward(self, namespace: str, pod: str) -> podstreams.Forwarder:
        return fakes.FakeForwarder()


async def echo(client: podstreams.Client) -> int:
    async for piece in client.input():
        if isinstance(piece, bytes):
            await client.output(podstreams.Output.STDOUT, piece)
    return 0


@pytest.fixture
def pods() -> Pods:
    return Pods()


@pytest.fixture
async def server(tmp_path: pathlib.Path, pods: Pods) -> AsyncIterator[testing.RunningServer]:
    async with testing.running(tmp_path, streams=pods) as found, testing.connect(found) as api:
        spec = {"containers": [{"name": "c", "image": "i"}]}
        await api.created("/api/v1/namespaces/default/pods", {"metadata": {"name": "a"}, "spec": spec})
        yield found


def connect(server: testing.RunningServer, path: str, *offered: str, token: str = "") -> clients.connect:
    return clients.connect(
        server.url.replace("https", "wss") + path,
        additional_headers={"authorization": f"Bearer {token or server.token}"},
        ssl=server.ssl_context(),
        subprotocols=[websockets.Subprotocol(each) for each in offered] or None,
        compression=None,
    )


async def refused(server: testing.RunningServer, path: str, *offered: str, token: str = "") -> tuple[int, str]:
    with pytest.raises(websockets.InvalidStatus) as error:
        await connect(server, path, *offered, token=token)
    return error.value.response.status_code, (error.value.response.body or b"").decode()


@pytest.mark.parametrize(
    ("path", "offered", "code", "says"),
    [
        (
            "/api/v1/namespaces/default/pods/nobody/exec?command=x&stdout=1",
            [channels.V5],
            404,
            'pods \\"nobody\\" not found',
        ),
        (f"{POD}/exec?stdout=true", [channels.V5], 400, "at least one command"),
        (f"{POD}/exec?command=x", [channels.V5], 400, "at least one of stdin, stdout, stderr"),
        (f"{POD}/exec?command=x&stdout=perhaps", [channels.V5], 400, "invalid value for stdout"),
        (RUN, ["v1.channel.k8s.io"], 400, "v5.channel.k8s.io, v4.channel.k8s.io"),
        (RUN, [], 400, "v5.channel.k8s.io, v4.channel.k8s.io"),
        (f"{POD}/portforward", [channels.V4], 400, "'ports' is required"),
        (f"{POD}/portforward?ports=80,x", [channels.V4], 400, "'x' is no port"),
        (f"{POD}/portforward?ports=0", [channels.V4], 400, "'0' is no port"),
        (f"{POD}/portforward?ports={'1,' * 99}1", [channels.V4], 400, "at most 64 ports"),
        (f"{POD}/portforward?ports=80", [channels.V5], 400, tunnel.PROTOCOL),
        (f"{POD}/log", [channels.V5], 400, "not served over WebSocket"),
        (POD, [channels.V5], 400, "not served over WebSocket"),
        ("/api/v1/nodes/a/exec", [channels.V5], 400, "not served over WebSocket"),
        (f"{POD}/exec/more", [channels.V5], 404, "could not find"),
        ("/nonsense", [channels.V5], 404, "could not find"),
    ],
)
async def test_refusals(server: testing.RunningServer, path: str, offered: list[str], code: int, says: str) -> None:
    found, body = await refused(server, path, *offered)
    assert found == code
    assert says in body


async def test_another_token(server: testing.RunningServer, pods: Pods) -> None:
    assert (await refused(server, RUN, channels.V5, token="another"))[0] == 401
    assert not pods.asked


async def test_what_the_node_agent_refuses(server: testing.RunningServer, pods: Pods) -> None:
    """It comes first, so that a client which then tries SPDY reads it and not that SPDY is not spoken."""
    pods.refusal = "container b is not valid for pod a"
    code, body = await refused(server, RUN, channels.V5)
    assert (code, pods.refusal in body) == (400, True)
    async with testing.connect(server) as api:
        reply = await api.call("POST", RUN, upgrade="SPDY/3.1", connection="upgrade")
        assert (reply.code, reply.body["message"]) == (400, pods.refusal)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_spdy_alone_and_plain_http(server: testing.RunningServer, method: str) -> None:
    async with testing.connect(server) as api:
        for headers in ({"upgrade": "SPDY/3.1", "connection": "upgrade"}, {}):
            reply = await api.call(method, RUN, **headers)
            assert reply.code == 400
            assert "v5.channel.k8s.io" in reply.body["message"]


async def test_no_node_agent(tmp_path: pathlib.Path) -> None:
    async with testing.running(tmp_path) as server, testing.connect(server) as api:
        spec = {"containers": [{"name": "c", "image": "i"}]}
        await api.created("/api/v1/namespaces/default/pods", {"metadata": {"name": "a"}, "spec": spec})
        assert (await refused(server, RUN, channels.V5))[0] == 501


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([channels.V4, channels.V5], channels.V5),
        (["other", channels.V4], channels.V4),
    ],
)
async def test_the_best_protocol_is_chosen(server: testing.RunningServer, offered: list[str], chosen: str) -> None:
    async with connect(server, RUN, *offered) as client:
        assert client.subprotocol == chosen


async def test_what_the_node_agent_is_asked(server: testing.RunningServer, pods: Pods) -> None:
    async with connect(server, f"{POD}/exec?command=a&command=b%20c&container=c&tty=1&stdout=1&stderr=1", channels.V4):
        pass
    async with connect(server, f"{POD}/attach", channels.V4):
        pass
    asked = podstreams.CommandQuery("default", "a", "c", ("a", "b c"), stdout=True, tty=True)
    assert pods.asked == [asked, podstreams.CommandQuery("default", "a", stdout=True, stderr=True)]


async def test_a_conversation(server: testing.RunningServer) -> None:
    async with connect(server, RUN, channels.V5) as client:
        assert await client.recv() == b"\x01"
        await client.send(b"\x00hello")
        assert await client.recv() == b"\x01hello"
        await client.send(b"\xff\x00")
        assert await client.recv() == b'\x03{"metadata":{},"status":"Success"}'
        with pytest.raises(websockets.ConnectionClosedOK):
            await client.recv()


async def test_a_message_that_is_too_large(server: testing.RunningServer) -> None:
    async with connect(server, RUN, channels.V5) as client:
        await client.recv()
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await client.send(b"\x00" * (5 * 1024 * 1024))
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


async def test_the_server_stops_under_a_stream(server: testing.RunningServer) -> None:
    async with connect(server, RUN, channels.V5) as client:
        await client.recv()
        server.stop()
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(client.recv(), 5)


TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:A000 0100007F:1F40 04 00000000:00000000 00:00000000 00000000     0        0 2 1
   2: 0100007F:1F40 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 3 1
"""


def test_the_kernels_table() -> None:
    assert peers.state(TABLE, "0100007F:A000", "0100007F:1F40") == "04"
    assert peers.state(TABLE, "0100007F:1F40", "0100007F:A000") == "01"
    assert peers.state(TABLE, "0100007F:A001", "0100007F:1F40") == ""


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_whether_the_other_end_is_held(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener:
        theirs = socket.create_connection(listener.getsockname()[:2])
        ours, _ = listener.accept()
        with ours:
            # More than fits: the farewell that follows cannot arrive.
            theirs.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    theirs.send(b"x" * 65536)
            assert not peers.left(ours)
            theirs.close()
            assert peers.left(ours)
