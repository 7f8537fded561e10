"""What pods use and may use, by the whole agent with real processes."""

from __future__ import annotations

import pytest

from brickyard.embedded.kubelet.testing import pod
from brickyard.embedded.kubelet.testing_agent import House, python, ready, server, state

HUNGRY = """
import time
held = []
while True:
    held.append(bytearray(b'x' * 2**20))
    time.sleep(0.002)
"""
# The child takes the memory: a limit is that of all processes together.
HUNGRY_CHILD = f"""
import os, sys
if not os.fork():
    exec({HUNGRY!r})
os.wait()
"""
LIMIT = {"resources": {"limits": {"memory": "96Mi"}}}


@pytest.mark.slow
@pytest.mark.parametrize("code", [HUNGRY, HUNGRY_CHILD], ids=["alone", "child"])
async def test_a_container_over_its_limit_is_killed(house: House, code: str) -> None:
    async with house.running():
        await house.create(pod(python(code, **LIMIT), restartPolicy="Never"))
        found = await house.until(lambda each: each.get("status", {}).get("phase") == "Failed")
        assert not house.processes()
    end = state(found)["state"]["terminated"]
    assert (end["reason"], end["exitCode"]) == ("OOMKilled", 137)
    assert "its limit is 96 MiB" in end["message"]
    assert "OOMKilled" in house.reasons()


@pytest.mark.slow
async def test_what_a_pod_uses_is_told_while_it_runs(house: House) -> None:
    async with house.running() as one:
        await house.create(pod(server(**LIMIT)))
        found = await house.until(ready)
        while not (told := await one.usages.pods()):
            await house.until(ready)
        (usage,) = told
        assert (usage.namespace, usage.name, usage.uid) == ("default", "a", found["metadata"]["uid"])
        assert 2**20 < usage.containers["web"].memory < 200 * 2**20
        assert usage.containers["web"].cpu > 0.0
        await house.delete()
        await house.gone()
        assert await one.usages.pods() == []
