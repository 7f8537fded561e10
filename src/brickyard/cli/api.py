"""One conversation of a command with the Kubernetes API."""

from __future__ import annotations

import asyncio
import os
import pathlib
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from brickyard.cli import place
from brickyard.kube.client import errors, rest

T = TypeVar("T")


def talk(data_dir: pathlib.Path | None, work: Callable[[rest.RestClient], Awaitable[T]]) -> T:
    """Run ``work`` with a client: of the data directory if one is given or runs here, else of ``$KUBECONFIG`` and its kin.

    Raises:
        NotRunning: nothing runs here, and nothing names a cluster elsewhere.
    """
    home = place.at(data_dir)
    here = data_dir is not None or (home.running() is not None and not os.environ.get("KUBECONFIG"))
    path = place.running(data_dir)[0].kubeconfig if here else None

    async def conversation() -> T:
        async with rest.RestClient.from_kubeconfig(path, strict=True, warn=_warn) as client:
            return await work(client)

    try:
        return asyncio.run(conversation())
    except errors.NoCluster as error:
        start = f"start it with `brickyard up --detach{place.option(home)}`, or set KUBECONFIG to a cluster's"
        raise place.NotRunning(f"Brickyard does not run in {home.path}", hint=start) from error


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)
