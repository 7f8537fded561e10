"""Waking models from zero put together: who knows which models sleep, who tells their autoscalers, and who hears that they are awake."""

from __future__ import annotations

import os

from brickyard.gateway import settings as gateway_settings
from brickyard.gateway import workers
from brickyard.gateway.endpoints import director
from brickyard.gateway.waking import following, settings, signals, waking
from brickyard.kube.client import contract
from brickyard.kube.informers import informer
from brickyard.lib import clock, tasks


class Alarm:
    """Between ``chooser``, which follows ``pods``, and the autoscalers of ``client``'s API. ``name`` is the gateway's.

    Attributes:
        hub: for the data plane.
    """

    def __init__(
        self,
        client: contract.Client,
        chooser: director.TableDirector,
        pods: informer.Informer,
        given: settings.WakingSettings,
        name: str,
    ) -> None:
        time = clock.SystemClock()
        self.hub = waking.Waking(given)
        self._following = following.Following(client, self.hub.book, time)
        self._signals = signals.Signals(client, self.hub, chooser.table, name, time)
        self.hub.settled = self._following.settled
        self.hub.pods = lambda model: chooser.table.absence(model) if chooser.table.knows(model) else ""
        chooser.dormant = self.hub
        pods.subscribe(self.hub.pod_changed)

    async def run(self) -> None:
        """Until cancelled."""
        async with tasks.Scope("waking") as scope:
            scope.start(self._signals.run(), name="signals")
            await self._following.run()


def name(given: gateway_settings.GatewaySettings, seat: workers.Seat | None) -> str:
    """A gateway's own name, the same after it has begun anew: its pod's; else its machine's, with its port and its number among workers."""
    own = given.pod or f"{os.uname().nodename}-{given.port}"
    return own if seat is None else f"{own}-{seat.number}"
