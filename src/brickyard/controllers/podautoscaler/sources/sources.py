"""All sources under one roof: each metric is read where its ``metricSourceType`` says."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from brickyard.api.kinds.podautoscaler import types
from brickyard.controllers.podautoscaler.sources import (
    contract,
    fetching,
    looks,
    metricsapis,
    observing,
    podpages,
    services,
    settings,
    units,
)
from brickyard.engines import contract as engines
from brickyard.kube.client import contract as client_contract
from brickyard.lib import clock, pages
from brickyard.scaling import contract as scaling


class Sources:
    """``async with Sources(client, engines, time) as sources: await sources.observe(wanted, now)``. Fills ``contract.Source``."""

    def __init__(
        self,
        client: client_contract.Client,
        known: Mapping[str, engines.Engine],
        time: clock.Clock,
        chosen: settings.Settings | None = None,
        names: pages.Names | None = None,
    ) -> None:
        """``known``: the engines, by the value of a pod's ``model.aibrix.ai/engine`` label. ``names`` knows addresses of Services."""
        chosen = chosen or settings.Settings()
        finder = looks.Looks({name: each.series for name, each in known.items() if each.series is not None})
        paths = {name: each.metrics.path for name, each in known.items()}
        unit = units.Units()
        self._fetcher = fetching.Fetcher(chosen, time, names)
        self._pods = podpages.PodPages(self._fetcher, finder, paths, unit)
        self._services = services.Services(self._fetcher, finder, unit)
        self._apis = metricsapis.MetricsApis(client, unit, chosen.deadline)

    async def __aenter__(self) -> Self:
        await self._fetcher.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._fetcher.__aexit__(kind, error, trace)

    async def observe(self, wanted: contract.Wanted, now: float) -> scaling.Observation:
        source = wanted.source
        kind = source.metric_source_type
        if kind == types.SOURCE_POD:
            return await self._pods.observe(wanted, now)
        if kind in (types.SOURCE_EXTERNAL, types.SOURCE_DOMAIN) and source.endpoint:
            return await self._services.observe(wanted, now)
        if kind in (types.SOURCE_RESOURCE, types.SOURCE_CUSTOM, types.SOURCE_EXTERNAL, types.SOURCE_DOMAIN):
            return await self._apis.observe(wanted, now)
        return observing.nothing(wanted, f"metricSourceType {kind!r} is none of {', '.join(types.SOURCE_TYPES)}", now)
