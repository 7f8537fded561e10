"""What every verb works with."""

from __future__ import annotations

import dataclasses
import random
import uuid
from collections.abc import Callable

from brickyard.api.kinds import podlogs, podstreams, resources, usage
from brickyard.embedded.apiserver import contract, paging, store, watch
from brickyard.embedded.apiserver.webhooks import contract as webhooks
from brickyard.kube.objects import names
from brickyard.lib import clock


def _nobody(token: str) -> bool:
    del token
    return False


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The parts of a running API server. ``logs``, ``usages`` and ``streams`` are None where no node agent is at hand.

    ``knows`` tells whether a token is this server's; ``attended`` are the kinds that somebody on this machine acts on; ``gate``
    asks registered webhooks.
    """

    store: store.Store
    catalog: contract.Catalog
    watches: watch.Hub
    pages: paging.Pages
    logs: podlogs.PodLogs | None = None
    usages: usage.Usages | None = None
    streams: podstreams.PodStreams | None = None
    knows: Callable[[str], bool] = _nobody
    attended: frozenset[resources.ResourceType] = frozenset()
    gate: webhooks.Gate = dataclasses.field(default_factory=webhooks.OpenGate)
    clock: clock.Clock = dataclasses.field(default_factory=clock.SystemClock)
    rng: random.Random = dataclasses.field(default_factory=random.SystemRandom)

    def now(self) -> float:
        """Unix seconds."""
        return self.clock.wall()

    def new_uid(self) -> str:
        """An identity that no other object ever had."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def new_name(self, prefix: str) -> str:
        """A name for ``metadata.generateName``."""
        return names.generate(prefix, self.rng)
