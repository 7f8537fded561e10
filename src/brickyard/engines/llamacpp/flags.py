"""llama-server's flags, as far as the server here honours them: one table.

A row says how a flag and its environment variable are written and which attribute of ``xllamacpp.CommonParams`` it fills
(``cpuparams.n_threads`` is a path). The launcher reads the table to check a manifest before anything starts, the server to fill
the parameters; neither can know a flag that the other does not.

What llama-server takes and this table lacks is an error that names the flag, never a silent difference.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

Value = bool | int | float | str | tuple[str, ...]

MODEL: Final = "model.path"
ALIASES: Final = "model_alias"
HOSTS: Final = "hostnames"
PORT: Final = "port"
API_KEYS: Final = "api_keys"
API_KEY_FILE: Final = "api_key_file"
TEMPLATE_FILE: Final = "chat_template_file"
LORA: Final = "lora_adapters"
LORA_SCALED: Final = "lora_scaled"
THREADS: Final = "cpuparams.n_threads"
THREADS_BATCH: Final = "cpuparams_batch.n_threads"
PARALLEL: Final = "n_parallel"

HUB_MODEL: Final = "hf_repo"
HUB_FILE: Final = "hf_file"
MODEL_URL: Final = "model_url"

FETCHED: Final = frozenset({HUB_MODEL, HUB_FILE, MODEL_URL})
"""Targets that name the model by where it is fetched from: the launcher makes one reference of them."""

UNBOUND: Final = frozenset({API_KEY_FILE, TEMPLATE_FILE, LORA, LORA_SCALED, *FETCHED})
"""Targets that are no plain attribute of ``CommonParams``: the server reads a file or makes an object first."""


@dataclasses.dataclass(frozen=True, slots=True)
class Flag:
    """One flag.

    Attributes:
        names: all spellings, the one to show last.
        target: attribute path that the value fills; "" for a switch.
        convert: text to value; raises ValueError with what is allowed.
        fixed: what a switch sets; an environment variable of a false value sets the opposite.
        env: environment variable that stands in when the flag is absent.
        bare: text taken when no valid value follows, for flags that once were switches; None means that a value must follow.
        file: the value is a file, so it may be a model reference.
        many: each use adds to the last instead of replacing it.
    """

    names: tuple[str, ...]
    target: str = ""
    convert: Callable[[str], Value] = str
    fixed: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    env: str = ""
    bare: str | None = None
    file: bool = False
    many: bool = False

    @property
    def name(self) -> str:
        """The spelling to show."""
        return self.names[-1]

    @property
    def switch(self) -> bool:
        """Takes no value."""
        return not self.target


def _words(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    if not words:
        raise ValueError("at least one is needed")
    return words


def _choice(**values: int) -> Callable[[str], Value]:
    def convert(text: str) -> Value:
        if text not in values:
            raise ValueError(f"one of {', '.join(values)} is allowed")
        return values[text]

    return convert


def _repository(text: str) -> Value:
    owner, slash, name = text.partition("/")
    if not owner or not slash or not name or "/" in name:
        raise ValueError("write OWNER/MODEL or OWNER/MODEL:QUANTISATION")
    return text


def _address(text: str) -> Value:
    if not text.startswith(("http://", "https://")):
        raise ValueError("write https://HOST/FILE.gguf")
    return text


def _layers(text: str) -> Value:
    return {"auto": -1, "all": -2}.get(text) or int(text)


def _port(text: str) -> Value:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError("a port is 0 to 65535")
    return port


def _positive(text: str) -> Value:
    number = int(text)
    if number < 1:
        raise ValueError("it is 1 or more")
    return number


_CACHE_TYPE: Final = _choice(f32=0, f16=1, bf16=30, q8_0=8, q4_0=2, q4_1=3, iq4_nl=20, q5_0=6, q5_1=7)
_POOLING: Final = _choice(none=0, mean=1, cls=2, last=3, rank=4)
_RANK: Final = 4
_SPLIT: Final = _choice(none=0, layer=1, row=2, tensor=3)
_ON_OFF_AUTO: Final = _choice(on=1, off=0, auto=-1, enabled=1, disabled=0)
_REASONING: Final = _choice(**{"none": 0, "auto": 1, "deepseek-legacy": 2, "deepseek": 3})
_ROPE: Final = _choice(none=0, linear=1, yarn=2)


def _value(names: str, target: str, convert: Callable[[str], Value], env: str = "", *, file: bool = False) -> Flag:
    return Flag(tuple(names.split()), target, convert, env=env and f"LLAMA_ARG_{env}", file=file)


def _switch(names: str, target: str, value: bool, env: str = "") -> Flag:
    return Flag(tuple(names.split()), fixed={target: value}, env=env and f"LLAMA_ARG_{env}")


FLAGS: Final = (
    # What is served, and where.
    _value("-m --model", MODEL, str, "MODEL", file=True),
    _value("-hf -hfr --hf-repo", HUB_MODEL, _repository, "HF_REPO"),
    _value("-hff --hf-file", HUB_FILE, str, "HF_FILE"),
    _value("-mu --model-url", MODEL_URL, _address, "MODEL_URL"),
    _value("-a --alias", ALIASES, _words, "ALIAS"),
    _value("--host", HOSTS, _words, "HOST"),
    _value("--port", PORT, _port, "PORT"),
    Flag(("--api-key",), API_KEYS, _words, env="LLAMA_API_KEY"),
    _value("--api-key-file", API_KEY_FILE, str, "API_KEY_FILE"),
    _value("--api-prefix", "api_prefix", str, "API_PREFIX"),
    _switch("--metrics", "endpoint_metrics", True, "ENDPOINT_METRICS"),
    _switch("--slots", "endpoint_slots", True, "ENDPOINT_SLOTS"),
    _switch("--no-slots", "endpoint_slots", False),
    _switch("--props", "endpoint_props", True, "ENDPOINT_PROPS"),
    _switch("--ui --webui", "ui", True, "UI"),
    _switch("--no-ui --no-webui", "ui", False),
    _value("--cors-origins", "cors_origins", str, "CORS_ORIGINS"),
    _value("-to --timeout", "timeout_read", _positive, "TIMEOUT"),
    _value("--threads-http", "n_threads_http", int, "THREADS_HTTP"),
    _value("--sse-ping-interval", "sse_ping_interval", int, "SSE_PING_INTERVAL"),
    _value("--sleep-idle-seconds", "sleep_idle_seconds", int),
    # The batch and its memory.
    _value("-c --ctx-size", "n_ctx", int, "CTX_SIZE"),
    _value("-np --parallel", PARALLEL, _positive, "N_PARALLEL"),
    _value("-b --batch-size", "n_batch", _positive, "BATCH"),
    _value("-ub --ubatch-size", "n_ubatch", _positive, "UBATCH"),
    _switch("-cb --cont-batching", "cont_batching", True, "CONT_BATCHING"),
    _switch("-nocb --no-cont-batching", "cont_batching", False),
    _switch("-kvu --kv-unified", "kv_unified", True, "KV_UNIFIED"),
    _switch("-no-kvu --no-kv-unified", "kv_unified", False),
    _value("-ctk --cache-type-k", "cache_type_k", _CACHE_TYPE, "CACHE_TYPE_K"),
    _value("-ctv --cache-type-v", "cache_type_v", _CACHE_TYPE, "CACHE_TYPE_V"),
    _value("-cram --cache-ram", "cache_ram_mib", int, "CACHE_RAM"),
    _switch("--cache-prompt", "cache_prompt", True, "CACHE_PROMPT"),
    _switch("--no-cache-prompt", "cache_prompt", False),
    _value("--cache-reuse", "n_cache_reuse", int, "CACHE_REUSE"),
    _value("-sps --slot-prompt-similarity", "slot_prompt_similarity", float),
    _value("--slot-save-path", "slot_save_path", str, "SLOT_SAVE_PATH"),
    _switch("--context-shift", "ctx_shift", True, "CONTEXT_SHIFT"),
    _switch("--no-context-shift", "ctx_shift", False),
    # The machine.
    _value("-t --threads", THREADS, int, "THREADS"),
    _value("-tb --threads-batch", THREADS_BATCH, int),
    _value("--poll", "cpuparams.poll", int),
    _value("-ngl --gpu-layers --n-gpu-layers", "n_gpu_layers", _layers, "N_GPU_LAYERS"),
    _value("-sm --split-mode", "split_mode", _SPLIT, "SPLIT_MODE"),
    _value("-mg --main-gpu", "main_gpu", int, "MAIN_GPU"),
    Flag(("-fa", "--flash-attn"), "flash_attn_type", _ON_OFF_AUTO, env="LLAMA_ARG_FLASH_ATTN", bare="on"),
    Flag(("--mmap",), fixed={"load_mode": 1}),
    Flag(("--no-mmap",), fixed={"load_mode": 0}),
    Flag(("--mlock",), fixed={"load_mode": 3}),
    _switch("--warmup", "warmup", True),
    _switch("--no-warmup", "warmup", False),
    _switch("--check-tensors", "check_tensors", True),
    # What the model does.
    _value("-n --predict --n-predict", "n_predict", int, "N_PREDICT"),
    _value("--keep", "n_keep", int),
    _switch("--embedding --embeddings", "embedding", True, "EMBEDDINGS"),
    _value("--pooling", "pooling_type", _POOLING, "POOLING"),
    Flag(("--rerank", "--reranking"), fixed={"embedding": True, "pooling_type": _RANK}, env="LLAMA_ARG_RERANKING"),
    _value("--mmproj", "mmproj.path", str, "MMPROJ", file=True),
    Flag(("--lora",), LORA, _words, file=True, many=True),
    Flag(("--lora-scaled",), LORA_SCALED, _words, many=True),
    _switch("--jinja", "use_jinja", True, "JINJA"),
    _switch("--no-jinja", "use_jinja", False),
    _value("--chat-template", "chat_template", str, "CHAT_TEMPLATE"),
    _value("--chat-template-file", TEMPLATE_FILE, str, "CHAT_TEMPLATE_FILE"),
    _value("--reasoning-format", "reasoning_format", _REASONING, "THINK"),
    _value("--rope-scaling", "rope_scaling_type", _ROPE, "ROPE_SCALING_TYPE"),
    _value("--rope-freq-base", "rope_freq_base", float, "ROPE_FREQ_BASE"),
    _value("--rope-freq-scale", "rope_freq_scale", float, "ROPE_FREQ_SCALE"),
    _value("-s --seed", "sampling.seed", int),
    _value("--temp --temperature", "sampling.temp", float, "TEMPERATURE"),
    _value("--top-k", "sampling.top_k", int, "TOP_K"),
    _value("--top-p", "sampling.top_p", float, "TOP_P"),
    _value("--min-p", "sampling.min_p", float, "MIN_P"),
    _value("--repeat-penalty", "sampling.penalty_repeat", float, "REPEAT_PENALTY"),
    _value("--presence-penalty", "sampling.penalty_present", float, "PRESENCE_PENALTY"),
    _value("--frequency-penalty", "sampling.penalty_freq", float, "FREQUENCY_PENALTY"),
    # What it says of itself.
    Flag(("-v", "--verbose", "--log-verbose"), fixed={"verbosity": 5}),
    _value("-lv --verbosity --log-verbosity", "verbosity", int, "LOG_VERBOSITY"),
)

_IMAGES: Final = "name the model as --model hf://OWNER/MODEL:Q4_K_M, as another reference or as a local path"

REFUSED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("-dr", "--docker-repo", "LLAMA_ARG_DOCKER_REPO"), _IMAGES),
    **dict.fromkeys(("--models-dir", "--models-preset"), "a replica serves one model: name it with --model"),
    **dict.fromkeys(
        ("--ssl-key-file", "--ssl-cert-file"),
        "engines speak plain HTTP on their pod's address: TLS belongs to the gateway",
    ),
}
"""Flags and variables of llama-server that have a better answer than "unknown"."""
