"""What a request for a stream wants, and whether it can be had: answered before the connection becomes a WebSocket, while words still reach
the client. A client that cannot speak WebSocket (SPDY, plain HTTP) gets the same refusals, and else one that names what is spoken.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from brickyard.api.kinds import podstreams
from brickyard.embedded.apiserver import drafts, errors, requests
from brickyard.embedded.apiserver.context import Context
from brickyard.embedded.apiserver.podstreams import channels, commands, pairs, sockets, tunnel

PARTS: Final[Mapping[str, Sequence[str]]] = {
    "exec": channels.COMMANDS,
    "attach": channels.COMMANDS,
    "portforward": (tunnel.PROTOCOL, channels.V4, channels.UNNAMED),
}
"""The subresources of pods that are streams, and what each is spoken in, best first."""
_MAX_PORTS: Final = 64


class Stream(Protocol):
    """A request that was found possible."""

    async def run(self, socket: sockets.Socket) -> None:
        """Serve it. Raises ``GoneError``, ``IdleError``, ``ProtocolError``."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Accepted:
    """What a request becomes: its subprotocol and who serves it."""

    protocol: str
    stream: Stream


async def judge(
    context: Context, place: drafts.Place, part: str, query: requests.Query, offered: Sequence[str]
) -> Accepted:
    """Find out what a request wants. ``offered`` are the client's subprotocols (``UNNAMED`` alone where it names none); nothing for
    who does not speak WebSocket.

    Raises:
        NotFoundError: there is no such pod.
        NotServedError: there is no node agent.
        BadRequestError: it cannot be had, or not in the way it is asked for; the text says why and what to do.
    """
    if context.store.get(place.key) is None:
        raise errors.not_found(place.kind, place.name)
    if context.streams is None:
        raise errors.NotServedError(f"this API server has no node agent, and with it no pods/{part}")
    protocol = next((each for each in PARTS[part] if each in offered), None)
    try:
        return await _accept(context.streams, place, part, query, protocol)
    except podstreams.StreamsUnavailable as error:
        raise errors.BadRequestError(str(error)) from error


async def _accept(
    pods: podstreams.PodStreams, place: drafts.Place, part: str, query: requests.Query, protocol: str | None
) -> Accepted:
    if part == "portforward":
        forwarder = await pods.forward(place.namespace, place.name)
        spoken = _spoken(part, protocol)
        stream = tunnel.Tunnel(forwarder) if spoken == tunnel.PROTOCOL else pairs.Pairs(forwarder, _ports(query))
        return Accepted(spoken, stream)
    asked = _command(place, part, query)
    session = await (pods.execute(asked) if part == "exec" else pods.attach(asked))
    spoken = _spoken(part, protocol)
    return Accepted(spoken, commands.Conversation(session, asked, spoken))


def _spoken(part: str, protocol: str | None) -> str:
    """The protocol that was found. Raises ``BadRequestError`` where there is none in common."""
    if protocol is not None:
        return protocol
    raise errors.BadRequestError(
        f"Upgrade request required: pods/{part} is spoken over WebSocket with one of the subprotocols "
        f"{', '.join(filter(None, PARTS[part]))}; SPDY alone is not spoken here: use kubectl 1.31 or later as it comes, "
        "without KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false or KUBECTL_PORT_FORWARD_WEBSOCKETS=false"
    )


def _command(place: drafts.Place, part: str, query: requests.Query) -> podstreams.CommandQuery:
    asked = podstreams.CommandQuery(
        namespace=place.namespace,
        pod=place.name,
        container=query.text("container"),
        command=tuple(query.texts("command")) if part == "exec" else (),
        stdin=query.flag("stdin"),
        stdout=_wanted(query, part, "stdout"),
        stderr=_wanted(query, part, "stderr"),
        tty=query.flag("tty"),
    )
    if part == "exec" and not asked.command:
        raise errors.BadRequestError("you must specify at least one command for the container")
    if not (asked.stdin or asked.stdout or asked.stderr):
        raise errors.BadRequestError("you must specify at least one of stdin, stdout, stderr")
    # A terminal has one output.
    return dataclasses.replace(asked, stderr=False) if asked.tty else asked


def _wanted(query: requests.Query, part: str, output: str) -> bool:
    """Outputs are what an attach is for: without a word they are meant."""
    return query.flag(output) if output in query else part == "attach"


def _ports(query: requests.Query) -> list[int]:
    words = [word for text in query.texts("ports") for word in text.split(",")]
    if not words:
        raise errors.BadRequestError("query parameter 'ports' is required")
    if len(words) > _MAX_PORTS:
        raise errors.BadRequestError(f"at most {_MAX_PORTS} ports are forwarded by one request")
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) < 6 and 0 < int(word) < 65536):
            raise errors.BadRequestError(f"query parameter 'ports' is invalid: {word!r} is no port")
    return [int(word) for word in words]
