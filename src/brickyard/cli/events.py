"""``brickyard events``: what happened to objects, oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    from brickyard.kube.client import contract, rest


def events(
    about: Annotated[str, typer.Argument(help="Only of KIND/NAME, such as pod/one, or of all of KIND.")] = "",
    warnings: Annotated[bool, typer.Option("--warnings", help="Only warnings.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on as more happens.")] = False,
    namespace: options.Namespace = "default",
    all_namespaces: options.AllNamespaces = False,
    data_dir: options.DataDir = None,
) -> None:
    """Show what happened, and how often."""
    from brickyard.cli import api, happenings
    from brickyard.kube.client import contract, mapping

    word, _, name = about.partition("/")

    async def work(client: rest.RestClient) -> None:
        kind = (await mapping.Mapper(client).of_word(word)).kind if word else ""
        fields = happenings.selector(kind, name, warnings=warnings)
        query = contract.Query("" if all_namespaces else namespace, field_selector=fields)
        if not await _tell(client, query, namespaces=all_namespaces, watch=watch):
            typer.echo("No events" + ("." if all_namespaces else f" in namespace {namespace}."), err=True)

    api.talk(data_dir, work)


async def _tell(client: rest.RestClient, query: contract.Query, *, namespaces: bool, watch: bool) -> bool:
    """Print what happened, with ``watch`` without end; whether there was anything."""
    import dataclasses

    from brickyard.api.kinds import resources
    from brickyard.cli import happenings
    from brickyard.kube.client import contract, errors
    from brickyard.lib import clock

    time, lines = clock.SystemClock(), happenings.Lines(namespaces=namespaces)
    while True:
        page = await client.list(resources.EVENT, query)
        told = lines.listed(page.items, time.wall())
        _print(told)
        if not watch:
            return bool(told)
        try:
            since = dataclasses.replace(query, resource_version=page.resource_version)
            async for change in client.watch(resources.EVENT, since):
                if change.type is contract.EventType.DELETED:
                    lines.forget(change.object)
                elif change.type is not contract.EventType.BOOKMARK:
                    _print(lines.happened(change.object, time.wall()))
        except errors.Gone:
            # Where the API has forgotten what came after that listing, another one tells it.
            continue


def _print(lines: list[str]) -> None:
    for line in lines:
        print(line, flush=True)
