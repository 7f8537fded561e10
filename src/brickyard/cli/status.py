"""``brickyard status``: what runs, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brickyard.cli import options

if TYPE_CHECKING:
    from rich.table import Table

    from brickyard.embedded import overview
    from brickyard.kube.client import rest


def status(data_dir: options.DataDir = None) -> None:
    """Show the models that are served, their replicas and what is wrong with them."""
    import sys

    from rich.console import Console

    from brickyard.api.kinds import resources
    from brickyard.cli import api, place
    from brickyard.embedded import overview

    home, running = place.running(data_dir)

    async def work(client: rest.RestClient) -> list[overview.Model]:
        return overview.models((await client.list(resources.POD)).items)

    models = api.talk(home.path, work)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(f"gateway     {running.gateway_url}/v1", markup=False)
    console.print(f"kubernetes  {running.api_url}  (KUBECONFIG={home.kubeconfig})", markup=False, soft_wrap=True)
    if not models:
        console.print("\nNo model is served yet: brickyard apply -f MANIFEST.yaml", markup=False)
        return
    console.print()
    console.print(_table(models))
    for model in models:
        for trouble in model.trouble:
            console.print(f"{model.name}: {trouble}", markup=False, style="yellow")


def _table(models: list[overview.Model]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("MODEL", "READY", "ENGINE", "RESTARTS", "NAMESPACE"):
        table.add_column(name)
    for model in models:
        colour = "green" if model.ready == model.replicas else "yellow"
        ready = f"[{colour}]{model.ready}/{model.replicas}[/{colour}]"
        table.add_row(model.name, ready, model.engine, str(model.restarts), model.namespace)
    return table
