"""``metricSourceType: external`` (or ``domain``) with an ``endpoint``: one number of the whole workload, told by a service.

    path ends in        what is asked                                    targetMetric
    /api/v1/query       Prometheus, or who speaks its query API          an expression of PromQL
    anything else       a metrics page, ``protocolType://endpoint path``  a series, or AIBrix' name for one; samples are added up

Certificates are not verified, as at pods; nothing is sent but the request.
"""

from __future__ import annotations

import urllib.parse
from typing import Final

from brickyard.controllers.podautoscaler.sources import contract, fetching, looks, observing, promql, units
from brickyard.scaling import contract as scaling

QUERY: Final = "/api/v1/query"


class Services:
    """Fills ``contract.Source``."""

    def __init__(self, fetcher: fetching.Fetcher, finder: looks.Looks, known: units.Units) -> None:
        self._fetcher = fetcher
        self._looks = finder
        self._units = known

    async def observe(self, wanted: contract.Wanted, now: float) -> scaling.Observation:
        source = wanted.source
        path = source.path if source.path.startswith("/") else f"/{source.path}"
        url = f"{source.protocol_type or 'http'}://{source.endpoint.strip().rstrip('/')}{path}"
        if urllib.parse.urlsplit(path).path.endswith(QUERY):
            return await self._query(wanted, url, now)
        [answer] = await self._fetcher.read([fetching.Ask("", url, self._looks.elsewhere(source.target_metric))])
        values = [answer.number] if isinstance(answer.number, float) else []
        unit = self._units.judge(source.target_metric, wanted.metric.target, values)
        return observing.of_whole(wanted, answer, unit, now)

    async def _query(self, wanted: contract.Wanted, url: str, now: float) -> scaling.Observation:
        expression = wanted.source.target_metric
        url += ("&" if "?" in url else "?") + urllib.parse.urlencode({"query": expression})
        [answer] = await self._fetcher.read([fetching.Ask("", url, promql.Query(expression))])
        return observing.of_whole(wanted, answer, units.AS_IT_IS, now)
