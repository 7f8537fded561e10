"""Models as people see them."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded import overview


def pod(name: str, model: str = "m", *, ready: bool = True, restarts: int = 0, **status: Any) -> dict[str, Any]:
    """A pod of ``model``; ``status`` is its container's."""
    container = {"name": "c", "restartCount": restarts, "ready": ready, "state": {"running": {}}, **status}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name,
                     "labels": {"model.aibrix.ai/name": model, "model.aibrix.ai/engine": "llamacpp"}},
        "spec": {"containers": [{"name": "c"}]},
        "status": {
            "podIP": "127.64.0.1",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [container],
        },
    }  # fmt: skip


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def endpoint(name: str, **said: Any) -> dict[str, Any]:
    silent = {
        "in_flight": 0,
        "waiting": None,
        "kv_cache_usage": None,
        "running": None,
        "barred": None,
        "load_age": None,
    }
    return {"endpoint": f"{name}:8000", **silent, **said}


def test_pods_are_gathered_by_model() -> None:
    found = overview.models([pod("a"), pod("b", restarts=2), pod("c", "other")])
    assert [(model.name, model.replicas, model.ready, model.restarts) for model in found] == [
        ("m", 2, 2, 2),
        ("other", 1, 1, 0),
    ]
    assert found[0].engine == "llamacpp"
    assert found[0].traffic == overview.Traffic()


def test_trouble_is_told_once_with_everybody_it_befell() -> None:
    state = waiting("ErrImageNeverPull", "add a line")
    (model,) = overview.models([pod("b", ready=False, state=state), pod("a", ready=False, state=state), pod("c")])
    assert model.ready == 1
    assert model.trouble == (overview.Trouble("ErrImageNeverPull: add a line", ("a", "b"), permanent=True),)


LOG = "loading\nRuntimeError: no room\n\n"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({}, "starting"),
        ({"state": waiting("ContainerCreating")}, "ContainerCreating"),
        ({"state": waiting("ErrModelPull", "no network")}, "ErrModelPull: no network"),
        (
            {"state": waiting("CrashLoopBackOff", "back-off 10s"), "lastState": ended(3, message=LOG)},
            "CrashLoopBackOff: exit code 3: RuntimeError: no room",
        ),
        (
            {"state": waiting("CrashLoopBackOff", "back-off 10s"), "lastState": ended(137, "OOMKilled")},
            "CrashLoopBackOff: exit code 137 (OOMKilled)",
        ),
        ({"state": waiting("CrashLoopBackOff", "back-off 10s")}, "CrashLoopBackOff: back-off 10s"),
        ({"state": ended(1, message="x" * 1000)}, f"exit code 1: {'x' * 300}"),
        ({"state": ended(0, "Completed")}, "starting"),
        ({"lastState": ended(1, message=LOG)}, "starting again after exit code 1: RuntimeError: no room"),
    ],
)
def test_the_most_telling_words(status: dict[str, Any], text: str) -> None:
    (model,) = overview.models([pod("a", ready=False, **status)])
    assert model.trouble == (overview.Trouble(text, ("a",)),)


def test_an_init_container_holds_everything_up() -> None:
    held = pod("a", ready=False, state=waiting("PodInitializing"))
    held["status"]["initContainerStatuses"] = [
        {"name": "done", "state": ended(0, "Completed")},
        {"name": "fetch", "state": waiting("CrashLoopBackOff"), "lastState": ended(2, message="no disk")},
    ]
    assert overview.models([held])[0].trouble[0].text == "CrashLoopBackOff: exit code 2: no disk"


def test_a_pod_that_finds_no_room_says_so() -> None:
    lonely = pod("a", ready=False)
    lonely["status"] = {
        "conditions": [{"type": "PodScheduled", "status": "False", "message": "Insufficient nvidia.com/gpu."}]
    }
    assert overview.models([lonely])[0].trouble[0].text == "Pending: Insufficient nvidia.com/gpu."


def test_what_goes_away_or_serves_nothing_is_left_out() -> None:
    going, plain = pod("a"), pod("b")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    plain["metadata"]["labels"] = {}
    assert overview.models([going, plain]) == []


def test_what_the_gateway_says() -> None:
    last = {"id": "r1", "sentence": "a chosen by random", "decided_at": "2026-01-01T00:00:00Z", "status": 200}
    loads = [
        endpoint("default/a", in_flight=1, waiting=2, kv_cache_usage=0.25),
        endpoint("default/b", in_flight=3, waiting=1, kv_cache_usage=0.5),
        endpoint("default/c"),
        endpoint("elsewhere/d", in_flight=50, waiting=50, kv_cache_usage=1.0),
    ]
    page = [{"id": "m", "requests_per_second": 1.5, "endpoints": loads, "last": last}]
    (model,) = overview.models([pod("a")], page)
    assert model.traffic == overview.Traffic(
        1.5, 4, 3.0, 0.5, "a chosen by random", "2026-01-01T00:00:00Z", request_id="r1"
    )


def test_what_engines_do_not_say_stays_unknown() -> None:
    page = [{"id": "m", "requests_per_second": 0.0, "endpoints": [endpoint("default/a")], "last": None}]
    (model,) = overview.models([pod("a")], page)
    assert model.traffic == overview.Traffic(requests_per_second=0.0, in_flight=0)


def test_models_that_sleep_stand_among_the_others() -> None:
    row = {"requests_per_second": 0.0, "endpoints": [], "last": None}
    told = {"autoscalers": ["team/nap", "team/other"], "held": 3}
    page = [
        {"id": "m", "asleep": None, **row},
        {"id": "nap", "asleep": told, **row},
        {"id": "odd", "asleep": None, **row},
    ]
    awake, asleep = overview.models([pod("a")], page)
    assert (awake.name, awake.held) == ("m", None)
    assert (asleep.namespace, asleep.name, asleep.replicas, asleep.held) == ("team", "nap", 0, 3)
    # The page may be a moment behind the pods.
    (both,) = overview.models([pod("a")], [{"id": "m", "asleep": told, **row}])
    assert both.held is None
