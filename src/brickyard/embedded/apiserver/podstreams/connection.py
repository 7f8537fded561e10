"""A connection that has become a WebSocket."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn import config as uvicorn_config
from uvicorn import server as uvicorn_server
from uvicorn.protocols.websockets import websockets_sansio_impl
from websockets import datastructures, http11
from websockets import server as websockets_server

from brickyard.embedded.apiserver.podstreams import peers, sockets


class Streaming(websockets_sansio_impl.WebSocketsSansIOProtocol):
    """Tells the application whether its client has gone even while it is not read."""

    def __init__(
        self,
        config: uvicorn_config.Config,
        server_state: uvicorn_server.ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = _Handshake(max_size=config.ws_max_size, logger=self.logger)

    def handle_connect(self, event: http11.Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"] = {
                **(self.scope.get("extensions") or {}),
                sockets.PEER: {sockets.LEFT: self._left},
            }

    def shutdown(self) -> None:
        if self.transport.is_closing():
            # Its client has been told and does not answer. To close it a second time makes asyncio forget how to drop it.
            self.transport.abort()
        else:
            super().shutdown()

    def _left(self) -> bool:
        """Where it is read, the event loop hears by itself."""
        found = self.transport.get_extra_info("socket")
        return self.read_paused and found is not None and found.fileno() >= 0 and peers.left(found)


class _Handshake(websockets_server.ServerProtocol):
    """Leaves subprotocols to the application: one that clients speak, ``SPDY/3.1+…``, is no token and would be refused."""

    def process_subprotocol(self, headers: datastructures.Headers) -> None:
        del headers
