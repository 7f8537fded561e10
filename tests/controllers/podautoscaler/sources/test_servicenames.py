"""Addresses of Services, for who asks no name server."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.controllers.podautoscaler.sources import servicenames, testing
from brickyard.controllers.podautoscaler.sources import sources as all_sources
from brickyard.kube.client import errors
from brickyard.kube.client import testing as clients
from brickyard.lib import clock, pages
from brickyard.scaling import contract as scaling

WEB = servicenames.Name("web", "shop")

ROWS = [
    # host, what it names
    ("web.shop.svc.cluster.local", WEB),
    ("web.shop.svc.cluster.local.", WEB),
    ("WEB.shop.svc", WEB),
    ("web.shop", WEB._replace(sure=False)),
    ("web-0.web.shop.svc", WEB._replace(pod="web-0")),
    ("web-0.web.shop.svc.cluster.local", WEB._replace(pod="web-0")),
    ("web", None),
    ("svc", None),
    (".svc", None),
    ("web..svc", None),
    ("www.example.com", None),
    ("a.web-0.web.shop.svc", None),
    ("127.0.0.1", None),
    ("::1", None),
    ("", None),
]


@pytest.mark.parametrize(("host", "name"), ROWS)
def test_what_a_host_names(host: str, name: servicenames.Name | None) -> None:
    assert servicenames.read(host) == name


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def slice_of(name: str, *endpoints: dict[str, Any]) -> dict[str, Any]:
    labels = {names.SERVICE_OF_SLICE: name}
    return {"metadata": {"name": f"{name}-1", "namespace": "shop", "labels": labels}, "endpoints": list(endpoints)}


def endpoint(address: str, *, ready: bool = True, host: str = "") -> dict[str, Any]:
    return {
        "addresses": [address],
        "conditions": {"ready": ready},
        **({"hostname": host} if host else {}),
    }


def shop() -> clients.MemoryClient:
    client = clients.MemoryClient(clock.ManualClock())
    client.seed(
        resources.SERVICE,
        service("web", clusterIP="127.128.0.1"),
        service("young"),
        service("pods", clusterIP="None"),
        service("empty", clusterIP="None"),
        service("alias", type="ExternalName", externalName="web.shop.svc.cluster.local."),
        service("elsewhere", type="ExternalName", externalName="metrics.example.com"),
        service("round", type="ExternalName", externalName="round.shop.svc"),
    )
    client.seed(
        resources.ENDPOINT_SLICE,
        slice_of("pods", endpoint("127.64.0.9", host="pods-1"), endpoint("127.64.0.1", ready=False, host="pods-0")),
        slice_of("empty", endpoint("127.64.0.3", ready=False)),
    )
    return client


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("web.shop.svc.cluster.local", "127.128.0.1"),
        ("web.shop", "127.128.0.1"),
        ("pods.shop.svc", "127.64.0.9"),
        ("pods-1.pods.shop.svc", "127.64.0.9"),
        ("alias.shop.svc", "127.128.0.1"),
        ("elsewhere.shop.svc", "metrics.example.com"),
        ("example.com", None),
        ("localhost", None),
    ],
)
async def test_addresses(host: str, address: str | None) -> None:
    assert await servicenames.ServiceNames(shop())(host) == address


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("nothing.shop.svc", "there is no Service shop/nothing"),
        ("young.shop.svc", "Service shop/young has no address yet"),
        ("empty.shop.svc", "Service shop/empty has no ready pod"),
        ("pods-0.pods.shop.svc", "Service shop/pods has no ready pod pods-0"),
        ("round.shop.svc", "without end"),
    ],
)
async def test_why_there_is_none(host: str, why: str) -> None:
    with pytest.raises(pages.PageMissed, match=why):
        await servicenames.ServiceNames(shop())(host)


async def test_an_api_that_is_away_is_told() -> None:
    client = shop()
    client.fail_next(errors.Unavailable("starting"), verb="get", kind=resources.SERVICE)
    with pytest.raises(pages.PageMissed, match=r"web\.shop\.svc cannot be looked up: .*starting"):
        await servicenames.ServiceNames(client)("web.shop.svc")


async def test_an_endpoint_of_an_autoscaler_is_found_by_the_name_of_its_service() -> None:
    client = clients.MemoryClient(clock.ManualClock())
    client.seed(resources.SERVICE, service("optimizer", clusterIP="127.0.0.1"))
    source = {"metricSourceType": "external", "protocolType": "http", "path": "/scale", "targetMetric": "wish"}
    async with (
        testing.PageServer({"/scale": b"wish 7\n"}).serving() as served,
        all_sources.Sources(client, {}, clock.SystemClock(), names=servicenames.ServiceNames(client)) as reading,
    ):

        async def observe(host: str) -> scaling.Observation:
            endpoint = {**source, "endpoint": f"{host}:{served.port}"}
            return await reading.observe(testing.wanted(endpoint, form=scaling.Form.WHOLE), 0.0)

        assert (await observe("optimizer.shop.svc.cluster.local")).whole == 7
        missing = await observe("gone.shop.svc")
        assert missing.whole is None
        assert missing.why.endswith("there is no Service shop/gone")
