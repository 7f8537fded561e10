"""``brickyard get``: objects as the API server's tables show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    from brickyard.kube.client import rest

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def get(
    kind: Annotated[str, typer.Argument(help="What to list: pods, deployments, podautoscalers… or one: pods/NAME.")],
    name: Annotated[str, typer.Argument(help="One object.")] = "",
    output: Annotated[str, typer.Option("--output", "-o", help="table, wide, name, yaml or json")] = "table",
    namespace: options.Namespace = "default",
    all_namespaces: options.AllNamespaces = False,
    data_dir: options.DataDir = None,
) -> None:
    """List objects, or show one."""
    from brickyard.cli import api
    from brickyard.kube.client import mapping
    from brickyard.lib import errors

    if output not in {"table", "wide", "name", "yaml", "json"}:
        raise errors.UsageError(f"unknown output {output!r}", hint="table, wide, name, yaml or json")
    if not name:
        kind, _, name = kind.partition("/")
    if name and all_namespaces:
        raise errors.UsageError("one object cannot be in all namespaces", hint="name its own with --namespace")

    async def work(client: rest.RestClient) -> tuple[str, dict[str, Any]]:
        found = await mapping.Mapper(client).of_word(kind)
        path = found.path("" if all_namespaces else namespace, name)
        accept = TABLE if output in {"table", "wide", "name"} else "application/json"
        return found.plural, await client.read(path, accept=accept)

    plural, answer = api.talk(data_dir, work)
    if output in {"yaml", "json"}:
        _dump(answer, output)
    elif not answer["rows"]:
        typer.echo(f"No {plural} found" + ("." if all_namespaces else f" in namespace {namespace}."), err=True)
    else:
        _table(answer, kind=plural, output=output, namespaces=all_namespaces)


def _dump(answer: dict[str, Any], output: str) -> None:
    import orjson
    import yaml

    if output == "json":
        print(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
    else:
        print(yaml.safe_dump(answer, sort_keys=False), end="")


def _table(answer: dict[str, Any], *, kind: str, output: str, namespaces: bool) -> None:
    if output == "name":
        for row in answer["rows"]:
            print(f"{kind}/{row['object']['metadata']['name']}")
        return
    shown = [
        at for at, column in enumerate(answer["columnDefinitions"]) if output == "wide" or not column.get("priority")
    ]
    lines = [[answer["columnDefinitions"][at]["name"].upper() for at in shown]]
    lines += [
        ["<none>" if row["cells"][at] in (None, "") else str(row["cells"][at]) for at in shown]
        for row in answer["rows"]
    ]
    if namespaces:
        spaces = ["NAMESPACE", *(row["object"]["metadata"].get("namespace", "") for row in answer["rows"])]
        lines = [[space, *line] for space, line in zip(spaces, lines, strict=True)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    for line in lines:
        print("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
