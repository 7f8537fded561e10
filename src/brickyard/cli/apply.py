"""``brickyard apply``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    from brickyard.kube.client import rest


def apply(
    filename: Annotated[
        list[str], typer.Option("--filename", "-f", help="File, folder, URL, or - for standard input.")
    ],
    namespace: options.Namespace = "default",
    data_dir: options.DataDir = None,
) -> None:
    """Make what manifests say be so."""
    from brickyard.cli import api, sources
    from brickyard.kube.client import applying, mapping
    from brickyard.kube.objects import manifests

    found = [
        manifest
        for source in filename
        for name, text in sources.read(source)
        for manifest in manifests.parse(text, name)
    ]

    async def work(client: rest.RestClient) -> None:
        mapper = mapping.Mapper(client)
        for manifest in found:
            kind, applied = await applying.apply(client, mapper, manifest, namespace)
            name = f"{kind.kind.lower()}{'.' + kind.group if kind.group else ''}/{manifest['metadata']['name']}"
            print(f"{name} {applied.value}")

    api.talk(data_dir, work)
