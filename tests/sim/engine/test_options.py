import json
import pathlib

import pytest

from brickyard.sim.engine import options
from brickyard.sim.engine.core import errors, faults, params, presets

EVENTS = {"enable_kv_cache_events": True, "publisher": "zmq", "endpoint": "tcp://*:5557"}


def read(*arguments: str, **environ: str) -> options.Options:
    return options.read(arguments, environ)


def test_nothing_said() -> None:
    made = read()
    assert made == options.Options(reachable="127.0.0.1")


@pytest.mark.parametrize(
    ("arguments", "models"),
    [
        (("m",), ("m",)),
        (("--model", "m"), ("m",)),
        (("--model-path=m",), ("m",)),
        (("--model", "m", "--served-model-name", "a", "b"), ("a", "b")),
        (("--any-model",), ("meta-llama/Llama-2-7b-hf",)),
    ],
)
def test_names(arguments: tuple[str, ...], models: tuple[str, ...]) -> None:
    assert read(*arguments).models == models


def test_the_environment() -> None:
    made = read(MODEL_NAME="m", POD_NAME="p", POD_IP="127.0.0.9")
    assert (made.models, made.pod, made.reachable) == (("m",), "p", "127.0.0.9")


def test_flags_of_vllm() -> None:
    made = read(
        *("m", "--max-num-seqs", "16", "--max-num-batched-tokens", "2k", "--max-model-len", "4K", "--block-size", "32"),
        *(
            "--num-gpu-blocks-override",
            "500",
            "--max-loras",
            "2",
            "--max-num-queued-reqs",
            "9",
            "--scheduling-policy",
            "priority",
        ),
        *("--no-enable-prefix-caching", "--preset", "instant", "--lora-modules", "a=/a", '{"name":"b","path":"/b"}'),
    )
    assert made.params == params.Params(
        max_num_seqs=16,
        max_num_batched_tokens=2000,
        max_model_len=4096,
        block_size=32,
        blocks=500,
        max_loras=2,
        max_queued=9,
        policy="priority",
        prefix_caching=False,
    )
    assert made.adapters == (("a", "/a"), ("b", "/b"))


def test_flags_that_mean_nothing_here() -> None:
    made = read("m", "--dtype", "bfloat16", "--tensor-parallel-size=2", "--trust-remote-code")
    assert made.ignored == ("--dtype", "--tensor-parallel-size=2", "--trust-remote-code")


def test_the_value_of_a_flag_that_means_nothing_is_no_model() -> None:
    assert read("--dtype", "auto", MODEL_NAME="m").models == ("m",)


def test_fewer_blocks_make_a_shorter_context() -> None:
    assert read("--num-gpu-blocks-override", "10").params.max_model_len == 160


def test_speed() -> None:
    slow, fast = read().params.timing, read("--speed", "10").params.timing
    assert fast.step == slow.step / 10


def test_presets_and_files(tmp_path: pathlib.Path) -> None:
    assert read("--preset", "a100/llama-3.1-8b").params == presets.preset("a100/llama-3.1-8b")
    path = tmp_path / "params.json"
    path.write_text('{"blocks": 2000, "timing": {"step": 0.5}}')
    made = read("--params", str(path)).params
    assert (made.blocks, made.timing.step) == (2000, 0.5)


def test_events() -> None:
    config = {**EVENTS, "replay_endpoint": "tcp://*:5558", "topic": "kv", "form": "map", "max_queue_size": 7}
    assert read("--kv-events-config", json.dumps(config)).kv_events == options.KvEvents(
        "tcp://*:5557", "tcp://*:5558", "kv", form="map"
    )


@pytest.mark.parametrize("config", [{}, {"enable_kv_cache_events": False}, {**EVENTS, "publisher": "null"}])
def test_no_events(config: dict[str, object]) -> None:
    assert read("--kv-events-config", json.dumps(config)).kv_events is None


def test_faults() -> None:
    made = read("--fault", "error;probability=0.5", "--fault", "stall")
    assert made.faults == (faults.Rule("error", probability=0.5), faults.Rule("stall"))


def test_flags_of_sglang() -> None:
    made = read("--model-path", "m", "--disaggregation-mode", "prefill", "--disaggregation-bootstrap-port", "9000")
    assert (made.role, made.bootstrap_port) == ("prefill", 9000)


def test_the_key_is_not_shown() -> None:
    for flag in ("--api-key", "--api_key"):
        made = read(flag, "secret")
        assert made.api_key == "secret"
        assert "secret" not in repr(made)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--preset", "x"),
        ("--params", "/nowhere"),
        ("--speed", "0"),
        ("--fault", "x"),
        ("--lora-modules", "a"),
        ("--lora-modules", "{"),
        ("--kv-events-config", "{"),
        ("--kv-events-config", "[]"),
        ("--kv-events-config", json.dumps({**EVENTS, "form": "xml"})),
        ("--max-num-seqs", "0"),
    ],
)
def test_what_cannot_be(arguments: tuple[str, ...]) -> None:
    with pytest.raises(errors.ParamsError) as caught:
        read(*arguments)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("arguments", [("--port", "x"), ("--engine", "x"), ("--block-size", "1.5"), ("--help",)])
def test_what_argparse_tells(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read(*arguments)
    told = capsys.readouterr()
    assert arguments[0] in told.out + told.err
