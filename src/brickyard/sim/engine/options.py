"""The double's command line, in the manner of the engines it stands for: flags of vLLM that mean something here are obeyed.

Flags that only mean something with weights or a GPU (``--dtype``, ``--tensor-parallel-size`` …) are taken and told as ignored, so that
a manifest's arguments need no editing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from brickyard.api.names import environment
from brickyard.sim.engine.core import errors, faults, params, presets

DIALECTS: Final = ("vllm", "sglang", "trtllm", "xllm")
MODEL: Final = "sim"
_MOCK_MODEL: Final = "meta-llama/Llama-2-7b-hf"


@dataclasses.dataclass(frozen=True, slots=True)
class KvEvents:
    """vLLM's ``--kv-events-config``. ``form`` is how an event is written: ``array`` (older vLLM) or ``map`` (0.32)."""

    endpoint: str
    replay_endpoint: str = ""
    topic: str = ""
    buffer_steps: int = 10_000
    hwm: int = 100_000
    form: str = "array"


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """One process.

    Attributes:
        models: the names the model is served by; the first is told in answers that nobody named.
        engine: whose metrics page and routes are shown.
        any_model: requests may name any model.
        role: ``prefill`` or ``decode`` in SGLang's manner, "" for both.
        bootstrap_port: where a prefill engine waits for decode engines; 0 is any free port.
        reachable: the address others are told to fetch KV cache from.
        pod: the name told in answers.
        ignored: flags that mean nothing here.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    models: tuple[str, ...] = (MODEL,)
    engine: str = "vllm"
    params: params.Params = presets.NAMED["demo"]
    api_key: str = dataclasses.field(default="", repr=False)
    any_model: bool = False
    adapters: tuple[tuple[str, str], ...] = ()
    kv_events: KvEvents | None = None
    faults: tuple[faults.Rule, ...] = ()
    seed: int = 0
    role: str = ""
    bootstrap_port: int = 8998
    reachable: str = ""
    pod: str = ""
    ignored: tuple[str, ...] = ()


def parser() -> argparse.ArgumentParser:
    """All flags."""
    made = argparse.ArgumentParser(
        prog="python -m brickyard.sim.engine",
        usage="%(prog)s [MODEL] [options]",
        description="An inference engine without a model: the API, queue, batching, KV cache, metrics and faults of one.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add(
        "--model",
        "--model-path",
        help="the model's name; it may also come as the first word, as `vllm serve MODEL` takes it",
    )
    add("--served-model-name", nargs="+", metavar="NAME", help="names to serve it by instead")
    add("--any-model", action="store_true", help="answer whatever model a request names")
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=8000, help="port to listen on, 0 for any (%(default)s)")
    add("--api-key", "--api_key", default="", help="the bearer token requests must carry")
    add("--engine", choices=DIALECTS, default="vllm", help="whose metrics page to show (%(default)s)")
    add(
        "--preset",
        default="demo",
        help="an engine by name: instant, demo, aibrix-mock, a100/llama-3.1-8b … (%(default)s)",
    )
    add("--params", metavar="FILE", help="an engine as a JSON file, instead of --preset")
    add("--speed", type=float, default=1.0, help="how many times as fast time runs (%(default)s)")
    add("--seed", type=int, default=0, help="of answers and of chance in faults (%(default)s)")
    add(
        "--fault",
        action="append",
        default=[],
        metavar="RULE",
        help="such as error;status=503;probability=0.01; repeatable",
    )
    add("--pod-name", default="", help="told in answers ($POD_NAME)")
    _add_engine(add)
    return made


def _add_engine(add: Any) -> None:
    for flag, text in (
        ("--max-num-seqs", "sequences in the batch"),
        ("--max-num-batched-tokens", "tokens in one step"),
        ("--max-model-len", "tokens of prompt and output"),
        ("--block-size", "tokens in a KV block"),
        ("--num-gpu-blocks-override", "KV blocks"),
        ("--max-loras", "adapters in one batch"),
        ("--max-num-queued-reqs", "requests that may wait; more are told to try again"),
    ):
        add(flag, type=params.count, metavar="N", help=text)
    add("--scheduling-policy", choices=params.POLICIES, help="order of waiting requests")
    add(
        "--enable-prefix-caching", action=argparse.BooleanOptionalAction, default=None, help="find equal prefixes again"
    )
    add("--enable-chunked-prefill", action=argparse.BooleanOptionalAction, default=None, help="cut long prompts")
    add("--lora-modules", nargs="+", default=[], metavar="NAME=PATH", help="adapters to load at the start")
    add("--kv-events-config", metavar="JSON", help="vLLM's: enable_kv_cache_events, endpoint, replay_endpoint, topic …")
    add("--disaggregation-mode", choices=("prefill", "decode"), default="", help="SGLang's: which half of a request")
    add("--disaggregation-bootstrap-port", type=int, default=8998, help="SGLang's (%(default)s)")


def read(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """The command line as options; the environment speaks where AIBrix' own mock listens to it.

    Raises:
        ParamsError: a value cannot be.
        SystemExit: argparse has told what is wrong, or shown the help.
    """
    # Not a positional argument of the parser: the value of a flag it does not know would be taken for one.
    first = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    given, ignored = parser().parse_known_args(list(arguments[bool(first) :]))
    model = given.model or first or environ.get("MODEL_NAME") or (_MOCK_MODEL if given.any_model else MODEL)
    return Options(
        host=given.host,
        port=given.port,
        models=tuple(given.served_model_name or (model,)),
        engine=given.engine,
        params=_params(given),
        api_key=given.api_key,
        any_model=given.any_model,
        adapters=tuple(_adapter(text) for text in given.lora_modules),
        kv_events=_kv_events(given.kv_events_config),
        faults=tuple(faults.parse(text) for text in given.fault),
        seed=given.seed,
        role=given.disaggregation_mode,
        bootstrap_port=given.disaggregation_bootstrap_port,
        reachable=environ.get("POD_IP", "") or given.host,
        pod=given.pod_name or environ.get(environment.POD_NAME, ""),
        ignored=tuple(item for item in ignored if item.startswith("-")),
    )


def _params(given: argparse.Namespace) -> params.Params:
    base = presets.preset(given.preset)
    if given.params:
        try:
            base = params.Params.from_json(pathlib.Path(given.params).read_text())
        except OSError as error:
            raise errors.ParamsError(f"--params {given.params} cannot be read: {error.strerror}") from error
    flags = {
        "max_num_seqs": given.max_num_seqs,
        "max_num_batched_tokens": given.max_num_batched_tokens,
        "max_model_len": given.max_model_len,
        "block_size": given.block_size,
        "blocks": given.num_gpu_blocks_override,
        "max_loras": given.max_loras,
        "max_queued": given.max_num_queued_reqs,
        "policy": given.scheduling_policy,
        "prefix_caching": given.enable_prefix_caching,
        "chunked_prefill": given.enable_chunked_prefill,
    }
    chosen = {name: value for name, value in flags.items() if value is not None}
    if "max_model_len" not in chosen:
        capacity = chosen.get("blocks", base.blocks) * chosen.get("block_size", base.block_size)
        chosen["max_model_len"] = min(base.max_model_len, capacity)
    return dataclasses.replace(base, timing=base.timing.faster(given.speed), **chosen)


def _adapter(text: str) -> tuple[str, str]:
    if text.startswith("{"):
        document = _object(text, "--lora-modules")
        return str(document.get("name", "")), str(document.get("path", ""))
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise errors.ParamsError(f"--lora-modules takes name=path, not {text!r}")
    return name, path


def _kv_events(text: str | None) -> KvEvents | None:
    if not text:
        return None
    document = _object(text, "--kv-events-config")
    if not document.get("enable_kv_cache_events") or document.get("publisher", "zmq") == "null":
        return None
    known = {field.name for field in dataclasses.fields(KvEvents)}
    chosen = {name: value for name, value in document.items() if name in known and value is not None}
    made = KvEvents(**{"endpoint": "tcp://*:5557", **chosen})
    if made.form not in ("array", "map"):
        raise errors.ParamsError(f"form in --kv-events-config is array or map, not {made.form!r}")
    return made


def _object(text: str, flag: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise errors.ParamsError(f"{flag} is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise errors.ParamsError(f"{flag} must be a JSON object")
    return document
