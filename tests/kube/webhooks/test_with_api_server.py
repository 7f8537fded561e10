"""Webhooks as a cluster uses them: the embedded API server asks ours, over HTTPS, trusting what the injector wrote."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator

import pytest

from brickyard.api.kinds import contract as kinds
from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver import testing as apiservers
from brickyard.kube.client import errors, rest
from brickyard.kube.objects import meta
from brickyard.kube.webhooks import adapting, configurations, contract, service
from brickyard.lib import clock

NAMES = service.Names(namespace="default")


class Rules(kinds.NoRules):
    """A ConfigMap has an owner in its data, and no bad word."""

    def default(self, obj: resources.Object) -> resources.Object:
        return {**obj, "data": {"owner": "nobody", **(obj.get("data") or {})}}

    def validate(self, obj: resources.Object, old: resources.Object | None) -> faults.Errors:
        del old
        for key, value in sorted((obj.get("data") or {}).items()):
            if value == "bad":
                yield faults.invalid(f"data.{key}", value, "is a bad word")


WEBHOOKS = [
    contract.Webhook("m.example.com", "/m", contract.Phase.MUTATING, resources.CONFIG_MAP, adapting.mutating(Rules())),
    contract.Webhook(
        "v.example.com", "/v", contract.Phase.VALIDATING, resources.CONFIG_MAP, adapting.validating(Rules())
    ),
]


@contextlib.asynccontextmanager
async def asked(client: rest.RestClient) -> AsyncIterator[None]:
    """Our webhooks, served and listed in the API."""
    options = service.Options(NAMES, port=0, more_dns_names=("localhost",))
    hooks = service.WebhookService(client, clock.SystemClock(), WEBHOOKS, options)
    reach = configurations.Reach(url=f"https://localhost:{hooks.port}")
    for phase, name in NAMES.configurations.items():
        made = configurations.configuration(name, phase, WEBHOOKS, reach)
        await client.create(configurations.OF_PHASE[phase], made)
    task = asyncio.create_task(hooks.run())
    try:
        async with asyncio.timeout(10):
            while hooks.not_ready():
                await asyncio.sleep(0.01)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def config_map(name: str, **data: str) -> resources.Object:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


async def test_what_is_stored_is_what_the_rules_make_of_it(tmp_path: pathlib.Path) -> None:
    async with (
        apiservers.running(tmp_path) as server,
        rest.RestClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        async with asked(client):
            made = await client.create(resources.CONFIG_MAP, config_map("a", x="1"))
            assert made["data"] == {"owner": "nobody", "x": "1"}
            with pytest.raises((errors.Invalid, errors.Forbidden)) as refused:
                await client.create(resources.CONFIG_MAP, config_map("b", x="bad", y="bad"))
            assert "data.x: Invalid value" in str(refused.value)
            assert "data.y: Invalid value" in str(refused.value)
            with pytest.raises(errors.NotFound):
                await client.get(resources.CONFIG_MAP, "b", "default")
            patched = await client.patch(resources.CONFIG_MAP, meta.key(made), {"data": {"owner": None}})
            assert patched["data"] == {"owner": "nobody", "x": "1"}
        # Webhooks that are away are passed over.
        stored = await client.create(resources.CONFIG_MAP, config_map("c", x="bad"))
        assert stored["data"] == {"x": "bad"}
