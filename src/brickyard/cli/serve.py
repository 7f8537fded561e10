"""``brickyard serve``: one model, from a word on the command line to ready replicas."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

    from brickyard.cli import modelmanifest
    from brickyard.embedded import home


def serve(
    model: Annotated[
        str,
        typer.Argument(
            help="A path, a reference (hf://, https://, s3://, gs://, pypi://), or a name that the engine knows."
        ),
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="-- ENGINE-ARGUMENTS", help="Given to the engine as they are.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="llamacpp, vllm, sglang, trtllm or sim.  [default: llamacpp for GGUF, else vllm]")
    ] = "",
    name: Annotated[str, typer.Option(help="What clients call the model.  [default: made from MODEL]")] = "",
    replicas: Annotated[int, typer.Option(min=1, help="How many serve it.")] = 1,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs for each replica.")] = 0,
    env: Annotated[
        list[str] | None, typer.Option("--env", "-e", help="NAME=VALUE, a variable of the engine; may be repeated.")
    ] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="The namespace to serve it in.")] = "default",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the manifest and change nothing.")] = False,
    wait: Annotated[bool, typer.Option(help="Return only once every replica is ready.")] = True,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for that.")] = 600.0,
    data_dir: options.DataDir = None,
) -> None:
    """Serve a model: write its manifest, apply it, wait until it answers."""
    import yaml

    from brickyard.cli import fetching, modelmanifest, place, serving

    variables = modelmanifest.variables(env or ())
    wanted = serving.wanted(
        modelmanifest.Wanted(model, name, engine, namespace, replicas, gpus, tuple(arguments or ()), variables)
    )
    text = yaml.safe_dump_all(modelmanifest.objects(wanted), sort_keys=False, width=10_000)
    if dry_run:
        print(text, end="")
        return
    at = place.running(data_dir)[0]
    if wait:
        for reference in serving.fetched(wanted):
            print(f"model       {fetching.fetch(reference)}", flush=True)
    path = serving.keep(at.path / "manifests", wanted, text)
    print(f"manifest    {path}", flush=True)
    _apply(at.path, wanted, timeout=timeout if wait else None)


def _apply(data_dir: pathlib.Path, wanted: modelmanifest.Wanted, *, timeout: float | None) -> None:
    from brickyard.cli import api, modelmanifest, place, refusals, serving
    from brickyard.kube.client import applying, mapping, rest

    home, running = place.running(data_dir)
    where = "" if wanted.namespace == "default" else f" -n {wanted.namespace}"
    names = f"deployment/{wanted.name} service/{wanted.name}"

    async def work(client: rest.RestClient) -> None:
        mapper = mapping.Mapper(client)
        for obj in modelmanifest.objects(wanted):
            kind, applied = await applying.apply(client, mapper, obj, wanted.namespace)
            print(f"{refusals.title(kind, wanted.name)} {applied.value}", flush=True)
        print(f"take it away with: brickyard delete{place.option(home)} {names}{where}", flush=True)
        if timeout is not None:
            with _telling() as say:
                await serving.until_ready(client, (wanted.namespace, wanted.name), timeout, say)

    api.talk(data_dir, work)
    if timeout is not None:
        print(f"{wanted.name} is served at {running.gateway_url}/v1; talk to it: {_chat(home, wanted.name)}")


def _chat(at: home.Home, name: str) -> str:
    from brickyard.cli import place

    return f"brickyard chat{place.option(at)} {name}"


@contextlib.contextmanager
def _telling() -> Iterator[Callable[[str], object]]:
    """Says how it stands: on a terminal in one line that changes, elsewhere in a line for each change."""
    import sys

    if not sys.stdout.isatty():
        yield lambda line: print(line, flush=True)
        return
    from rich.console import Console
    from rich.text import Text

    last = ""

    def say(line: str) -> None:
        nonlocal last
        last = line
        spinner.update(Text(line))

    screen = Console(highlight=False)
    with screen.status("") as spinner:
        yield say
    screen.print(Text(last))
