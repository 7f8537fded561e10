import pytest

from brickyard.api import serving
from brickyard.engines.sim import metrics

VLLM = b"""
vllm:num_requests_running{engine="0",model_name="m"} 3
vllm:num_requests_waiting{engine="0",model_name="m"} 2
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.5
vllm:prompt_tokens_total{engine="0",model_name="m"} 70
vllm:generation_tokens_total{engine="0",model_name="m"} 30
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 71
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 16
"""
SGLANG = b"""
sglang:num_running_reqs{model_name="m"} 3
sglang:num_queue_reqs{model_name="m"} 2
sglang:token_usage{model_name="m"} 0.5
sglang:prompt_tokens_total{model_name="m"} 70
sglang:cached_tokens_total{model_name="m"} 16
sglang:generation_tokens_total{model_name="m"} 30
"""
TRTLLM = b"""
trtllm_num_requests_running{model_name="m"} 3
trtllm_num_requests_waiting{model_name="m"} 2
trtllm_kv_cache_utilization{model_name="m"} 0.5
"""


@pytest.mark.parametrize(
    ("page", "load"),
    [
        (VLLM, serving.EngineLoad(3, 2, 0.5, 70, 30, 71, 16)),
        (SGLANG, serving.EngineLoad(3, 2, 0.5, 70, 30, 70, 16)),
        (TRTLLM, serving.EngineLoad(3, 2, 0.5)),
        (b'kv_cache_utilization{model_name="m"} 0.25\n', serving.EngineLoad(kv_cache_usage=0.25)),
        (b"", serving.EngineLoad()),
    ],
)
def test_every_dialect(page: bytes, load: serving.EngineLoad) -> None:
    assert metrics.PAGE.parse(page) == load


def test_where_the_page_is() -> None:
    assert metrics.PAGE.path == "/metrics"
