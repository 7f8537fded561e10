"""``brickyard user …``: who may ask, how much, and with which API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.cli import helping, options

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable, Sequence
    from typing import Any

    from brickyard.cli import servicecalls

app = helping.App(no_args_is_help=True, help="Manage users, their limits and API keys.", rich_markup_mode=None)
keys = helping.App(no_args_is_help=True, help="Manage a user's API keys.", rich_markup_mode=None)
app.add_typer(keys, name="keys")

_WHO = "`brickyard user list` shows who there is"
Name = Annotated[str, typer.Argument(help="The user's name.")]
Url = Annotated[str, typer.Option(help="URL of the services.  [default: those of this machine]")]
Rpm = Annotated[int, typer.Option(min=0, help="Requests per minute; 0: the default, 100.")]
Tpm = Annotated[int, typer.Option(min=0, help="Tokens per minute; 0: the default, 1000 for each request.")]
Output = Annotated[str, typer.Option("--output", "-o", help="table or json")]


@app.command()
def create(name: Name, rpm: Rpm = 0, tpm: Tpm = 0, url: Url = "", data_dir: options.DataDir = None) -> None:
    """Add a user. Fails when the name is taken."""
    from brickyard.lib import errors

    with _services(url, data_dir) as services:
        said = services.call("POST", "/CreateUser", {"name": name, "rpm": rpm, "tpm": tpm})
    # The services answer 200 either way, as the original does.
    if not said["message"].startswith("Created"):
        raise errors.BrickyardError(said["message"], hint=f"change it with `brickyard user update {name}`")
    print(said["message"])


@app.command()
def update(
    name: Name,
    rpm: Annotated[int | None, typer.Option(min=0, help="Requests per minute; 0: the default, 100.")] = None,
    tpm: Annotated[int | None, typer.Option(min=0, help="Tokens per minute; 0: the default.")] = None,
    url: Url = "",
    data_dir: options.DataDir = None,
) -> None:
    """Change a user's limits; those that are not given stay."""
    from brickyard.lib import errors

    if rpm is None and tpm is None:
        raise errors.UsageError("nothing to change", hint="give --rpm N, --tpm N or both")
    with _services(url, data_dir) as services:
        now = services.call("POST", "/ReadUser", {"name": name}, hint=_WHO)["user"]
        given = {"rpm": now["rpm"] if rpm is None else rpm, "tpm": now["tpm"] if tpm is None else tpm}
        print(services.call("POST", "/UpdateUser", {"name": name, **given})["message"])


@app.command("list")
def list_(output: Output = "table", url: Url = "", data_dir: options.DataDir = None) -> None:
    """List users and the limits that the gateway goes by."""
    with _services(url, data_dir) as services:
        found = services.users()
    rows = ((each["name"], _limit(each["limits"]["rpm"]), _limit(each["limits"]["tpm"])) for each in found)
    _show(
        output,
        found,
        ("NAME", "REQUESTS/MIN", "TOKENS/MIN"),
        rows,
        "No users: add one with `brickyard user create NAME`",
    )


@app.command()
def delete(name: Name, url: Url = "", data_dir: options.DataDir = None) -> None:
    """Remove a user and their API keys."""
    with _services(url, data_dir) as services:
        print(services.call("POST", "/DeleteUser", {"name": name}, hint=_WHO)["message"])


@keys.command("create")
def create_key(
    name: Name,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    url: Url = "",
    data_dir: options.DataDir = None,
) -> None:
    """Make an API key and print it. It is shown this once and kept nowhere."""
    import sys

    from brickyard.cli import servicecalls

    with _services(url, data_dir) as services:
        made = services.call("POST", servicecalls.keys(name), {"label": label}, hint=_WHO)
    print(made["key"])
    print(f"This is API key {made['id']} of {name}; it is not shown again.", file=sys.stderr)


@keys.command("list")
def list_keys(name: Name, output: Output = "table", url: Url = "", data_dir: options.DataDir = None) -> None:
    """List a user's API keys, without what they are."""
    from brickyard.cli import servicecalls

    with _services(url, data_dir) as services:
        found = services.call("GET", servicecalls.keys(name), hint=_WHO)["data"]
    rows = ((each["id"], each["created"], each["label"]) for each in found)
    empty = f"{name} has no API keys: make one with `brickyard user keys create {name}`"
    _show(output, found, ("ID", "CREATED", "LABEL"), rows, empty)


@keys.command("revoke")
def revoke_key(
    name: Name,
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `list` shows it.")],
    url: Url = "",
    data_dir: options.DataDir = None,
) -> None:
    """Take an API key away: a moment later nobody gets in with it."""
    from brickyard.cli import servicecalls

    with _services(url, data_dir) as services:
        services.call("DELETE", servicecalls.keys(name, key), hint=f"its keys: `brickyard user keys list {name}`")
    print(f"Revoked API key {key} of {name}")


def _services(url: str, data_dir: pathlib.Path | None) -> servicecalls.Services:
    import os

    from brickyard.cli import servicecalls

    return servicecalls.Services(servicecalls.url(url, data_dir), os.environ)


def _limit(value: int | None) -> str:
    return "no limit" if value is None else str(value)


def _show(output: str, found: Any, head: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    import orjson

    from brickyard.lib import errors

    if output not in {"table", "json"}:
        raise errors.UsageError(f"unknown output {output!r}", hint="table or json")
    if output == "json":
        print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        return
    if not found:
        typer.echo(empty, err=True)
        return
    table = [head, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row in table:
        print("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
