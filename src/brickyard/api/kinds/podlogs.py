"""What a reader of pod logs may ask: the query of ``GET …/pods/NAME/log`` (Kubernetes' PodLogOptions)."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Protocol


@dataclasses.dataclass(frozen=True, slots=True)
class PodLogQuery:
    """One request for logs.

    ``tail_lines`` None means from the start; ``container`` "" means the pod's only one; ``since`` is in Unix seconds; ``stream`` is
    ``Stdout``, ``Stderr`` or "" for both.
    """

    namespace: str
    pod: str
    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since: float | None = None
    stream: str = ""


class PodLogs(Protocol):
    """Where logs come from: the node agent, as seen by the API server."""

    async def open(self, query: PodLogQuery) -> AsyncIterator[bytes]:
        """The log's bytes. With ``follow`` the iterator goes on until the container ends; closing it stops the reading.

        Raises:
            LogsUnavailable: no such container, or it has not started; the text says which.
        """
        ...


class LogsUnavailable(Exception):  # noqa: N818 - a state, worded as Kubernetes words it
    """There are no logs to give; the API server answers 400 with this text."""
