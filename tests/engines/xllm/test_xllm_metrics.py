from brickyard.api import serving
from brickyard.engines.xllm import metrics

BRPC = b"""# HELP num_pending_requests
# TYPE num_pending_requests gauge
num_pending_requests 4
# HELP num_running_requests
# TYPE num_running_requests gauge
num_running_requests 3
# HELP num_waiting_requests
# TYPE num_waiting_requests gauge
num_waiting_requests 1
# HELP num_running_sequences
# TYPE num_running_sequences gauge
num_running_sequences 6
# HELP kv_cache_utilization_perc
# TYPE kv_cache_utilization_perc gauge
kv_cache_utilization_perc 0.415
# HELP num_processing_tokens_total_prompt
# TYPE num_processing_tokens_total_prompt gauge
num_processing_tokens_total_prompt 81920
# HELP num_processing_tokens_total_generated
# TYPE num_processing_tokens_total_generated gauge
num_processing_tokens_total_generated 1.2345e+06
# HELP time_to_first_token_latency_milliseconds_count
# TYPE time_to_first_token_latency_milliseconds_count gauge
time_to_first_token_latency_milliseconds_count 12
# HELP server_request_total_ok
# TYPE server_request_total_ok gauge
server_request_total_ok 7
"""


def test_a_page_as_brpc_writes_it() -> None:
    assert metrics.PAGE.parse(BRPC) == serving.EngineLoad(
        running=3.0,
        waiting=1.0,
        kv_cache_usage=0.415,
        prompt_tokens_total=81920.0,
        generation_tokens_total=1234500.0,
        finished_total=7.0,
    )


def test_the_names_that_aibrix_reads() -> None:
    page = b"kv_cache_utilization 0.5\nkv_cache_utilization_perc 0.4\nengine_utilization 0.9\n"
    assert metrics.PAGE.parse(page) == serving.EngineLoad(kv_cache_usage=0.5, utilization=0.9)


def test_where_the_page_is() -> None:
    assert metrics.PAGE.path == "/metrics"
