"""The two objects that tell a cluster which webhooks to ask.

A webhook that cannot be reached is passed over (``failurePolicy: Ignore``): a manifest must be storable while we are away, and the
reconcilers check again what they read.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Sequence

from brickyard.api.kinds import resources
from brickyard.kube.webhooks import contract

TIMEOUT = 10
"""Seconds that an API server waits for an answer."""

OF_PHASE = {
    contract.Phase.MUTATING: resources.MUTATING_WEBHOOK_CONFIGURATION,
    contract.Phase.VALIDATING: resources.VALIDATING_WEBHOOK_CONFIGURATION,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Reach:
    """How a cluster reaches the webhooks: through a Service, or where ``url`` is set at that base URL."""

    service: str = ""
    namespace: str = ""
    port: int = 443
    url: str = ""

    @property
    def dns_names(self) -> tuple[str, ...]:
        """Names that the serving certificate must carry when the webhooks are reached through the Service."""
        if not self.service:
            return ()
        base = f"{self.service}.{self.namespace}"
        return (f"{base}.svc", base, f"{base}.svc.cluster.local")

    def client_config(self, path: str, ca_bundle: bytes) -> resources.Object:
        """A webhook's ``clientConfig``; an empty ``ca_bundle`` is left out, to be filled in later."""
        where: resources.Object = (
            {"url": f"{self.url}{path}"}
            if self.url
            else {
                "service": {"name": self.service, "namespace": self.namespace, "path": path, "port": self.port},
            }
        )
        return {**where, "caBundle": base64.b64encode(ca_bundle).decode()} if ca_bundle else where


def configuration(
    name: str, phase: contract.Phase, webhooks: Sequence[contract.Webhook], reach: Reach, ca_bundle: bytes = b""
) -> resources.Object:
    """The Mutating- or ValidatingWebhookConfiguration ``name`` with those of ``webhooks`` that belong to ``phase``."""
    kind = OF_PHASE[phase]
    listed = [_entry(each, reach, ca_bundle) for each in webhooks if each.phase is phase]
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name},
        "webhooks": listed,
    }


def _entry(webhook: contract.Webhook, reach: Reach, ca_bundle: bytes) -> resources.Object:
    kind = webhook.kind
    rule = {
        "apiGroups": [kind.group],
        "apiVersions": [kind.version],
        "operations": [contract.Operation.CREATE.value, contract.Operation.UPDATE.value],
        "resources": [kind.plural],
        "scope": "Namespaced" if kind.namespaced else "Cluster",
    }
    return {
        "name": webhook.name,
        "admissionReviewVersions": ["v1"],
        "clientConfig": reach.client_config(webhook.path, ca_bundle),
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "matchPolicy": "Equivalent",
        "timeoutSeconds": TIMEOUT,
        "rules": [rule],
    }
