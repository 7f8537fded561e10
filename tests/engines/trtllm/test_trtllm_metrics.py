from brickyard.api import serving
from brickyard.engines.trtllm import metrics

LABELS = 'engine_type="trtllm",model_name="Qwen/Qwen3-0.6B"'


def test_a_page_of_today() -> None:
    page = f"""# HELP trtllm_request_success_total Count of successfully processed requests.
# TYPE trtllm_request_success_total counter
trtllm_request_success_total{{{LABELS},finished_reason="stop"}} 150.0
trtllm_request_success_total{{{LABELS},finished_reason="length"}} 5.0
trtllm_kv_cache_utilization{{{LABELS}}} 0.62
trtllm_kv_cache_host_utilization{{{LABELS}}} 0.9
trtllm_kv_cache_hit_rate{{{LABELS}}} 0.38
trtllm_num_requests_running{{{LABELS}}} 3.0
trtllm_num_requests_waiting{{{LABELS}}} 1.0
trtllm_num_requests_completed_total{{{LABELS}}} 155.0
trtllm_prompt_tokens_total{{{LABELS}}} 9000.0
trtllm_prompt_cached_tokens_total{{{LABELS}}} 4096.0
trtllm_generation_tokens_total{{{LABELS}}} 12345.0
"""
    assert metrics.PAGE.parse(page.encode()) == serving.EngineLoad(
        running=3.0,
        waiting=1.0,
        kv_cache_usage=0.62,
        prompt_tokens_total=9000.0,
        generation_tokens_total=12345.0,
        prefix_cache_queries_total=9000.0,
        prefix_cache_hits_total=4096.0,
        finished_total=155.0,
    )


def test_names_before_the_prefix() -> None:
    page = b'kv_cache_utilization{engine_type="trtllm",model_name="m"} 0.25\nkv_cache_hit_rate{model_name="m"} 0.5\n'
    assert metrics.PAGE.parse(page) == serving.EngineLoad(kv_cache_usage=0.25)


def test_the_json_of_the_other_page_says_nothing() -> None:
    assert metrics.PAGE.parse(b'[{"kvCacheStats": {"usedNumBlocks": 3}, "iter": 1}]') == serving.EngineLoad()


def test_where_the_page_is() -> None:
    assert metrics.PAGE.path == "/prometheus/metrics"
