"""Runs the ModelAlias controller against ``brickyard apiserver`` or any cluster, until it is interrupted.

python examples/controller/main.py --kubeconfig DIR/kubeconfig
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import pathlib
import sys

import yaml

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors, rest
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import controller, leader, manager
from brickyard.lib import backoff, clock, logs, tasks
from brickyard.lib import errors as roots

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from examples.controller import caches, plan, reconciler

NAME = "modelalias-controller"
LEASE = meta.Key("default", NAME)
DEFINITION = pathlib.Path(__file__).with_name("crd.yaml")
_SERVED = backoff.Backoff(0.05, 2.0, 1.0)
_DEADLINE = 30.0


def assembled(client: contract.Client, identity: str) -> manager.Manager:
    """Everything that runs, wired; run it with ``run``."""
    time = clock.SystemClock()
    runs = manager.Manager(client, time, election=leader.Leader(client, LEASE, identity, time))
    held = caches.made(runs)
    worker = reconciler.ModelAliasReconciler(client, held, runs.recorder(NAME), time)
    found = controller.Controller(NAME, worker)
    caches.watched(found, held)
    runs.add(found)
    return runs


async def defined(client: contract.Client) -> None:
    """Make sure that the API knows ModelAlias."""
    definition = yaml.safe_load(DEFINITION.read_text())
    await client.apply(resources.CUSTOM_RESOURCE_DEFINITION, definition, contract.ApplyOptions(NAME, force=True))
    async with asyncio.timeout(_DEADLINE):
        for attempt in range(1000):
            with contextlib.suppress(errors.NotFound):
                await client.list(plan.MODEL_ALIAS)
                return
            await asyncio.sleep(_SERVED.delay(attempt + 1))


async def main(kubeconfig: str | None) -> None:
    """Run until SIGINT or SIGTERM."""
    async with rest.RestClient.from_kubeconfig(kubeconfig) as client, tasks.stop_signal() as stop:
        await defined(client)
        async with tasks.Scope("example") as scope:
            scope.start(assembled(client, f"{os.uname().nodename}_{os.getpid()}").run(), name="manager")
            await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Publishes which pods of a model are ready.")
    parser.add_argument("--kubeconfig", help="as for kubectl")
    chosen = parser.parse_args()
    logs.setup()
    try:
        asyncio.run(main(chosen.kubeconfig))
    except roots.BrickyardError as problem:
        sys.exit(f"error: {problem}\n{problem.hint}".rstrip())
