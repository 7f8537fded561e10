"""The admission webhooks of one process: certificates kept, configurations kept, questions answered, readiness told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from brickyard.api import names
from brickyard.kube.client import contract as clients
from brickyard.kube.objects import meta
from brickyard.kube.webhooks import certificates, configurations, contract, injector, keeper, plan, server
from brickyard.lib import clock, tasks


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """What things are called in the cluster; the defaults are those of AIBrix's manifests."""

    namespace: str = names.SYSTEM_NAMESPACE
    secret: str = names.WEBHOOK_CERTIFICATE
    service: str = names.WEBHOOK_SERVICE
    mutating: str = names.MUTATING_WEBHOOKS
    validating: str = names.VALIDATING_WEBHOOKS

    @property
    def reach(self) -> configurations.Reach:
        """How the cluster reaches us by these names."""
        return configurations.Reach(self.service, self.namespace)

    @property
    def configurations(self) -> Mapping[contract.Phase, str]:
        """The configuration of each phase."""
        return {contract.Phase.MUTATING: self.mutating, contract.Phase.VALIDATING: self.validating}


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """How webhooks are served. ``more_dns_names`` join the Service's in the certificate."""

    names: Names = dataclasses.field(default_factory=Names)
    host: str = "127.0.0.1"
    port: int = 9443
    lives: plan.Lives = dataclasses.field(default_factory=plan.Lives)
    more_dns_names: Sequence[str] = ()


class WebhookService:
    """``run`` serves until it is cancelled. Make it on the loop that runs it; a manager takes it like this:

    runs.always("webhooks", hooks.run, hooks.not_ready)
    runs.work_after(hooks.served)
    """

    def __init__(
        self,
        client: clients.Client,
        clock_: clock.Clock,
        webhooks: Sequence[contract.Webhook],
        options: Options | None = None,
    ) -> None:
        chosen = options or Options()
        names = chosen.names
        self._injector = injector.Injector(client, names.configurations)
        self._server = server.WebhookServer(webhooks, self.not_ready, host=chosen.host, port=chosen.port)
        subject = certificates.Subject((*names.reach.dns_names, *chosen.more_dns_names))
        source = keeper.Source(meta.Key(names.namespace, names.secret), subject, chosen.lives)
        self._keeper = keeper.Keeper(client, source, clock_, self._publish)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    def not_ready(self) -> Sequence[str]:
        """Why the webhooks should not be asked yet: not served, or not trusted by the cluster. Empty when they may."""
        unserved = () if self._server.serving.is_set() else ("webhooks are not served yet",)
        return (*unserved, *self._injector.missing())

    async def served(self) -> None:
        """Wait until there is a certificate and questions are answered; controllers begin after that."""
        await self._server.serving.wait()

    async def run(self) -> None:
        """Serve until cancelled."""
        async with tasks.Scope("webhooks") as scope:
            scope.start(self._injector.run(), name="trust")
            scope.start(self._server.run(), name="server")
            await self._keeper.run()

    def _publish(self, bundle: certificates.Bundle) -> None:
        # Trust first: nobody is served a certificate that was not announced.
        self._injector.trust(bundle.trust)
        self._server.certify(bundle.serving)
