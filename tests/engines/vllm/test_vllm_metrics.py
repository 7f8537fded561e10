import pathlib

import pytest

from brickyard.api import serving
from brickyard.engines.vllm import metrics

DATA = pathlib.Path(__file__).parent.parent / "data"


def test_a_page_recorded_from_a_busy_server() -> None:
    load = metrics.PAGE.parse((DATA / "vllm-0.32-busy.txt").read_bytes())
    assert load == serving.EngineLoad(
        running=23.0,
        waiting=83.0,
        kv_cache_usage=0.00415089732633378,
        prompt_tokens_total=4357.0,
        generation_tokens_total=4572.0,
        prefix_cache_queries_total=4558.0,
        prefix_cache_hits_total=1664.0,
        finished_total=6.0,
        queue_seconds_total=0.00012193199972898583,
        prefill_seconds_total=0.06169713200006299,
        decode_seconds_total=10.952393443999881,
    )


def test_the_names_of_version_0_7() -> None:
    page = b"""# HELP vllm:num_requests_running Number of requests currently running on GPU.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{model_name="deepseek-r1-distill-llama-8b"} 3.0
vllm:num_requests_waiting{model_name="deepseek-r1-distill-llama-8b"} 1.0
vllm:num_requests_swapped{model_name="deepseek-r1-distill-llama-8b"} 0.0
vllm:gpu_cache_usage_perc{model_name="deepseek-r1-distill-llama-8b"} 0.42
vllm:cpu_cache_usage_perc{model_name="deepseek-r1-distill-llama-8b"} 0.0
vllm:gpu_prefix_cache_hit_rate{model_name="deepseek-r1-distill-llama-8b"} -1.0
vllm:prompt_tokens_total{model_name="deepseek-r1-distill-llama-8b"} 1.2345e+06
vllm:generation_tokens_total{model_name="deepseek-r1-distill-llama-8b"} 98765.0
"""
    assert metrics.PAGE.parse(page) == serving.EngineLoad(
        running=3.0,
        waiting=1.0,
        kv_cache_usage=0.42,
        prompt_tokens_total=1234500.0,
        generation_tokens_total=98765.0,
        cpu_cache_usage=0.0,
    )


def test_the_names_of_the_first_v1_engines() -> None:
    page = b"""vllm:gpu_cache_usage_perc{engine="0",model_name="m"} 0.5
vllm:gpu_prefix_cache_queries_total{engine="0",model_name="m"} 100.0
vllm:gpu_prefix_cache_queries_created{engine="0",model_name="m"} 1.7e+09
vllm:gpu_prefix_cache_hits_total{engine="0",model_name="m"} 25.0
"""
    assert metrics.PAGE.parse(page) == serving.EngineLoad(
        kv_cache_usage=0.5, prefix_cache_queries_total=100.0, prefix_cache_hits_total=25.0
    )


def test_a_number_told_under_both_names_counts_once() -> None:
    page = b"""vllm:gpu_prefix_cache_queries_total{engine="0",model_name="m"} 100.0
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 100.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.5
vllm:gpu_cache_usage_perc{engine="0",model_name="m"} 0.5
"""
    load = metrics.PAGE.parse(page)
    assert load.prefix_cache_queries_total == 100.0
    assert load.kv_cache_usage == 0.5


def test_data_parallel_ranks_add_up_and_the_fullest_cache_counts() -> None:
    page = b"".join(
        b'vllm:num_requests_running{engine="%d",model_name="m"} %d.0\n'
        b'vllm:num_requests_waiting{engine="%d",model_name="m"} 1.0\n'
        b'vllm:prompt_tokens_total{engine="%d",model_name="m"} 10.0\n'
        b'vllm:kv_cache_usage_perc{engine="%d",model_name="m"} 0.%d\n' % (rank, rank, rank, rank, rank, rank)
        for rank in range(4)
    )
    load = metrics.PAGE.parse(page)
    assert (load.running, load.waiting, load.prompt_tokens_total) == (6.0, 4.0, 40.0)
    assert load.kv_cache_usage == pytest.approx(0.3)


def test_adapters_stand_in_the_newest_sample() -> None:
    page = b"""vllm:lora_requests_info{max_lora="4",running_lora_adapters="sql,law",waiting_lora_adapters=""} 1.7e+09
vllm:lora_requests_info{max_lora="4",running_lora_adapters="",waiting_lora_adapters="law"} 1.70000001e+09
"""
    load = metrics.PAGE.parse(page)
    assert (load.loras_running, load.loras_waiting, load.lora_slots) == ((), ("law",), 4.0)


@pytest.mark.parametrize("labels", [b'{max_lora="many"}', b"", b'{max_lora=""}'])
def test_slots_that_are_no_number_say_nothing(labels: bytes) -> None:
    load = metrics.PAGE.parse(b"vllm:lora_requests_info" + labels + b" 1.0\n")
    assert (load.loras_running, load.lora_slots) == ((), None)


def test_where_the_page_is() -> None:
    assert metrics.PAGE.path == "/metrics"
