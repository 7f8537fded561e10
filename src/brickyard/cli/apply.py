"""``brickyard apply``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    from brickyard.kube.client import rest


def apply(
    filename: options.Filenames,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="For what names no namespace; others are refused.  [default: default]"),
    ] = None,
    recursive: options.Recursive = False,
    data_dir: options.DataDir = None,
) -> None:
    """Make what manifests say be so."""
    from brickyard.cli import api, refusals, sources
    from brickyard.kube.client import applying, mapping

    found = sources.objects(filename, namespace=namespace, recursive=recursive)

    async def work(client: rest.RestClient) -> None:
        mapper = mapping.Mapper(client)
        refused = refusals.Refusals(len(found), "applied")
        for source, manifest in found:
            with refused.told(f"{source}: {manifest['kind']} {manifest['metadata']['name']}"):
                kind, applied = await applying.apply(client, mapper, manifest, namespace or "default")
                print(f"{refusals.title(kind, manifest['metadata']['name'])} {applied.value}", flush=True)
        refused.check()

    api.talk(data_dir, work)
