"""Keeps a table of endpoints as a file says, and follows the file.

The file is looked at every second; what counts is its content, so that editors, links and mounted ConfigMaps, which all replace files in
ways of their own, need no special care. A file that cannot be read or has faults changes nothing: the gateway goes on with what it knew
and says what is wrong, once.
"""

from __future__ import annotations

import asyncio
import pathlib

from brickyard.gateway import errors
from brickyard.gateway.endpoints import pods, standalone, table
from brickyard.lib import logs

log = logs.get(__name__)

LOOK_EVERY = 1.0
SIZE_LIMIT = 16 * 1024 * 1024


class EndpointsFile:
    """``path``'s endpoints in ``live``.

    Raises:
        EndpointsFileError: it cannot be read, or has faults. Only at the start: later that is logged.
    """

    def __init__(self, path: pathlib.Path, live: table.Table) -> None:
        self._path = path
        self._table = live
        self._known: dict[str, pods.ModelPod] = {}
        self._text: str | None = None
        self._told = ""
        self.load()

    def load(self) -> bool:
        """Read the file and take over what changed; whether its text did.

        Raises:
            EndpointsFileError: it cannot be read, or has faults; nothing has changed.
        """
        text = self._read()
        if text == self._text:
            return False
        found = {pod.key: pod for pod in standalone.read(text)}
        for key in self._known.keys() - found.keys():
            self._table.remove(key)
        for pod in found.values():
            self._table.put(pod)
        self._known, self._text = found, text
        return True

    async def follow(self) -> None:
        """Look at the file until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.look()

    def look(self) -> None:
        """Take over what changed, or say what is wrong with it."""
        try:
            changed = self.load()
        except errors.EndpointsFileError as error:
            if str(error) != self._told:
                log.warning("endpoints stay as they were", file=str(self._path), error=error)
            self._told = str(error)
            return
        self._told = ""
        if changed:
            log.info("endpoints read", file=str(self._path), endpoints=len(self._known))

    def _read(self) -> str:
        try:
            with self._path.open("rb") as file:
                data = file.read(SIZE_LIMIT + 1)
            if len(data) > SIZE_LIMIT:
                raise errors.EndpointsFileError([f"{self._path} has more than {SIZE_LIMIT} bytes"])
            return data.decode()
        except (OSError, UnicodeDecodeError) as error:
            raise errors.EndpointsFileError(
                [f"{self._path} cannot be read: {getattr(error, 'strerror', None) or error}"]
            ) from error
