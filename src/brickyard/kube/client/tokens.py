"""Bearer tokens from a file that somebody else keeps fresh: a service account's token in a pod, a ``tokenFile`` of a kubeconfig."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Generator

import httpx2

from brickyard.kube.client import errors
from brickyard.lib import clock

AGE = 60.0
"""Seconds for which a token that was read is used without looking again. Kubelets rotate long before a token ends."""


class TokenFileAuth(httpx2.Auth):
    """Adds the token in ``path``, read again every ``AGE`` seconds and whenever the API answers 401.

    ``first`` is used until the file can be read: a kubeconfig may give both.
    """

    def __init__(self, path: str | os.PathLike[str], clock_: clock.Clock | None = None, *, first: str = "") -> None:
        self._path = pathlib.Path(path)
        self._clock = clock_ or clock.SystemClock()
        self._token = first
        self._read_at = float("-inf")

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        used = self._current(refused="")
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code == 401 and (fresh := self._current(refused=used)) != used:
            request.headers["Authorization"] = f"Bearer {fresh}"
            yield request

    def _current(self, refused: str) -> str:
        now = self._clock.monotonic()
        if self._token == refused or now - self._read_at >= AGE:
            try:
                read = self._path.read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                if not self._token:
                    raise errors.Unauthorized(f"the token file {self._path} cannot be read: {error}") from error
            else:
                # An empty file is one that is being written.
                self._token, self._read_at = read or self._token, now
        if not self._token:
            raise errors.Unauthorized(f"the token file {self._path} is empty")
        return self._token
