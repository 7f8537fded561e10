from __future__ import annotations

from typing import Any

from brickyard.embedded import overview


def pod(
    name: str, model: str = "m", *, ready: bool = True, restarts: int = 0, waiting: dict[str, str] | None = None
) -> dict[str, Any]:
    state = {"waiting": waiting} if waiting else {"running": {}}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name,
                     "labels": {"model.aibrix.ai/name": model, "model.aibrix.ai/engine": "llamacpp"}},
        "spec": {"containers": [{"name": "c"}]},
        "status": {
            "podIP": "127.64.0.1",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": "c", "restartCount": restarts, "state": state}],
        },
    }  # fmt: skip


def test_pods_are_gathered_by_model() -> None:
    found = overview.models([pod("a"), pod("b", restarts=2), pod("c", "other")])
    assert [(model.name, model.replicas, model.ready, model.restarts) for model in found] == [
        ("m", 2, 2, 2),
        ("other", 1, 1, 0),
    ]
    assert found[0].engine == "llamacpp"


def test_trouble_is_told_once_and_in_full() -> None:
    waiting = {"reason": "ErrImageNeverPull", "message": "add a line"}
    (model,) = overview.models([pod("a", ready=False, waiting=waiting), pod("b", ready=False, waiting=waiting)])
    assert (model.ready, model.trouble) == (0, ("ErrImageNeverPull: add a line",))


def test_a_pod_without_news_is_starting() -> None:
    (model,) = overview.models([pod("a", ready=False)])
    assert model.trouble == ("starting",)


def test_a_pod_that_finds_no_room_says_so() -> None:
    lonely = pod("a", ready=False)
    lonely["status"] = {
        "conditions": [{"type": "PodScheduled", "status": "False", "message": "Insufficient nvidia.com/gpu."}]
    }
    assert overview.models([lonely])[0].trouble == ("Insufficient nvidia.com/gpu.",)


def test_what_goes_away_or_serves_nothing_is_left_out() -> None:
    going, plain = pod("a"), pod("b")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    plain["metadata"]["labels"] = {}
    assert overview.models([going, plain]) == []
