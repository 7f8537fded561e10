"""``brickyard serve``: one model, from a word on the command line to ready replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    import pathlib

    from brickyard.cli import modelmanifest


def serve(
    model: Annotated[
        str, typer.Argument(help="A path, a reference such as pypi://…, or a name that the engine knows.")
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="-- ENGINE-ARGUMENTS", help="Given to the engine as they are.")
    ] = None,
    engine: Annotated[str, typer.Option(help="llamacpp, vllm or sim.  [default: llamacpp for .gguf, else vllm]")] = "",
    name: Annotated[str, typer.Option(help="What clients call the model.  [default: made from MODEL]")] = "",
    replicas: Annotated[int, typer.Option(min=1, help="How many serve it.")] = 1,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs for each replica.")] = 0,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="The namespace to serve it in.")] = "default",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the manifest and change nothing.")] = False,
    wait: Annotated[bool, typer.Option(help="Return only once every replica is ready.")] = True,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for that.")] = 600.0,
    data_dir: options.DataDir = None,
) -> None:
    """Serve a model: write its manifest, apply it, wait until it answers."""
    import yaml

    from brickyard.cli import modelmanifest, place, serving

    wanted = serving.wanted(
        modelmanifest.Wanted(model, name, engine, namespace, replicas, gpus, tuple(arguments or ()))
    )
    text = yaml.safe_dump_all(modelmanifest.objects(wanted), sort_keys=False, width=10_000)
    if dry_run:
        print(text, end="")
        return
    at = place.running(data_dir)[0]
    path = serving.keep(at.path / "manifests", wanted, text)
    print(f"manifest    {path}", flush=True)
    _apply(at.path, wanted, timeout=timeout if wait else None)


def _apply(data_dir: pathlib.Path, wanted: modelmanifest.Wanted, *, timeout: float | None) -> None:
    from brickyard.cli import api, modelmanifest, place, refusals, serving
    from brickyard.kube.client import applying, mapping, rest

    async def work(client: rest.RestClient) -> None:
        mapper = mapping.Mapper(client)
        for obj in modelmanifest.objects(wanted):
            kind, applied = await applying.apply(client, mapper, obj, wanted.namespace)
            print(f"{refusals.title(kind, wanted.name)} {applied.value}", flush=True)
        if timeout is not None:
            await serving.until_ready(
                client, (wanted.namespace, wanted.name), timeout, lambda line: print(line, flush=True)
            )

    api.talk(data_dir, work)
    home, running = place.running(data_dir)
    if timeout is not None:
        print(f"\n{wanted.name} is served at {running.gateway_url}/v1")
    print(
        f"take it away with: brickyard delete{place.option(home)} deployment/{wanted.name} service/{wanted.name}"
        + ("" if wanted.namespace == "default" else f" -n {wanted.namespace}")
    )
