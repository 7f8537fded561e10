"""The metrics page as four engines write it. One table per engine: names, types and where the numbers come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from brickyard.sim.engine.core import params, scheduler, statistics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PATHS: Final[Mapping[str, str]] = {
    "vllm": "/metrics",
    "sglang": "/metrics",
    "trtllm": "/prometheus/metrics",
    "xllm": "/metrics",
}


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """What a page is made of. ``rates`` are prompt and generated tokens per second of late; ``overrides`` by name without prefix."""

    model: str
    scheduler: scheduler.Scheduler
    statistics: statistics.Statistics
    sleep_level: int
    rates: tuple[float, float]
    overrides: Mapping[str, Any]


Number = int | float
Labelled = Mapping[str, Number]
Source = Callable[[View], Any]

# name, type, source: a number, a histogram, or numbers by the label that the third column names
_Family = tuple[str, str, Source] | tuple[str, str, Source, str]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _waiting(of: scheduler.Scheduler) -> Labelled:
    return {"capacity": of.waiting - of.deferred, "deferred": of.deferred}


def _sources(view: View) -> Labelled:
    found, handed = view.scheduler.hits, view.scheduler.remote_hits
    computed = max(0, view.statistics.prompt_tokens - view.statistics.cached_tokens)
    return {"local_compute": computed, "local_cache_hit": found, "external_kv_transfer": handed}


def _sleep_states(level: int) -> Labelled:
    return {"awake": int(level == 0), "weights_offloaded": int(level == 1), "discard_all": int(level == 2)}


_VLLM: Final[tuple[_Family, ...]] = (
    ("num_requests_running", "gauge", lambda view: view.scheduler.running),
    ("num_requests_waiting", "gauge", lambda view: view.scheduler.waiting),
    ("num_requests_waiting_by_reason", "gauge", lambda view: _waiting(view.scheduler), "reason"),
    ("num_requests_swapped", "gauge", lambda _: 0),
    ("kv_cache_usage_perc", "gauge", lambda view: view.scheduler.pool.usage),
    ("gpu_cache_usage_perc", "gauge", lambda view: view.scheduler.pool.usage),
    ("cpu_cache_usage_perc", "gauge", lambda _: 0),
    ("prefix_cache_queries_total", "counter", lambda view: view.scheduler.queries),
    ("prefix_cache_hits_total", "counter", lambda view: view.scheduler.hits),
    ("external_prefix_cache_queries_total", "counter", lambda view: view.scheduler.remote_queries),
    ("external_prefix_cache_hits_total", "counter", lambda view: view.scheduler.remote_hits),
    ("num_preemptions_total", "counter", lambda view: view.scheduler.preemptions),
    ("prompt_tokens_total", "counter", lambda view: view.statistics.prompt_tokens),
    ("prompt_tokens_by_source_total", "counter", _sources, "source"),
    ("prompt_tokens_cached_total", "counter", lambda view: view.statistics.cached_tokens),
    ("generation_tokens_total", "counter", lambda view: view.statistics.generated_tokens),
    ("request_success_total", "counter", lambda view: view.statistics.finished, "finished_reason"),
    ("avg_prompt_throughput_toks_per_s", "gauge", lambda view: view.rates[0]),
    ("avg_generation_throughput_toks_per_s", "gauge", lambda view: view.rates[1]),
    ("time_to_first_token_seconds", "histogram", lambda view: view.statistics.first_token),
    ("inter_token_latency_seconds", "histogram", lambda view: view.statistics.between),
    ("time_per_output_token_seconds", "histogram", lambda view: view.statistics.between),
    ("request_time_per_output_token_seconds", "histogram", lambda view: view.statistics.per_token),
    ("e2e_request_latency_seconds", "histogram", lambda view: view.statistics.latency),
    ("request_queue_time_seconds", "histogram", lambda view: view.statistics.queue),
    ("request_inference_time_seconds", "histogram", lambda view: view.statistics.inference),
    ("request_prefill_time_seconds", "histogram", lambda view: view.statistics.prefill),
    ("request_decode_time_seconds", "histogram", lambda view: view.statistics.decode),
    ("request_prompt_tokens", "histogram", lambda view: view.statistics.prompt),
    ("request_generation_tokens", "histogram", lambda view: view.statistics.generation),
    ("request_max_num_generation_tokens", "histogram", lambda view: view.statistics.generation),
    ("iteration_tokens_total", "histogram", lambda view: view.statistics.iteration),
    ("engine_sleep_state", "gauge", lambda view: _sleep_states(view.sleep_level), "sleep_state"),
)

_SGLANG: Final[tuple[_Family, ...]] = (
    ("num_running_reqs", "gauge", lambda view: view.scheduler.running),
    ("num_queue_reqs", "gauge", lambda view: view.scheduler.waiting),
    ("num_retracted_reqs", "gauge", lambda view: view.scheduler.preemptions),
    ("num_prefill_prealloc_queue_reqs", "gauge", lambda _: 0),
    ("num_decode_prealloc_queue_reqs", "gauge", lambda view: view.scheduler.deferred),
    ("token_usage", "gauge", lambda view: view.scheduler.pool.usage),
    ("num_used_tokens", "gauge", lambda view: round(view.scheduler.pool.usage * view.scheduler.params.capacity)),
    ("max_total_num_tokens", "gauge", lambda view: view.scheduler.params.capacity),
    ("cache_hit_rate", "gauge", lambda view: _share(view.scheduler.hits, view.scheduler.queries)),
    ("gen_throughput", "gauge", lambda view: view.rates[1]),
    ("num_requests_total", "counter", lambda view: sum(view.statistics.finished.values())),
    ("prompt_tokens_total", "counter", lambda view: view.statistics.prompt_tokens),
    ("cached_tokens_total", "counter", lambda view: view.statistics.cached_tokens),
    ("generation_tokens_total", "counter", lambda view: view.statistics.generated_tokens),
    ("time_to_first_token_seconds", "histogram", lambda view: view.statistics.first_token),
    ("inter_token_latency_seconds", "histogram", lambda view: view.statistics.between),
    ("e2e_request_latency_seconds", "histogram", lambda view: view.statistics.latency),
    ("per_stage_req_latency_seconds", "histogram", lambda view: view.statistics.prefill),
)

_TRTLLM: Final[tuple[_Family, ...]] = (
    ("request_success_total", "counter", lambda view: view.statistics.finished, "finished_reason"),
    ("kv_cache_utilization", "gauge", lambda view: view.scheduler.pool.usage),
    ("kv_cache_hit_rate", "gauge", lambda view: _share(view.scheduler.hits, view.scheduler.queries)),
    ("num_requests_running", "gauge", lambda view: view.scheduler.running),
    ("num_requests_waiting", "gauge", lambda view: view.scheduler.waiting),
    ("prompt_tokens_total", "counter", lambda view: view.statistics.prompt_tokens),
    ("generation_tokens_total", "counter", lambda view: view.statistics.generated_tokens),
    ("e2e_request_latency_seconds", "histogram", lambda view: view.statistics.latency),
    ("time_to_first_token_seconds", "histogram", lambda view: view.statistics.first_token),
    ("time_per_output_token_seconds", "histogram", lambda view: view.statistics.per_token),
    ("request_queue_time_seconds", "histogram", lambda view: view.statistics.queue),
)

_XLLM: Final[tuple[_Family, ...]] = (
    ("kv_cache_utilization", "gauge", lambda view: view.scheduler.pool.usage),
    ("engine_utilization", "gauge", lambda view: _share(view.scheduler.running, view.scheduler.params.max_num_seqs)),
)

_ENGINES: Final[Mapping[str, tuple[str, tuple[_Family, ...]]]] = {
    "vllm": ("vllm:", _VLLM),
    "sglang": ("sglang:", _SGLANG),
    "trtllm": ("trtllm_", _TRTLLM),
    "xllm": ("", _XLLM),
}

OVERRIDES: Final[Mapping[str, str]] = {
    # what POST /set_metrics calls them: what a page does
    "running": "num_requests_running",
    "waiting": "num_requests_waiting",
    "swapped": "num_requests_swapped",
    "success_total": "request_success_total",
    "prompt_tokens_total": "prompt_tokens_total",
    "generation_tokens_total": "generation_tokens_total",
    "avg_prompt_throughput": "avg_prompt_throughput_toks_per_s",
    "avg_generation_throughput": "avg_generation_throughput_toks_per_s",
    "gpu_cache_usage_perc": "gpu_cache_usage_perc",
    "kv_cache_usage_perc": "kv_cache_usage_perc",
    "cpu_cache_usage_perc": "cpu_cache_usage_perc",
}
_SAME: Final[Mapping[str, str]] = {
    "num_running_reqs": "num_requests_running",
    "num_queue_reqs": "num_requests_waiting",
    "num_retracted_reqs": "num_requests_swapped",
    "num_requests_total": "request_success_total",
    "gen_throughput": "avg_generation_throughput_toks_per_s",
    "token_usage": "kv_cache_usage_perc",
    "kv_cache_utilization": "kv_cache_usage_perc",
}


def render(engine: str, view: View) -> bytes:
    """The page of ``engine``."""
    prefix, families = _ENGINES[engine]
    labels = (
        f'engine="0",model_name="{_escaped(view.model)}"'
        if engine == "vllm"
        else f'model_name="{_escaped(view.model)}"'
    )
    lines: list[str] = []
    for name, kind, source, *label in families:
        lines.append(f"# TYPE {prefix}{name} {kind}")
        value = source(view)
        key = _SAME.get(name, name)
        if key in view.overrides and kind != "histogram":
            lines.append(f"{prefix}{name}{{{labels}}} {view.overrides[key]}")
        else:
            lines.extend(_samples(prefix + name, labels, value, label[0] if label else ""))
    if engine == "vllm":
        lines.extend((*_lora(view), *_cache_config(view.scheduler.params)))
    return ("\n".join(lines) + "\n").encode()


def _samples(name: str, labels: str, value: Any, label: str) -> Iterator[str]:
    if isinstance(value, statistics.Histogram):
        for bound, count in value.cumulative():
            shown = "+Inf" if bound == float("inf") else bound
            yield f'{name}_bucket{{{labels},le="{shown}"}} {count}'
        yield f"{name}_count{{{labels}}} {value.count}"
        yield f"{name}_sum{{{labels}}} {value.sum}"
    elif label:
        for key, number in value.items():
            yield f'{name}{{{labels},{label}="{_escaped(key)}"}} {number}'
    else:
        yield f"{name}{{{labels}}} {value}"


def _lora(view: View) -> Iterator[str]:
    running = ",".join(sorted(view.scheduler.running_adapters()))
    waiting = ",".join(sorted(view.scheduler.waiting_adapters()))
    yield "# TYPE vllm:lora_requests_info gauge"
    yield (
        f'vllm:lora_requests_info{{max_lora="{view.scheduler.params.max_loras}",'
        f'running_lora_adapters="{_escaped(running)}",waiting_lora_adapters="{_escaped(waiting)}"}} 1'
    )


def _cache_config(chosen: params.Params) -> Iterator[str]:
    yield "# TYPE vllm:cache_config_info gauge"
    yield (
        f'vllm:cache_config_info{{block_size="{chosen.block_size}",enable_prefix_caching="{chosen.prefix_caching}",'
        f'engine="0",num_gpu_blocks="{chosen.blocks}"}} 1'
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
