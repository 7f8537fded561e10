import pathlib

from brickyard.api import serving
from brickyard.engines.llamacpp import metrics

DATA = pathlib.Path(__file__).parent.parent / "data"


def test_a_page_recorded_from_a_busy_server() -> None:
    load = metrics.PAGE.parse((DATA / "llamacpp-busy.txt").read_bytes())
    assert load == serving.EngineLoad(
        running=1.0,
        waiting=2.0,
        kv_cache_usage=None,
        prompt_tokens_total=135.0,
        generation_tokens_total=60.0,
        prefix_cache_queries_total=135.0,
        prefix_cache_hits_total=90.0,
        prefill_seconds_total=0.295417,
        decode_seconds_total=0.686564,
    )


def test_a_page_of_a_server_before_the_cache_was_counted() -> None:
    page = b"""# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 45
llamacpp:tokens_predicted_total 60
llamacpp:kv_cache_usage_ratio 0.25
llamacpp:kv_cache_tokens 128
llamacpp:requests_processing 0
llamacpp:requests_deferred 0
"""
    assert metrics.PAGE.parse(page) == serving.EngineLoad(
        running=0.0, waiting=0.0, kv_cache_usage=0.25, prompt_tokens_total=45.0, generation_tokens_total=60.0
    )


def test_an_error_page_says_nothing() -> None:
    assert metrics.PAGE.parse(b'{"error":{"message":"Invalid API Key","code":401}}') == serving.EngineLoad()


def test_where_the_page_is() -> None:
    assert metrics.PAGE.path == "/metrics"
