"""The double's metrics page, which is the page of the engine it imitates: vLLM, SGLang, TensorRT-LLM or xLLM.

A pod that is labelled with that engine's name is read by that engine's reader. This one is for pods labelled ``sim``: it takes each
number from whichever dialect the page is written in.
"""

from __future__ import annotations

from typing import Final

from brickyard.engines import exposition

PAGE: Final = exposition.TextPage(
    {
        "running": exposition.Reading.of(
            "vllm:num_requests_running", "sglang:num_running_reqs", "trtllm_num_requests_running"
        ),
        "waiting": exposition.Reading.of(
            "vllm:num_requests_waiting", "sglang:num_queue_reqs", "trtllm_num_requests_waiting"
        ),
        "kv_cache_usage": exposition.Reading.of(
            "vllm:kv_cache_usage_perc",
            "sglang:token_usage",
            "trtllm_kv_cache_utilization",
            "kv_cache_utilization",
            combine=max,
        ),
        "prompt_tokens_total": exposition.Reading.of(
            "vllm:prompt_tokens_total", "sglang:prompt_tokens_total", "trtllm_prompt_tokens_total"
        ),
        "generation_tokens_total": exposition.Reading.of(
            "vllm:generation_tokens_total", "sglang:generation_tokens_total", "trtllm_generation_tokens_total"
        ),
        "prefix_cache_queries_total": exposition.Reading.of(
            "vllm:prefix_cache_queries_total", "sglang:prompt_tokens_total"
        ),
        "prefix_cache_hits_total": exposition.Reading.of("vllm:prefix_cache_hits_total", "sglang:cached_tokens_total"),
    }
)
