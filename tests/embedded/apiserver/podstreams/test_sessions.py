"""Commands, pairs and tunnels against a client and pods of the test's own; time is virtual."""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import podstreams
from brickyard.embedded.apiserver.podstreams import channels, commands, judging, pairs, sockets, spdy, testing, tunnel
from brickyard.embedded.apiserver.podstreams import server as servers

pytestmark = pytest.mark.looptime

STDIO = podstreams.CommandQuery("default", "a", command=("x",), stdin=True, stdout=True, stderr=True)


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


async def echo(client: podstreams.Client) -> int:
    async for piece in client.input():
        if isinstance(piece, bytes):
            await client.output(podstreams.Output.STDERR, piece)
    return 7


async def forever(client: podstreams.Client) -> int:
    del client
    await asyncio.Event().wait()
    return 0


def conversation(session: podstreams.Session, query: podstreams.CommandQuery = STDIO) -> commands.Conversation:
    return commands.Conversation(session, query, channels.V5)


class TestCommands:
    async def test_from_the_first_message_to_the_status(self) -> None:
        client = testing.FakeClient()
        client.say(b"\x00one", b"\x00two", b"\xff\x00")
        await conversation(testing.FakeSession(echo)).run(client.socket())
        assert client.heard[:-1] == [b"\x01", b"\x02one", b"\x02two"]
        assert client.heard[-1][:1] == b"\x03"
        assert orjson.loads(client.heard[-1][1:])["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]
        assert client.code == sockets.NORMAL

    async def test_what_cannot_be_started_is_told(self) -> None:
        async def fails(client: podstreams.Client) -> int:
            del client
            raise podstreams.StreamFailed("no such program")

        client = testing.FakeClient()
        await conversation(testing.FakeSession(fails)).run(client.socket())
        assert "no such program" in orjson.loads(client.heard[-1][1:])["message"]

    async def test_a_client_that_leaves_ends_it(self) -> None:
        client, session = testing.FakeClient(), testing.FakeSession(forever)
        client.leave()
        with pytest.raises(sockets.GoneError):
            await conversation(session).run(client.socket())
        assert session.cancelled

    async def test_a_client_that_died_behind_what_it_sent(self) -> None:
        client, session = testing.FakeClient(), testing.FakeSession(forever)
        client.say(*[b"\x00x"] * 10)
        client.gone = True
        with pytest.raises(sockets.GoneError):
            await conversation(session).run(client.socket())
        assert session.cancelled
        assert client.unread == 8

    async def test_input_waits_until_it_is_taken(self) -> None:
        client = testing.FakeClient()
        client.say(*[b"\x00x"] * 10)
        async with testing.under_way(conversation(testing.FakeSession(forever)).run(client.socket())):
            await asyncio.sleep(5)
            assert client.unread == 8

    async def test_input_that_nobody_asked_for_is_dropped(self) -> None:
        client = testing.FakeClient()
        client.say(*[b"\x00x"] * 10)
        query = podstreams.CommandQuery("default", "a", command=("x",), stdout=True)
        async with testing.under_way(conversation(testing.FakeSession(forever), query).run(client.socket())):
            await asyncio.sleep(5)
            assert client.unread == 0

    async def test_a_client_that_does_not_read_holds_the_command_up(self) -> None:
        written = 0

        async def writes(client: podstreams.Client) -> int:
            nonlocal written
            while True:
                await client.output(podstreams.Output.STDOUT, b"x")
                written += 1

        client = testing.FakeClient()
        client.reads.clear()
        async with testing.under_way(conversation(testing.FakeSession(writes)).run(client.socket())):
            await asyncio.sleep(5)
        assert written == 0

    async def test_silence_ends_it(self) -> None:
        client, session = testing.FakeClient(), testing.FakeSession(forever)
        with pytest.raises(sockets.IdleError):
            await conversation(session).run(client.socket(idle=60.0))
        assert session.cancelled
        assert now() == 60

    async def test_nonsense_ends_it(self) -> None:
        client, session = testing.FakeClient(), testing.FakeSession(forever)
        client.say(b"\x09x")
        with pytest.raises(channels.ProtocolError):
            await conversation(session).run(client.socket())
        assert session.cancelled

    async def test_texts_are_bytes(self) -> None:
        client = testing.FakeClient()
        client.say_text("\x00häh")
        client.say(b"\xff\x00")
        await conversation(testing.FakeSession(echo)).run(client.socket())
        assert "häh".encode() in client.heard[1]


class TestServing:
    async def serve(self, client: testing.FakeClient, work: Any, idle: float = 3600.0) -> None:
        accepted = judging.Accepted(channels.V5, conversation(testing.FakeSession(work)))
        client.say(b"")  # the web server's word that it wants to connect
        await servers.Streams(1, idle).serve(accepted, {}, client.talk())

    @pytest.mark.parametrize(
        ("said", "work", "code"),
        [
            (b"\xff\x00", echo, sockets.NORMAL),
            (b"\x09", forever, sockets.PROTOCOL_ERROR),
            (b"", forever, sockets.GOING_AWAY),
        ],
    )
    async def test_how_the_client_is_told_goodbye(self, said: bytes, work: Any, code: int) -> None:
        client = testing.FakeClient()
        client.say(b"", said)
        accepted = judging.Accepted(channels.V5, conversation(testing.FakeSession(work)))
        await servers.Streams(1, 30.0).serve(accepted, {}, client.talk())
        assert client.code == code

    async def test_a_fault_of_ours(self) -> None:
        async def faulty(client: podstreams.Client) -> int:
            raise ZeroDivisionError

        client = testing.FakeClient()
        await self.serve(client, faulty)
        assert (client.code, client.reason) == (sockets.INTERNAL_ERROR, "the server's log says more")

    async def test_a_client_that_takes_no_goodbye_is_not_waited_for(self) -> None:
        client = testing.FakeClient()
        task = asyncio.create_task(self.serve(client, forever, idle=30.0))
        await client.hears(bool)
        client.reads.clear()
        await task
        assert now() == 30 + sockets.CLOSE_DEADLINE
        assert client.code is None


class TestPairs:
    async def test_each_port_for_itself(self) -> None:
        client, one = testing.FakeClient(), testing.FakeConnection()
        forwarder = testing.FakeForwarder(port80=one)
        async with testing.under_way(pairs.Pairs(forwarder, (80, 81)).run(client.socket())) as task:
            await client.hears(lambda heard: len(heard) == 5)
            assert client.heard[:4] == channels.port_channels((80, 81))
            assert client.heard[4] == b"\x03dial tcp 127.0.0.1:81: connect: connection refused"
            client.say(b"\x00GET", b"\x02nobody hears this", b"\x02nor this", b"\x00 /")
            one.says.put_nowait(b"OK")
            await client.hears(lambda heard: b"\x00OK" in heard)
            await asyncio.sleep(1)
            assert one.took == [b"GET", b" /"]
            one.says.put_nowait(b"")
            await task
        assert client.code == sockets.NORMAL
        assert one.closed

    async def test_a_connection_that_breaks_is_told(self) -> None:
        client, one = testing.FakeClient(), testing.FakeConnection()
        one.says.put_nowait(ConnectionResetError("reset by peer"))
        await pairs.Pairs(testing.FakeForwarder(port80=one), (80,)).run(client.socket())
        assert client.heard[-1] == b"\x01reset by peer"

    @pytest.mark.parametrize("message", [b"\x01x", b"\x02x", b"\xff\x00"])
    async def test_nonsense_ends_it(self, message: bytes) -> None:
        client, one = testing.FakeClient(), testing.FakeConnection()
        client.say(message)
        with pytest.raises(channels.ProtocolError):
            await pairs.Pairs(testing.FakeForwarder(port80=one), (80,)).run(client.socket())
        assert one.closed

    async def test_a_client_that_leaves_closes_its_connections(self) -> None:
        client, one = testing.FakeClient(), testing.FakeConnection()
        client.say(b"\x00GET")
        async with testing.under_way(pairs.Pairs(testing.FakeForwarder(port80=one), (80,)).run(client.socket())):
            await client.hears(lambda heard: len(heard) == 2)
            client.leave()
            await asyncio.sleep(1)
            assert one.closed


class Kubectl(testing.FakeClient):
    """The client's side of a tunnel: headers without compression that matters."""

    def __init__(self) -> None:
        super().__init__()
        self._deflate = zlib.compressobj(zdict=spdy.DICTIONARY)
        self._flush = zlib.Z_SYNC_FLUSH

    def open(self, stream: int, **headers: str) -> None:
        plain = struct.pack(">I", len(headers))
        for word in (word for pair in headers.items() for word in pair):
            plain += struct.pack(">I", len(word)) + word.encode()
        block = self._deflate.compress(plain) + self._deflate.flush(self._flush)
        payload = struct.pack(">IIH", stream, 0, 0) + block
        self.say(struct.pack(">HHI", 0x8003, 1, len(payload)) + payload)

    def connect(self, stream: int, port: int, request: int = 0) -> None:
        """As kubectl does: the error stream, which it ends at once, then the data stream."""
        self.open(stream, streamtype="error", port=str(port), requestid=str(request))
        self.say(spdy.data(stream, b"", fin=True))
        self.open(stream + 2, streamtype="data", port=str(port), requestid=str(request))

    def reset(self, stream: int) -> None:
        self.say(spdy.reset(stream, spdy.CANCELLED))

    def frames(self) -> bytes:
        return b"".join(self.heard)


class TestTunnel:
    async def test_a_connection_and_its_end(self) -> None:
        client, one = Kubectl(), testing.FakeConnection()
        async with testing.under_way(tunnel.Tunnel(testing.FakeForwarder(port80=one)).run(client.socket())):
            client.connect(1, 80)
            client.say(spdy.data(3, b"GET"), spdy.data(3, b"", fin=True))
            one.says.put_nowait(b"OK")
            await client.hears(lambda _: spdy.data(3, b"OK") in client.frames())
            assert (one.took, one.ended) == ([b"GET"], True)
            one.says.put_nowait(b"")
            await client.hears(
                lambda _: client.frames().endswith(spdy.data(1, b"", fin=True) + spdy.data(3, b"", fin=True))
            )
            assert one.closed

    async def test_a_refused_port_leaves_the_others_alone(self) -> None:
        client, one = Kubectl(), testing.FakeConnection()
        async with testing.under_way(tunnel.Tunnel(testing.FakeForwarder(port80=one)).run(client.socket())) as task:
            client.connect(1, 80, 0)
            client.connect(5, 81, 1)
            why = b"dial tcp 127.0.0.1:81: connect: connection refused"
            await client.hears(lambda _: spdy.data(5, why, fin=True) in client.frames())
            one.says.put_nowait(b"still here")
            await client.hears(lambda _: spdy.data(3, b"still here") in client.frames())
            assert not task.done()

    async def test_a_stream_that_is_reset_closes_its_connection(self) -> None:
        client, one = Kubectl(), testing.FakeConnection()
        async with testing.under_way(tunnel.Tunnel(testing.FakeForwarder(port80=one)).run(client.socket())):
            client.connect(1, 80)
            client.reset(3)
            await client.hears(lambda _: spdy.data(1, b"", fin=True) in client.frames())
            client.say(spdy.data(3, b"too late"), spdy.data(99, b"never was"))
            await asyncio.sleep(1)
            assert client.unread == 0
            assert spdy.data(3, b"", fin=True) not in client.frames()

    async def test_one_that_was_under_way_closes_its_connection(self) -> None:
        client, one = Kubectl(), testing.FakeConnection()
        async with testing.under_way(tunnel.Tunnel(testing.FakeForwarder(port80=one)).run(client.socket())):
            client.connect(1, 80)
            await asyncio.sleep(1)
            client.reset(3)
            await asyncio.sleep(1)
            assert one.closed

    async def test_a_target_that_does_not_read_is_given_up(self) -> None:
        client, deaf, other = Kubectl(), testing.FakeConnection(), testing.FakeConnection()
        deaf.takes.clear()
        forwarder = testing.FakeForwarder(port80=deaf, port81=other)
        async with testing.under_way(tunnel.Tunnel(forwarder).run(client.socket())):
            client.connect(1, 80, 0)
            client.connect(5, 81, 1)
            client.say(*[spdy.data(3, b"x")] * 20, spdy.data(7, b"at last"))
            await client.hears(lambda _: spdy.reset(3, spdy.CANCELLED) in client.frames())
            await asyncio.sleep(1)
            assert now() == tunnel.STUCK + 1
            assert deaf.closed
            assert other.took == [b"at last"]

    @pytest.mark.parametrize(
        "headers",
        [
            {"streamtype": "data", "port": "80", "requestid": "0"},
            {"streamtype": "error", "port": "0", "requestid": "0"},
            {"streamtype": "error", "port": "99999999999", "requestid": "0"},
            {"streamtype": "error"},
            {"streamtype": "other", "port": "80", "requestid": "0"},
            {},
        ],
    )
    async def test_streams_that_mean_nothing_are_refused(self, headers: dict[str, str]) -> None:
        client = Kubectl()
        async with testing.under_way(tunnel.Tunnel(testing.FakeForwarder()).run(client.socket())):
            client.open(1, **headers)
            await client.hears(bool)
            assert client.frames() == spdy.reset(1, spdy.REFUSED)

    async def test_no_more_streams_than_may_be(self) -> None:
        client = Kubectl()
        async with testing.under_way(tunnel.Tunnel(testing.FakeForwarder()).run(client.socket())):
            for number in range(tunnel.MAX_STREAMS):
                client.open(2 * number + 1, streamtype="error", port="80", requestid=str(number))
            last = 2 * tunnel.MAX_STREAMS + 1
            client.open(last, streamtype="error", port="80", requestid="last")
            await client.hears(lambda heard: len(heard) > tunnel.MAX_STREAMS)
            assert client.heard[-1] == spdy.reset(last, spdy.REFUSED)
            client.reset(1)
            client.open(last + 2, streamtype="error", port="80", requestid="again")
            await client.hears(lambda heard: len(heard) > tunnel.MAX_STREAMS + 1)
            assert client.heard[-1][:4] == b"\x80\x03\x00\x02"

    async def test_pings_are_answered(self) -> None:
        client = Kubectl()
        client.say(spdy.ping(7))
        async with testing.under_way(tunnel.Tunnel(testing.FakeForwarder()).run(client.socket())):
            await client.hears(bool)
            assert client.frames() == spdy.ping(7)

    async def test_a_client_that_leaves_closes_its_connections(self) -> None:
        client, one = Kubectl(), testing.FakeConnection()
        client.connect(1, 80)
        client.leave()
        with pytest.raises(sockets.GoneError):
            await tunnel.Tunnel(testing.FakeForwarder(port80=one)).run(client.socket())
        assert one.closed or not one.took


@given(said=st.lists(st.binary(max_size=40), max_size=5))
def test_a_tunnel_survives_any_client(said: list[bytes]) -> None:
    async def run() -> None:
        client = testing.FakeClient()
        client.say(*said)
        client.leave()
        with pytest.raises((sockets.GoneError, channels.ProtocolError)):
            await tunnel.Tunnel(testing.FakeForwarder()).run(client.socket())

    asyncio.run(run())
