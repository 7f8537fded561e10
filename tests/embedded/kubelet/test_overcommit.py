"""What is said of a pod that wants more than is left."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from brickyard.embedded.kubelet import overcommit
from brickyard.embedded.kubelet.testing import container, pod
from brickyard.embedded.kubelet.testing_agent import House, python, state

NODE = {"cpu": "4", "memory": "8Gi"}


def asking(name: str = "web", limits: Any = None, restart: str = "", **requests: str) -> dict[str, Any]:
    more = {"restartPolicy": restart} if restart else {}
    return container(name, resources={"requests": requests, **({"limits": limits} if limits else {})}, **more)


@pytest.mark.parametrize(
    ("init", "main", "expected"),
    [
        ([], [container()], {}),
        ([], [container(resources=None)], {}),
        ([], [asking(cpu="500m", memory="1Gi"), asking("b", cpu="1")], {"cpu": "1.5", "memory": 2**30}),
        ([], [asking(limits={"memory": "2Gi"}, memory="1Gi")], {"memory": 2**30}),
        ([], [asking(limits={"memory": "2Gi"})], {"memory": 2**31}),
        ([asking("i", cpu="3")], [asking(cpu="1")], {"cpu": "3"}),
        ([asking("i", cpu="1"), asking("j", cpu="2")], [asking(cpu="3")], {"cpu": "3"}),
        ([asking("s", restart="Always", cpu="2")], [asking(cpu="3")], {"cpu": "5"}),
    ],
)
def test_requests(init: list[dict[str, Any]], main: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    found = overcommit.requests(pod(*main, init=init))
    assert found == {name: Decimal(value) for name, value in expected.items()}


SUFFIX = ": nothing is reserved, and all may run short"


# This pod, others on the node → what is said.
@pytest.mark.parametrize(
    ("mine", "others", "said"),
    [
        ({}, [{"cpu": "100"}], ""),
        ({"cpu": "4", "memory": "8Gi"}, [], ""),
        ({"cpu": "5"}, [], "requests on this node come to 5 of 4 cpu"),
        ({"cpu": "2500m"}, [{"cpu": "2"}], "requests on this node come to 4500m of 4 cpu"),
        ({"memory": "1Gi"}, [{"cpu": "9", "memory": "7Gi"}], ""),
        (
            {"cpu": "8", "memory": "40Gi"},
            [{"memory": "8Gi"}],
            "requests on this node come to 8 of 4 cpu and 48Gi of 8Gi memory",
        ),
    ],
)
def test_words(mine: dict[str, str], others: list[dict[str, str]], said: str) -> None:
    here = [pod(asking(**each)) for each in others]
    assert overcommit.words(pod(asking(**mine)), here, NODE) == (said + SUFFIX if said else "")


def test_pods_that_are_over_need_nothing() -> None:
    over = {**pod(asking(cpu="4")), "status": {"phase": "Succeeded"}}
    assert overcommit.words(pod(asking(cpu="4")), [over], NODE) == ""


async def test_it_runs_and_people_are_told(house: House) -> None:
    async with house.running():
        big = {"resources": {"requests": {"memory": "900Ti"}}}
        await house.create(pod(python("pass", **big), restartPolicy="Never"))
        await house.until(lambda each: "terminated" in state(each).get("state", {}))
    warned = [message for reason, message in house.events() if reason == "Overcommitted"]
    assert len(warned) == 1
    assert warned[0].startswith("requests on this node come to 900Ti of ")
