import fnmatch
import subprocess
import sys

import pytest

from brickyard.engines import contract
from brickyard.engines.sim import launch

RUN = (sys.executable, "-P", "-m", "brickyard.sim.engine")
BIND = ("--host", "127.64.0.7", "--port", "8000")
MOCK = ("--any-model", "--preset", "aibrix-mock")


def start(*args: str, image: str = "brickyard/sim:latest", command: tuple[str, ...] = ()) -> contract.Launch:
    return launch.Launcher().launch(contract.ContainerSpec(image, command, args, {}, "127.64.0.7", 8000))


@pytest.mark.parametrize(
    ("command", "args", "argv"),
    [
        ((), (), (*BIND,)),
        ((), ("--model", "m", "--preset", "instant"), ("--model", "m", "--preset", "instant", *BIND)),
        ((), ("m", "--host", "0.0.0.0", "--port", "9"), ("m", "--port", "9", "--host", "127.64.0.7")),
        ((), ("--host=::", "--port=9"), ("--port=9", "--host", "127.64.0.7")),
        ((), ("--host",), (*BIND,)),
        (("vllm", "serve"), ("m",), ("m", "--engine", "vllm", *BIND)),
        (
            ("/usr/bin/python3", "-u", "-m", "vllm.entrypoints.openai.api_server"),
            ("--model", "m"),
            ("--engine", "vllm", "--model", "m", *BIND),
        ),
        (
            ("python3", "-m", "sglang.launch_server"),
            ("--model-path", "m"),
            ("--engine", "sglang", "--model-path", "m", *BIND),
        ),
        (("trtllm-serve", "serve"), ("m",), ("m", "--engine", "trtllm", *BIND)),
        (("sh", "-c"), ("vllm serve m --max-loras 3",), ("m", "--engine", "vllm", "--max-loras", "3", *BIND)),
        (("python", "-m", "brickyard.sim.engine"), ("m",), ("m", *BIND)),
    ],
)
def test_commands(command: tuple[str, ...], args: tuple[str, ...], argv: tuple[str, ...]) -> None:
    made = start(*args, command=command)
    assert made.argv == (*RUN, *argv)
    assert made.env == {"POD_IP": "127.64.0.7"}
    assert made.models == ()


@pytest.mark.parametrize("image", ["aibrix/vllm-mock:nightly", "registry.local/team/vllm-mock:v1"])
@pytest.mark.parametrize("command", [(), ("python", "app.py"), ("python3", "/app/app.py")])
def test_the_mock_of_aibrix(image: str, command: tuple[str, ...]) -> None:
    made = start("--api_key", "test-key-1234567890", image=image, command=command)
    assert made.argv == (*RUN, *MOCK, "--api_key", "test-key-1234567890", *BIND)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("nginx",), "'nginx' is not run here"),
        (("python3",), "'python3' is not run here"),
        (("python3", "train.py"), "'python3 train.py' is not run here"),
        (("sh", "-c", "vllm serve m | tee log"), "no shell runs here"),
    ],
)
def test_what_is_not_run(command: tuple[str, ...], said: str) -> None:
    with pytest.raises(contract.LaunchError, match=said) as caught:
        start(command=command)
    assert caught.value.reason == "UnsupportedArgument"


@pytest.mark.parametrize(
    ("image", "known"),
    [
        ("brickyard/sim:latest", True),
        ("brickyard/sim", True),
        ("brickyard/sim@sha256:00", True),
        ("aibrix/vllm-mock:nightly", True),
        ("vllm/vllm-openai:latest", False),
        ("brickyard/simple:1", False),
    ],
)
def test_images(image: str, known: bool) -> None:
    assert any(fnmatch.fnmatchcase(image, pattern) for pattern in launch.Launcher().images) is known


@pytest.mark.slow
def test_the_command_is_one() -> None:
    made = start("--help")
    done = subprocess.run(made.argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0
    assert "An inference engine without a model" in done.stdout
