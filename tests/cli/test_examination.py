"""Looking at this very machine."""

from __future__ import annotations

import pathlib
import socket
import sys

import pytest

from brickyard.cli import diagnosis, examination
from brickyard.embedded import home
from brickyard.embedded import up as life
from brickyard.embedded.kubelet.gpus import cards, find
from brickyard.engines import contract
from brickyard.engines.llamacpp import launch, metrics
from brickyard.lib import process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_machine_on_which_nothing_runs(tmp_path: pathlib.Path) -> None:
    ports = life.UpSettings(api_port=free_port(), gateway_port=free_port(), services_port=free_port())
    facts = examination.examine(home.Home(tmp_path / "not" / "yet"), ports)
    assert facts.system == "Linux"
    assert facts.versions[1] == sys.version_info[:3]
    assert (facts.pod_addresses, facts.folder_trouble, facts.running) == ("", "", False)
    assert facts.disk_free > 0
    assert 0 < facts.open_files[0] <= facts.open_files[1]
    assert [part.trouble for part in facts.parts.values()] == ["", "", ""]
    assert "llamacpp" in facts.engines
    assert not (tmp_path / "not").exists(), "nothing is made by looking"


def test_a_folder_that_is_a_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    facts = examination.examine(home.Home(tmp_path / "file"), life.UpSettings(free_port(), free_port()))
    assert facts.folder_trouble == f"{tmp_path / 'file'} is no folder"


def test_a_port_that_is_taken(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        facts = examination.examine(home.Home(tmp_path), life.UpSettings(free_port(), taken.getsockname()[1]))
    assert "cannot listen on" in facts.parts["OpenAI API"].trouble
    assert "--gateway-port" in facts.parts["OpenAI API"].remedy


def test_what_runs_and_does_not_answer(tmp_path: pathlib.Path) -> None:
    at = home.Home(tmp_path)
    at.prepare()
    at.write_state(home.Running(process.me(), "https://127.0.0.1:1", *["http://127.0.0.1:1"] * 2))
    facts = examination.examine(at, life.UpSettings())
    assert facts.running
    assert "Connection refused" in facts.parts["OpenAI API"].trouble
    assert "Connection refused" in facts.parts["services"].trouble
    assert f"brickyard logs services --data-dir {tmp_path}" in facts.parts["services"].remedy
    assert facts.parts["Kubernetes API"].trouble
    assert f"brickyard logs machine --data-dir {tmp_path}" in facts.parts["Kubernetes API"].remedy


@pytest.mark.parametrize(("installed", "missing"), [(True, ""), (False, "llama.cpp is not installed here: run pip")])
def test_an_engine_is_asked_whether_it_can_run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, installed: bool, missing: str
) -> None:
    engine = contract.Engine("llamacpp", launch.Launcher(available=lambda: installed), metrics.PAGE)
    monkeypatch.setattr("brickyard.assembly.engines.engines", lambda: {"llamacpp": engine})
    facts = examination.examine(home.Home(tmp_path), life.UpSettings(free_port(), free_port()))
    assert facts.engines["llamacpp"].missing.startswith(missing)
    assert bool(facts.engines["llamacpp"].missing) == bool(missing)
    assert bool(facts.engines["llamacpp"].version) == installed


def test_the_version_of_an_engine_in_an_environment_of_its_own(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "env" / "lib" / "python3.12" / "site-packages" / "vllm-9.8.7.dist-info" / "METADATA"
    program = tmp_path / "env" / "bin" / "vllm"
    for file, text in ((about, "Metadata-Version: 2.1\nName: vllm\nVersion: 9.8.7\n"), (program, "")):
        file.parent.mkdir(parents=True)
        file.write_text(text)
    monkeypatch.setenv("BRICKYARD_VLLM", str(program))
    facts = examination.examine(home.Home(tmp_path), life.UpSettings(free_port(), free_port()))
    assert facts.engines["vllm"] == diagnosis.Engine(version="9.8.7")


def test_gpus_by_the_names_that_their_driver_gives(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        cards.Card("GPU-1", 0, "NVIDIA H200"),
        cards.Card("MIG-2", 1, "NVIDIA H100", "1g.10gb"),
        cards.Card("2", 2, ""),
    ]
    monkeypatch.setattr(find, "find", lambda environ: found)
    facts = examination.examine(home.Home(tmp_path), life.UpSettings(free_port(), free_port()))
    assert facts.gpus == ["NVIDIA H200", "NVIDIA H100 1g.10gb", "NVIDIA"]


@pytest.mark.parametrize(
    ("script", "version"),
    [
        ('echo \'{"clientVersion": {"gitVersion": "v1.34.1"}}\'', "v1.34.1"),
        ("echo nonsense", ""),
        ("exit 1", ""),
    ],
)
def test_kubectl_is_asked_for_its_version(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, script: str, version: str
) -> None:
    (tmp_path / "kubectl").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    facts = examination.examine(home.Home(tmp_path), life.UpSettings(free_port(), free_port()))
    assert facts.programs == {"kubectl": version}
