from bench import enginepage
from brickyard.engines.vllm import metrics


def test_numbers_move_and_the_page_stays_one_that_can_be_read() -> None:
    made = enginepage.template(enginepage.RECORDED.read_text())
    shown = [
        metrics.PAGE.parse(made.replace('<!--# echo var="connection_requests" -->', str(n)).encode()) for n in (2, 9)
    ]
    assert [load.running for load in shown] == [2.0, 9.0]
    assert [load.kv_cache_usage for load in shown] == [0.2, 0.9]
    assert [load.prompt_tokens_total for load in shown] == [2000.0, 9000.0]
    for name in ("generation_tokens_total", "finished_total", "prefill_seconds_total", "decode_seconds_total"):
        assert getattr(shown[0], name) < getattr(shown[1], name)
