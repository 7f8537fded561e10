import pathlib

from brickyard.api import serving
from brickyard.engines.sglang import metrics

DATA = pathlib.Path(__file__).parent.parent / "data"


def test_a_page_recorded_from_a_busy_server() -> None:
    """The page in SGLang's own documentation, from a server of version 0.4 under a benchmark."""
    assert metrics.PAGE.parse((DATA / "sglang-0.4-busy.txt").read_bytes()) == serving.EngineLoad(
        running=162.0,
        waiting=2826.0,
        kv_cache_usage=0.28,
        prompt_tokens_total=8128902.0,
        generation_tokens_total=7557572.0,
        prefix_cache_queries_total=8128902.0,
    )


def test_the_labels_of_version_0_5() -> None:
    rank = 'engine_type="unified",model_name="Qwen/Qwen3-8B",moe_ep_rank="0",pp_rank="0",tp_rank="0"'
    page = f"""# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{{{rank}}} 12.0
sglang:num_running_reqs_offline_batch{{{rank}}} 99.0
sglang:num_queue_reqs{{{rank}}} 3.0
sglang:num_grammar_queue_reqs{{{rank}}} 9.0
sglang:token_usage{{{rank}}} 0.74
sglang:full_token_usage{{{rank}}} 0.91
sglang:cached_tokens_total{{cache_source="device",engine_type="unified",model_name="Qwen/Qwen3-8B"}} 400.0
sglang:cached_tokens_total{{cache_source="host",engine_type="unified",model_name="Qwen/Qwen3-8B"}} 50.0
sglang:prompt_tokens_total{{engine_type="unified",is_streaming="false",model_name="Qwen/Qwen3-8B"}} 700.0
sglang:prompt_tokens_total{{engine_type="unified",is_streaming="true",model_name="Qwen/Qwen3-8B"}} 300.0
sglang:generation_tokens_total{{engine_type="unified",is_streaming="true",model_name="Qwen/Qwen3-8B"}} 64.0
"""
    assert metrics.PAGE.parse(page.encode()) == serving.EngineLoad(
        running=12.0,
        waiting=3.0,
        kv_cache_usage=0.74,
        prompt_tokens_total=1000.0,
        generation_tokens_total=64.0,
        prefix_cache_queries_total=1000.0,
        prefix_cache_hits_total=450.0,
    )


def test_tensor_ranks_repeat_and_data_parallel_ranks_add_up() -> None:
    page = "".join(
        f'sglang:num_running_reqs{{dp_rank="{tp // 2}",model_name="m",tp_rank="{tp}"}} {tp // 2 + 2}.0\n'
        f'sglang:num_queue_reqs{{dp_rank="{tp // 2}",model_name="m",priority="",tp_rank="{tp}"}} 7.0\n'
        f'sglang:num_queue_reqs{{dp_rank="{tp // 2}",model_name="m",priority="1",tp_rank="{tp}"}} 4.0\n'
        f'sglang:token_usage{{dp_rank="{tp // 2}",model_name="m",tp_rank="{tp}"}} 0.{tp}\n'
        for tp in range(4)
    )
    load = metrics.PAGE.parse(page.encode())
    assert (load.running, load.waiting, load.kv_cache_usage) == (5.0, 14.0, 0.3)


def test_where_the_page_is() -> None:
    assert metrics.PAGE.path == "/metrics"
