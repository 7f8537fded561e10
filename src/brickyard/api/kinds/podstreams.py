"""Streams into pods, as the API server and the node agent agree on them: exec, attach, port-forward.

The API server speaks the client's protocol and knows nothing of processes; the node agent knows pods and nothing of protocols. A request
is first judged (``PodStreams``), while it can still be refused in words; then its ``Session`` runs for as long as the client stays.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import AsyncIterator
from typing import Protocol


class Output(enum.Enum):
    """Which of a command's outputs a piece comes from. On a terminal all of it is ``STDOUT``."""

    STDOUT = "stdout"
    STDERR = "stderr"


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """The size of a client's terminal, in characters."""

    columns: int
    rows: int


@dataclasses.dataclass(frozen=True, slots=True)
class CommandQuery:
    """What a client asks of a container: the query of exec (with a ``command``) and attach (without).

    ``container`` "" means the pod's only one; ``stdin``, ``stdout``, ``stderr`` tell what the client wants connected.
    """

    namespace: str
    pod: str
    container: str = ""
    command: tuple[str, ...] = ()
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class Client(Protocol):
    """Who is at the other end of a session; the API server fills it."""

    def input(self) -> AsyncIterator[bytes | Size]:
        """What the client types, and the sizes of its terminal. Ends when the client has no more to say."""
        ...

    async def output(self, source: Output, data: bytes) -> None:
        """Hand a piece on; waits until the client makes room."""
        ...


class Session(Protocol):
    """An exec or attach that was found possible."""

    async def run(self, client: Client) -> int:
        """Run to the end; the exit code (0 for attach). Cancelled, it ends the command.

        Raises:
            StreamFailed: the command cannot be started.
        """
        ...


class Connection(Protocol):
    """A TCP connection to a pod."""

    async def read(self) -> bytes:
        """The next bytes, b"" once the pod's side has ended.

        Raises:
            OSError: the connection broke.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Send; waits for room. Raises as ``read``."""
        ...

    def end(self) -> None:
        """Say that nothing more will be written."""
        ...

    async def close(self) -> None:
        """Let go of the connection. Never raises."""
        ...


class Forwarder(Protocol):
    """A pod whose ports can be reached."""

    async def connect(self, port: int) -> Connection:
        """Connect to a port of the pod.

        Raises:
            StreamFailed: nobody listens there, or the pod is gone; the text says so.
        """
        ...


class PodStreams(Protocol):
    """Where streams lead: the node agent, as seen by the API server."""

    async def execute(self, query: CommandQuery) -> Session:
        """A command in a container.

        Raises:
            StreamsUnavailable: no such container, or it does not run; the text says which.
        """
        ...

    async def attach(self, query: CommandQuery) -> Session:
        """What a container says from now on. Raises as ``execute``, and where the client wants to speak to it."""
        ...

    async def forward(self, namespace: str, pod: str) -> Forwarder:
        """The pod's ports. Raises as ``execute``."""
        ...


class StreamsUnavailable(Exception):  # noqa: N818 - a state, worded as Kubernetes words it
    """The request cannot be served; the API server answers 400 with this text."""


class StreamFailed(Exception):  # noqa: N818 - what became of it
    """The stream was opened and came to nothing; the client reads this text."""
