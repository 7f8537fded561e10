import fnmatch
import pathlib

import pytest

from brickyard.engines import contract
from brickyard.engines.xllm import launch

PROGRAM = pathlib.Path("/opt/xllm/xllm")
BIND = ("--host", "127.64.0.7")
END = (*BIND, "--port", "8000")


def start(*args: str, command: tuple[str, ...] = ()) -> contract.Launch:
    spec = contract.ContainerSpec("xllm/xllm-ai:latest", command, args, {}, "127.64.0.7", 8000)
    return launch.launcher(find=lambda: PROGRAM).launch(spec)


@pytest.mark.parametrize(
    ("command", "args", "argv", "models"),
    [
        ((), ("--model", "/m"), (str(PROGRAM), "--model", "/m", *END), ("/m",)),
        (
            ("./build/xllm/core/server/xllm",),
            ("--model=/path/q", "--port=12345", "--devices", "auto"),
            (str(PROGRAM), "--model", "/path/q", "--port=12345", "--devices", "auto", *BIND),
            ("/path/q",),
        ),
        (("xllm", "-host=0.0.0.0", "-port", "9"), (), (str(PROGRAM), "-port", "9", *BIND), ()),
        (("sh", "-c"), ("xllm --model m",), (str(PROGRAM), "--model", "m", *END), ()),
        ((), (), (str(PROGRAM), *END), ()),
    ],
)
def test_commands(
    command: tuple[str, ...], args: tuple[str, ...], argv: tuple[str, ...], models: tuple[str, ...]
) -> None:
    made = start(*args, command=command)
    assert made.argv == argv
    assert made.models == models


@pytest.mark.parametrize("command", [("python3", "x.py"), ("/bin/sh", "-c", "xllm & xllm")])
def test_what_cannot_run_says_why(command: tuple[str, ...]) -> None:
    with pytest.raises(contract.LaunchError, match=r"not run here.*xllm --model|no shell runs here") as caught:
        start(command=command)
    assert caught.value.reason == "UnsupportedArgument"


def test_a_missing_xllm_says_what_to_do() -> None:
    with pytest.raises(contract.LaunchError, match=r"xLLM is not installed.*build it.*BRICKYARD_XLLM") as caught:
        launch.launcher(find=lambda: None).launch(contract.ContainerSpec("x", (), (), {}, "127.64.0.7", 1))
    assert caught.value.reason == "EngineNotInstalled"


@pytest.mark.parametrize(
    ("image", "known"),
    [
        ("xllm/xllm-ai:xllm-dev-hb-rc2-x86", True),
        ("quay.io/jd_xllm/xllm-ai:0.7.1", True),
        ("registry.example.com/xllm:1", True),
        ("vllm/vllm-openai:1", False),
    ],
)
def test_images(image: str, known: bool) -> None:
    assert any(fnmatch.fnmatchcase(image, pattern) for pattern in launch.launcher().images) is known
