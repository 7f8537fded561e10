"""Serves streams: takes a WebSocket that was judged, runs it, and ends it with the code that fits."""

from __future__ import annotations

from typing import Final

from brickyard.embedded.apiserver import errors
from brickyard.embedded.apiserver.podstreams import channels, judging, sockets
from brickyard.lib import logs

_IDLE: Final = "nothing was said for too long"

log = logs.get(__name__)


class Streams:
    """Counts the streams that are open, and runs them within ``most`` at a time and ``idle`` seconds of silence."""

    def __init__(self, most: int, idle: float) -> None:
        self._most = most
        self._idle = idle
        self._open = 0

    def __len__(self) -> int:
        return self._open

    async def serve(self, accepted: judging.Accepted, scope: sockets.Message, talk: sockets.Talk) -> None:
        """Take the client's WebSocket and run ``accepted`` on it to the end.

        Raises:
            TooManyRequestsError: as many as may be are open; the WebSocket is not taken.
        """
        if self._open >= self._most:
            raise errors.TooManyRequestsError(
                f"{self._open} streams into pods are open, which is the limit: end one of them, or try again later"
            )
        self._open += 1
        try:
            await talk.receive()  # that the client wants to connect, which is known
            await talk.send({"type": "websocket.accept", "subprotocol": accepted.protocol or None})
            left = (scope.get("extensions") or {}).get(sockets.PEER, {}).get(sockets.LEFT)
            await self._run(accepted.stream, sockets.Socket(talk, self._idle, left))
        finally:
            self._open -= 1

    async def _run(self, stream: judging.Stream, socket: sockets.Socket) -> None:
        code, reason = sockets.GOING_AWAY, ""
        try:
            await stream.run(socket)
            code = sockets.NORMAL
        except sockets.GoneError:
            pass
        except sockets.IdleError:
            reason = _IDLE
        except channels.ProtocolError as error:
            code, reason = sockets.PROTOCOL_ERROR, str(error)
        except Exception as error:  # noqa: BLE001 - the border of a stream: the client gets a code, the log the rest
            code, reason = _fault(error)
        finally:
            await socket.close(code, reason)


def _fault(error: Exception) -> tuple[int, str]:
    log.error("stream failed", exc=error)
    return sockets.INTERNAL_ERROR, "the server's log says more"
