"""``brickyard delete``: objects by kind and name, by label, or as manifests name them."""

from __future__ import annotations

from typing import Annotated

import typer

from brickyard.cli import options


def delete(
    what: Annotated[list[str] | None, typer.Argument(help="KIND NAME…, or KIND/NAME…")] = None,
    filename: Annotated[
        list[str] | None,
        typer.Option("--filename", "-f", help="Delete what this file, folder, URL or - (standard input) holds."),
    ] = None,
    selector: Annotated[str, typer.Option("--selector", "-l", help="All of KIND with these labels.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All of KIND in the namespace.")] = False,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="The namespace to delete in.  [default: default]")
    ] = None,
    recursive: options.Recursive = False,
    grace: Annotated[
        int | None, typer.Option("--grace-period", min=0, help="Seconds that containers get to end; 0 kills them.")
    ] = None,
    ignore_not_found: Annotated[bool, typer.Option(help="Be content when it is not there.")] = False,
    wait: Annotated[bool, typer.Option(help="Return only once everything is gone.")] = True,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for that.")] = 120.0,
    data_dir: options.DataDir = None,
) -> None:
    """Delete objects, and what they own."""
    from brickyard.cli import api, deletion
    from brickyard.kube.client import contract

    asked = deletion.Asked(tuple(what or ()), tuple(filename or ()), selector, everything)
    how = deletion.How(contract.DeleteOptions(grace_period_seconds=grace), ignore_not_found, timeout if wait else None)

    find = deletion.finder(asked, namespace, recursive=recursive)
    api.talk(data_dir, lambda client: deletion.run(client, find, how))
