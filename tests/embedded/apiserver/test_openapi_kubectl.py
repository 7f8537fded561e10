"""The real kubectl against what is served here: it is taught, it is warned, it applies what users publish."""

from __future__ import annotations

import asyncio
import os
import pathlib
import sys
from collections.abc import AsyncIterator

import pytest

from brickyard.embedded.apiserver import testing

KUBECTL = pathlib.Path(sys.executable).parent / "kubectl"
MANIFESTS = pathlib.Path(__file__).resolve().parents[4] / "shared" / "manifests"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl is not installed beside this Python"),
]

TYPO = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: typo}
spec:
  replcas: 2
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: main, image: engine, imag: engine}]}
"""
WRONG_TYPE = TYPO.replace("replcas: 2", 'replicas: "2"').replace(", imag: engine", "")
INVALID = TYPO.replace("replcas: 2", "replicas: -1").replace("image: engine, imag: engine", "imagePullPolicy: Often")
UNKNOWN = "{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}}"


class Kubectl:
    """kubectl with a kubeconfig and a home of its own."""

    def __init__(self, kubeconfig: pathlib.Path, home: pathlib.Path) -> None:
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(home)}

    async def __call__(self, *arguments: str, body: str = "") -> tuple[int, str]:
        """Exit status, and standard output and error together. ``body`` is its standard input."""
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(body.encode()), 60)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        return process.returncode or 0, output.decode()


@pytest.fixture
async def kubectl(tmp_path: pathlib.Path) -> AsyncIterator[Kubectl]:
    async with testing.running(tmp_path / "data") as server:
        yield Kubectl(server.kubeconfig, tmp_path)


async def test_explain_teaches_built_in_and_custom_kinds(kubectl: Kubectl) -> None:
    code, text = await kubectl("explain", "deployment.spec.replicas")
    assert code == 0
    assert "FIELD: replicas <integer>" in text
    assert "Number of desired pods" in text
    code, text = await kubectl("explain", "modeladapters.spec")
    assert code == 0
    assert "Which adapter goes into which pods" in text
    code, text = await kubectl("explain", "deployment.spec.strategy", "--output=plaintext-openapiv2")
    assert code == 0
    assert "rollingUpdate" in text


async def test_api_resources_lists_what_is_served(kubectl: Kubectl) -> None:
    code, text = await kubectl("api-resources", "--no-headers", "-o", "name")
    assert code == 0
    assert {"pods", "deployments.apps", "stormservices.orchestration.aibrix.ai"} <= set(text.split())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            TYPO,
            [
                'strict decoding error: unknown field "spec.replcas"',
                'unknown field "spec.template.spec.containers[0].imag"',
            ],
        ),
        (WRONG_TYPE, ["json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"]),
        (
            INVALID,
            [
                'The Deployment "typo" is invalid',
                "* spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                "* spec.template.spec.containers[0].image: Required value",
                '* spec.template.spec.containers[0].imagePullPolicy: Unsupported value: "Often": supported values: "Always"',
            ],
        ),
        (UNKNOWN, ['no matches for kind "Widget" in version "example.com/v1"']),
    ],
    ids=["typo", "wrong type", "invalid", "unknown kind"],
)
async def test_what_is_wrong_is_said_in_kubernetes_words(kubectl: Kubectl, body: str, words: list[str]) -> None:
    code, text = await kubectl("apply", "-f", "-", body=body)
    assert code == 1
    for each in words:
        assert each in text


@pytest.mark.skipif(not MANIFESTS.is_dir(), reason="the published manifests are not on this machine")
async def test_every_published_manifest_applies_and_applies_again(kubectl: Kubectl) -> None:
    code, text = await kubectl("apply", "-f", str(MANIFESTS))
    assert code == 0, text
    code, text = await kubectl("apply", "-f", str(MANIFESTS))
    assert code == 0, text
    # A default inside a list, here of worker groups, makes kubectl send the list again, as with any custom kind.
    changed = [line for line in text.splitlines() if not line.endswith(" unchanged")]
    assert all(line.startswith("rayclusterfleet.") for line in changed), changed
    code, text = await kubectl("get", "podautoscalers", "deepseek-r1-distill-llama-8b-kpa", "--no-headers")
    assert (code, text.split()[1:3], text.split()[3]) == (0, ["1", "8"], "KPA")
    code, text = await kubectl("get", "deployments", "qwen-coder-1-5b-instruct", "-o", "wide", "--no-headers")
    assert text.split()[:4] == ["qwen-coder-1-5b-instruct", "0/1", "0", "0"]
