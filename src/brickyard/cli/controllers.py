"""``brickyard controllers``: the controllers of a cluster. On one machine ``brickyard up`` runs them."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from brickyard.api import names
from brickyard.cli import helping, part

if TYPE_CHECKING:
    from brickyard.assembly import controllers as assembly
    from brickyard.kube.reconcile import election

_FOREIGN: Final = "brickyard.foreign"


class Command(helping.Command):
    """A command line on which AIBrix' flags may stand, as Go spells them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Without what means nothing here, which ``ctx`` keeps."""
        from brickyard.assembly import managerflags

        options = {name for each in self.get_params(ctx) for name in each.opts}
        switches = {name for each in self.get_params(ctx) if getattr(each, "is_flag", False) for name in each.opts}
        line = managerflags.read(args, options, switches)
        ctx.meta[_FOREIGN] = line.foreign
        return super().parse_args(ctx, list(line.arguments))


def controllers(
    ctx: typer.Context,
    kubeconfig: Annotated[
        pathlib.Path | None,
        typer.Option(help="How to reach the Kubernetes API.  [default: $KUBECONFIG, ~/.kube/config, in-cluster]"),
    ] = None,
    controllers: Annotated[
        str | None, typer.Option(help="Which of them: names, -names and *, a later one wins.  [default: *]")
    ] = None,
    metrics_bind_address: Annotated[
        str | None,
        typer.Option(help="Where metrics and decisions are shown; 0 for nowhere.  [default: 127.0.0.1:8080]"),
    ] = None,
    health_probe_bind_address: Annotated[
        str | None, typer.Option(help="Where /healthz and /readyz are; 0 for nowhere.  [default: 127.0.0.1:8081]")
    ] = None,
    leader_elect: Annotated[
        bool, typer.Option("--leader-elect", help="Work only while no other replica does.")
    ] = False,
    leader_election_id: Annotated[str, typer.Option(help="Name of the Lease.")] = "aibrix-controller-manager",
    leader_election_namespace: Annotated[str, typer.Option(help="Its namespace.")] = names.SYSTEM_NAMESPACE,
    leader_election_lease_duration: Annotated[
        str, typer.Option(help="How long others wait for a silent holder.")
    ] = "15s",
    leader_election_renew_deadline: Annotated[
        str, typer.Option(help="How long a holder goes on that cannot renew.")
    ] = "10s",
    kube_api_qps: Annotated[float, typer.Option(help="Calls of the API in a second.")] = 100.0,
    kube_api_burst: Annotated[float, typer.Option(help="Calls of the API at once.")] = 100.0,
) -> None:
    """Run the controllers of a cluster.

    AIBrix' flags are understood, as Go spells them; those without a meaning here are told in the log.
    """
    from brickyard.assembly import controllers as assembly
    from brickyard.assembly import managerflags
    from brickyard.kube.objects import meta

    said = assembly.Said(
        kubeconfig=kubeconfig,
        controllers=controllers,
        metrics_address=metrics_bind_address,
        probes_address=health_probe_bind_address,
        rate=kube_api_qps,
        burst=kube_api_burst,
        elect=leader_elect,
        lease=meta.Key(leader_election_namespace, leader_election_id),
        timing=_timing(leader_election_lease_duration, leader_election_renew_deadline),
    )
    part.begin()
    managerflags.tell(ctx.meta[_FOREIGN])
    _serve(said)


def _serve(said: assembly.Said) -> None:
    import os

    import uvloop

    from brickyard.assembly import controllers as assembly
    from brickyard.lib import tasks

    async def serve() -> None:
        async with tasks.stop_signal() as stop:
            await assembly.serve(said, assembly.load(os.environ, said), stop, ready=part.ready)

    uvloop.run(serve())


def _timing(lease: str, renew: str) -> election.Timing:
    from brickyard.kube.reconcile import election
    from brickyard.lib import errors, settings

    try:
        return election.Timing(settings.seconds(lease), settings.seconds(renew))
    except ValueError as error:
        raise errors.UsageError(f"leader election: {error}") from error
