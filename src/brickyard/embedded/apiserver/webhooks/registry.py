"""The webhooks that are registered now, read from the store's configurations as they change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import records, store
from brickyard.embedded.apiserver.webhooks import plan
from brickyard.kube.objects import errors as object_errors
from brickyard.lib import logs

log = logs.get(__name__)

_PHASES: Final[dict[str, plan.Phase]] = {
    records.resource_of(resources.MUTATING_WEBHOOK_CONFIGURATION): "mutating",
    records.resource_of(resources.VALIDATING_WEBHOOK_CONFIGURATION): "validating",
}


class Registry:
    """Webhooks by phase, in the order in which they are asked. A change counts once it is on disk."""

    def __init__(self, source: store.Store) -> None:
        self._source = source
        self._hooks: dict[plan.Phase, tuple[plan.Hook, ...]] = {}
        for resource in _PHASES:
            self._read(resource)
        source.subscribe(self._heard)

    def hooks(self, phase: plan.Phase) -> Sequence[plan.Hook]:
        """The webhooks of a phase."""
        return self._hooks[phase]

    def empty(self) -> bool:
        """Whether nobody is registered."""
        return not any(self._hooks.values())

    def _heard(self, change: records.Change) -> None:
        resource = change.record.key.resource
        if resource in _PHASES:
            self._read(resource)

    def _read(self, resource: str) -> None:
        found: list[plan.Hook] = []
        for record in self._source.list(resource):
            try:
                found += plan.hooks_of(record.decode())
            except (object_errors.SelectorError, KeyError, TypeError, AttributeError) as error:
                # It passed its admission, so this is one that an older version let through.
                log.warning("webhook configuration cannot be read", name=record.key.name, error=error)
        self._hooks[_PHASES[resource]] = tuple(found)
