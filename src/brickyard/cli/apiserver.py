"""``brickyard apiserver``: a Kubernetes API on this machine and nothing behind it, for controllers and tests to work against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    from brickyard.embedded.apiserver import server


def apiserver(
    data_dir: options.DataDir = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the Kubernetes API; 0 takes a free one.  [default: 6443]"),
    ] = None,
) -> None:
    """Serve the Kubernetes API alone, without node agent, controllers and gateway."""
    import os

    from brickyard.cli import part, place
    from brickyard.embedded.apiserver import settings as room
    from brickyard.embedded.apiserver import standalone
    from brickyard.lib import process, settings

    def ready(serving: server.Serving) -> None:
        _screen(serving)
        process.announce_ready(os.environ)

    part.begin("WARNING")
    at = place.at(data_dir)
    standalone.run(settings.load(room.ApiServerSettings, os.environ, data_dir=at.path, port=port), ready)


def _screen(serving: server.Serving) -> None:
    import shlex

    kubeconfig = shlex.quote(str(serving.kubeconfig))
    print("The Kubernetes API is up.")
    print(f"  Kubernetes API  {serving.url}")
    print(f"  kubeconfig      {serving.kubeconfig}")
    print(f"\nNext:\n  export KUBECONFIG={kubeconfig}\n  kubectl get namespaces\n  (stop it with Ctrl-C)", flush=True)
