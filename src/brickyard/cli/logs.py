"""``brickyard logs``: what a pod's container says, or one of our own parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    import pathlib

    from brickyard.kube.client import rest

PARTS = ("machine", "gateway", "up")


def logs(
    name: Annotated[str, typer.Argument(help="A pod, or a part of Brickyard: machine, gateway, up.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    previous: Annotated[bool, typer.Option("--previous", "-p", help="Of the container's run before this one.")] = False,
    tail: Annotated[int | None, typer.Option(help="Only the last lines.", min=0)] = None,
    container: Annotated[str, typer.Option("--container", "-c", help="Which container of the pod.")] = "",
    namespace: options.Namespace = "default",
    data_dir: options.DataDir = None,
) -> None:
    """Print a pod's log."""
    import sys

    from brickyard.api.kinds import resources
    from brickyard.cli import api, place
    from brickyard.lib import errors

    if name in PARTS:
        if follow or previous or container:
            raise errors.UsageError(
                f"the log of {name} is a file: --follow, --previous and --container are of pods",
                hint=f"follow it with `tail -f {place.at(data_dir).logs / name}.log`",
            )
        log = place.at(data_dir).logs / f"{name}.log"
        if not log.exists():
            raise errors.UsageError(f"no log at {log}", hint="start Brickyard with `brickyard up --detach`")
        lines = _kept(log).splitlines(keepends=True)
        print("".join(lines if tail is None else lines[max(0, len(lines) - tail) :]), end="")
        return
    asked = {"follow": follow, "previous": previous, "container": container}
    params = {key: str(value).lower() for key, value in asked.items() if value}
    if tail is not None:
        params["tailLines"] = str(tail)
    pod = name.partition("/")[2] if name.startswith(("pod/", "pods/", "po/")) else name

    async def work(client: rest.RestClient) -> None:
        async for chunk in await client.stream(resources.POD.path(namespace, pod, "log"), params):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()

    api.talk(data_dir, work)


def _kept(log: pathlib.Path) -> str:
    """What is kept of a part's log, the rotated part first."""
    from brickyard.embedded.kubelet import podlogs

    old = podlogs.old_generation(log)
    before = old.read_bytes().lstrip(b"\0") if old.exists() else b""  # it may begin with a hole
    return (before + log.read_bytes()).decode(errors="replace")
