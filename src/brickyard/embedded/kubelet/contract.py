"""What the node agent asks of others, beside the Kubernetes API and the engines' launchers."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Models(Protocol):
    """Where models come from; ``sidecar.downloads`` fills it."""

    async def fetch(
        self,
        reference: str,
        *,
        progress: Callable[[int, int | None], None] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> pathlib.Path:
        """The local path of a model. ``progress`` is told (bytes done, bytes in all or None) while something is fetched.

        ``environ`` are the container's variables: credentials for where the model lies may be among them.

        Raises:
            BrickyardError: it cannot be had; the message says why and what to do.
        """
        ...


class Recorder(Protocol):
    """Where events go; ``kube.reconcile.recorder`` fills it. Never blocks, never raises."""

    def record(
        self, obj: Mapping[str, Any], severity: str, reason: str, message: str, *, field_path: str = ""
    ) -> None: ...
