"""``brickyard logs``: what a pod's container says, or one of our own parts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    import pathlib
    from collections.abc import AsyncIterator

    from brickyard.kube.client import rest

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def logs(
    name: Annotated[str, typer.Argument(help="A pod, or a part of Brickyard: machine, gateway, services, up.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    previous: Annotated[bool, typer.Option("--previous", "-p", help="Of the container's run before this one.")] = False,
    tail: Annotated[int | None, typer.Option(help="Only the last lines.", min=0)] = None,
    since: Annotated[str, typer.Option(help="Only what is younger than this, such as 30s, 5m or 1h30m.")] = "",
    timestamps: Annotated[bool, typer.Option(help="Begin each line with its time.")] = False,
    container: Annotated[str, typer.Option("--container", "-c", help="Which container of the pod.")] = "",
    namespace: options.Namespace = "default",
    data_dir: options.DataDir = None,
) -> None:
    """Print a pod's log, or that of one of our own parts."""
    from brickyard.embedded import partlogs
    from brickyard.lib import errors

    asked = {
        "follow": str(follow).lower() if follow else "",
        "previous": str(previous).lower() if previous else "",
        "timestamps": str(timestamps).lower() if timestamps else "",
        "container": container,
        "sinceSeconds": str(seconds(since)) if since else "",
        "tailLines": "" if tail is None else str(tail),
    }
    if name not in partlogs.PARTS:
        _of_pod(name, {key: value for key, value in asked.items() if value}, namespace, data_dir)
        return
    if previous or container or since or timestamps:
        raise errors.UsageError(
            f"the log of {name} is a file whose lines have times of their own: "
            "--previous, --container, --since and --timestamps are of pods",
            hint="take --tail and --follow",
        )
    _of_part(name, follow=follow, tail=tail, data_dir=data_dir)


def seconds(span: str) -> int:
    """``90s``, ``5m``, ``1h30m`` or plain seconds, as whole seconds and 1 at least.

    Raises:
        UsageError: it is none.
    """
    from brickyard.lib import errors

    found = _SPAN.findall(span)
    if "".join(number + unit for number, unit in found) == span and span:
        return max(1, round(sum(float(number) * _SECONDS[unit] for number, unit in found)))
    if span.isascii() and span.isdecimal():
        return max(1, int(span))
    raise errors.UsageError(f"{span!r} is no span of time", hint="write it like 30s, 5m or 1h30m")


def _of_pod(name: str, params: dict[str, str], namespace: str, data_dir: pathlib.Path | None) -> None:
    from brickyard.api.kinds import resources
    from brickyard.cli import api
    from brickyard.kube.client import errors

    pod = name.partition("/")[2] if name.startswith(("pod/", "pods/", "po/")) else name

    async def work(client: rest.RestClient) -> None:
        try:
            chunks = await client.stream(resources.POD.path(namespace, pod, "log"), params)
        except errors.NotFound as error:
            error.hint = await _instead(client, namespace, pod)
            raise
        await _write(chunks)

    api.talk(data_dir, work)


async def _instead(client: rest.RestClient, namespace: str, name: str) -> str:
    """What whoever asked for the log of ``name``, which is no pod, may have meant: a model's pods, or the part that has the controllers."""
    import contextlib

    from brickyard.api import names
    from brickyard.api.kinds import resources
    from brickyard.kube.client import contract, errors

    if name == "controllers":
        return "on one machine the controllers are within `machine`: `brickyard logs machine`"
    labelled = contract.Query(namespace=namespace, label_selector=f"{names.MODEL_NAME}={name}")
    with contextlib.suppress(errors.KubeError):  # what was typed need not be the value of a label
        found = await client.list(resources.POD, labelled)
        if found.items:
            return f"{name} is a model: its pods are {', '.join(each['metadata']['name'] for each in found.items)}"
    return "`brickyard get pods -A` lists them"


def _of_part(name: str, *, follow: bool, tail: int | None, data_dir: pathlib.Path | None) -> None:
    import asyncio

    from brickyard.cli import place
    from brickyard.embedded import partlogs

    asyncio.run(_write(partlogs.read(place.at(data_dir), name, follow=follow, tail=tail)))


async def _write(chunks: AsyncIterator[bytes]) -> None:
    import sys

    async for chunk in chunks:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
