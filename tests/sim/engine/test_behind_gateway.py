"""The double behind the real gateway: what the gateway's own tests and benchmarks lean on."""

from brickyard.gateway import settings
from brickyard.gateway import testing as gateway
from brickyard.gateway.proxy import server
from brickyard.sim.engine import testing


async def ask(port: int, body: object) -> gateway.Response:
    async with gateway.connect(port) as client:
        client.send(gateway.post(body))
        return await client.read()


async def test_streams_pass_through() -> None:
    async with testing.running(models=(gateway.MODEL,)) as engine:
        director = gateway.FakeDirector(gateway.endpoint(engine.server.port))
        async with server.DataPlane(director, settings.GatewaySettings(port=0)) as plane:
            body = {"model": gateway.MODEL, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 50}
            whole = await ask(plane.port, body)
            stream = await ask(plane.port, {**body, "stream": True, "stream_options": {"include_usage": True}})
        assert (whole.status, stream.status, stream.complete) == (200, 200, True)
        events = testing.Reply(200, {}, stream.body).events()
        assert events[-1]["usage"]["completion_tokens"] == 50
        assert engine.server.driver.statistics.generated_tokens == 100
        assert director.open_leases == set()


async def test_an_engine_that_fails_is_passed_over() -> None:
    async with testing.running(models=(gateway.MODEL,)) as sound:
        async with testing.running(models=(gateway.MODEL,)) as gone:
            broken = gone.server.port
        director = gateway.FakeDirector(
            gateway.endpoint(broken, "broken"), gateway.endpoint(sound.server.port, "sound")
        )
        async with server.DataPlane(director, settings.GatewaySettings(port=0)) as plane:
            answered = await ask(plane.port, None)
        assert answered.status == 200
        assert director.failures == [f"default/broken:{broken}"]
