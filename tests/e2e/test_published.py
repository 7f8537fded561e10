"""The manifests that users of AIBrix publish apply unchanged, and what this machine lacks for them is said in a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e import yard as yards

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(not (yards.ROOT.parent / "shared" / "manifests").is_dir(), reason="no published manifests here"),
]

PUBLISHED = yards.ROOT.parent / "shared" / "manifests"
"""Not part of this project."""
GPU = "nvidia.com/nvidia-rtx-3090-24GB"
KINDS = {
    "PodAutoscaler": "autoscaling.aibrix.ai",
    "KVCache": "orchestration.aibrix.ai",
    "ModelAdapter": "model.aibrix.ai",
    "RayClusterFleet": "orchestration.aibrix.ai",
    "HTTPRoute": "gateway.networking.k8s.io",
}
"""The kinds in them whose controllers are other projects' or may not be here: kind and group."""


@pytest.fixture
def roomy(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[yards.Yard]:
    """A yard whose machine has the GPU that the manifests ask for."""
    monkeypatch.setenv("BRICKYARD_NODE_RESOURCES", f"{GPU}=8")
    with yards.running(tmp_path / "data") as own:
        yield own


def apply(yard: yards.Yard) -> str:
    """Apply every file as it is; what was said on either channel."""
    done = yard.brickyard("apply", "-f", str(PUBLISHED))
    assert len([line for line in done.stdout.splitlines() if line.endswith(" created")]) == 12, done.stdout
    return done.stdout + done.stderr


def troubles(yard: yards.Yard) -> dict[str, str]:
    """Model → why it is not ready, as `status` has it."""
    models = json.loads(yard.brickyard("status", "-o", "json").stdout)["models"]
    return {each["name"]: each["trouble"][0]["text"] for each in models if each["trouble"]}


def settled(yard: yards.Yard, wanted: dict[str, str]) -> bool:
    said = troubles(yard)
    return all(said.get(name, "").startswith(text) for name, text in wanted.items())


def test_a_machine_without_the_gpu_says_so_and_every_other_kind_is_acted_on_or_said_not_to_be(yard: yards.Yard) -> None:
    said = apply(yard)
    missing = f"Pending: 0/1 nodes are available: 1 Insufficient {GPU}."
    wanted = {"deepseek-r1-distill-llama-8b": missing, "qwen-coder-1-5b-instruct": missing}
    yards.until(lambda: settled(yard, wanted), what=str(wanted))
    screen = yard.brickyard("status").stdout
    assert f"1 Insufficient {GPU}." in screen
    for kind, group in KINDS.items():
        unattended = (
            f"warning: nothing on this machine acts on {kind} of {group}: the object is stored, and that is all"
        )
        if unattended not in said:
            everyone = yard.objects(f"{kind.lower()}s.{group}")
            assert everyone
            assert all(each.get("status") for each in everyone), f"{kind} is neither acted on nor said not to be"
    assert yard.brickyard("apply", "-f", str(PUBLISHED)).stdout.count(" unchanged\n") == 12


def test_a_machine_with_the_gpu_says_which_model_is_missing(roomy: yards.Yard) -> None:
    apply(roomy)
    missing = "CreateContainerConfigError: volume models: hostPath {} is no directory on this machine: create it"
    wanted = {
        "deepseek-r1-distill-llama-8b": missing.format("/data/models/DeepSeek-R1-Distill-Llama-8B"),
        "qwen-coder-1-5b-instruct": missing.format("/data/models"),
    }
    yards.until(lambda: settled(roomy, wanted), what=str(wanted))
