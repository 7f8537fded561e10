"""What is found on pages: recorded ones of real engines, and the odd ones."""

from __future__ import annotations

import pathlib

import pytest

from brickyard.assembly import engines
from brickyard.controllers.podautoscaler.sources import found, looks

DATA = pathlib.Path(__file__).parents[3] / "engines" / "data"
VLLM = (DATA / "vllm-0.32-busy.txt").read_bytes()
SGLANG = (DATA / "sglang-0.4-busy.txt").read_bytes()
LLAMACPP = (DATA / "llamacpp-busy.txt").read_bytes()
NOW = 1_700_000_000.0

finder = looks.Looks(engines.series())


def at_pod(name: str, page: bytes, engine: str = "vllm") -> found.Found:
    return finder.at_pod(name, engine).read(page, NOW)


def elsewhere(name: str, page: bytes) -> found.Found:
    return finder.elsewhere(name).read(page, NOW)


def absent(answer: found.Found) -> str:
    assert isinstance(answer, found.Absent)
    return answer.why


class TestRecordedPages:
    @pytest.mark.parametrize("name", ["num_requests_waiting", "vllm:num_requests_waiting"])
    def test_vllm(self, name: str) -> None:
        assert at_pod(name, VLLM) == found.Gauge((83.0,))

    @pytest.mark.parametrize("name", ["gpu_cache_usage_perc", "vllm:gpu_cache_usage_perc", "kv_cache_usage_perc"])
    def test_old_and_new_names_of_one_series(self, name: str) -> None:
        answer = at_pod(name, VLLM)
        assert isinstance(answer, found.Gauge)
        assert answer.mean
        assert answer.values == pytest.approx((0.0041509,), rel=1e-4)

    def test_a_series_without_a_name_of_aibrix(self) -> None:
        answer = at_pod("vllm:num_requests_waiting_by_reason", VLLM)
        assert answer == found.Gauge((83.0, 0.0))

    def test_counters_by_type_not_by_name_alone(self) -> None:
        assert isinstance(at_pod("prompt_tokens_total", VLLM), found.Counter)
        assert isinstance(at_pod("python_gc_collections_total", VLLM), found.Counter)

    @pytest.mark.parametrize(
        ("name", "quantile"),
        [
            ("time_to_first_token_seconds", None),
            ("time_to_first_token_seconds_p90", 0.9),
            ("vllm:time_to_first_token_seconds_p99", 0.99),
            ("vllm:time_to_first_token_seconds", None),
        ],
    )
    def test_distributions(self, name: str, quantile: float | None) -> None:
        answer = at_pod(name, VLLM)
        assert isinstance(answer, found.Distribution)
        assert answer.quantile == quantile
        assert not answer.idle
        [spread] = answer.models.values()
        assert spread.total > 0

    def test_sglang_by_aibrix_name_and_even_by_vllms(self) -> None:
        answer = at_pod("num_requests_running", SGLANG, "sglang")
        assert isinstance(answer, found.Gauge)
        assert at_pod("vllm:num_requests_running", SGLANG, "sglang") == answer
        assert at_pod("sglang:num_running_reqs", SGLANG, "sglang") == answer

    def test_llamacpp(self) -> None:
        assert at_pod("num_requests_running", LLAMACPP, "llamacpp") == found.Gauge((1.0,))
        assert isinstance(at_pod("llamacpp:n_decode_total", LLAMACPP, "llamacpp"), found.Counter)

    def test_every_page_by_every_name_gives_an_answer(self) -> None:
        for engine, page in (("vllm", VLLM), ("sglang", SGLANG), ("llamacpp", LLAMACPP)):
            for name in engines.series()[engine].names:
                assert isinstance(
                    at_pod(name, page, engine), found.Gauge | found.Counter | found.Distribution | found.Absent
                )


class TestIdle:
    PAGE = (
        'vllm:e2e_request_latency_seconds_bucket{le="+Inf"} 4\nvllm:e2e_request_latency_seconds_sum 2\n'
        "vllm:e2e_request_latency_seconds_count 4\n"
    )

    @pytest.mark.parametrize(
        ("lines", "idle"),
        [
            ("vllm:num_requests_running 0\nvllm:num_requests_waiting 0\n", True),
            ("vllm:num_requests_running 1\nvllm:num_requests_waiting 0\n", False),
            ("vllm:num_requests_running 0\nvllm:num_requests_waiting 1\n", False),
            ("vllm:num_requests_running 0\n", False),
            ("", False),
        ],
    )
    def test_only_who_says_so(self, lines: str, idle: bool) -> None:
        answer = at_pod("e2e_request_latency_seconds", (self.PAGE + lines).encode())
        assert isinstance(answer, found.Distribution)
        assert answer.idle is idle


class TestSeveralModels:
    def test_counts_of_models_are_kept_apart(self) -> None:
        page = b'vllm:num_requests_waiting{model_name="a"} 2\nvllm:num_requests_waiting{model_name="lora"} 3\n'
        assert at_pod("num_requests_waiting", page) == found.Gauge((2.0, 3.0))

    def test_shares_are_averaged(self) -> None:
        page = b'vllm:kv_cache_usage_perc{model_name="a"} 0.2\nvllm:kv_cache_usage_perc{model_name="b"} 0.4\n'
        assert at_pod("kv_cache_usage_perc", page) == found.Gauge((0.2, 0.4), mean=True)


class TestOtherPages:
    def test_a_service_of_ones_own(self) -> None:
        assert elsewhere("my_queue", b"# TYPE my_queue gauge\nmy_queue 7\n") == found.Gauge((7.0,))

    def test_aibrix_names_by_whichever_engine_knows_them(self) -> None:
        assert elsewhere("num_requests_waiting", SGLANG) == at_pod("num_requests_waiting", SGLANG, "sglang")
        assert elsewhere("num_requests_waiting", VLLM) == found.Gauge((83.0,))

    def test_the_optimizers_page(self) -> None:
        page = b'# TYPE vllm:deployment_replicas gauge\nvllm:deployment_replicas{model_name="m"} 300\n'
        assert elsewhere("vllm:deployment_replicas", page) == found.Gauge((300.0,))

    def test_an_unknown_engine_is_read_by_names_on_the_page(self) -> None:
        assert at_pod("num_requests_waiting", b"num_requests_waiting 4\n", "mine") == found.Gauge((4.0,))
        assert "no num_requests_waiting" in absent(at_pod("num_requests_waiting", VLLM, "mine"))

    def test_a_prefix_that_is_no_engines_is_part_of_the_name(self) -> None:
        page = b"mine:num_requests_waiting 4\nvllm:num_requests_waiting 9\n"
        assert at_pod("mine:num_requests_waiting", page) == found.Gauge((4.0,))

    def test_without_a_type_the_end_of_the_name_tells(self) -> None:
        assert isinstance(elsewhere("a_total", b"a_total 4\n"), found.Counter)
        assert isinstance(elsewhere("a", b"a 4\n"), found.Gauge)

    def test_the_page_knows_better_than_the_name(self) -> None:
        assert isinstance(elsewhere("a_total", b"# TYPE a_total gauge\na_total 4\n"), found.Gauge)
        assert isinstance(elsewhere("a", b"# TYPE a counter\na 4\n"), found.Counter)

    def test_a_counters_labels_are_kept_apart(self) -> None:
        assert elsewhere("a_total", b'a_total{x="1"} 4\na_total{x="2"} 5\n') == found.Counter(
            {'{x="1"}': 4.0, '{x="2"}': 5.0}
        )

    def test_a_summary_has_a_mean(self) -> None:
        page = b'# TYPE s summary\ns{quantile="0.9"} 3\ns_sum 8\ns_count 4\n'
        answer = elsewhere("s", page)
        assert isinstance(answer, found.Distribution)
        assert answer.models[""].mean() == 2.0

    def test_a_histogram_by_its_own_name(self) -> None:
        page = b'# TYPE h histogram\nh_bucket{le="1"} 3\nh_bucket{le="+Inf"} 4\nh_sum 8\nh_count 4\n'
        answer = elsewhere("h_p50", page)
        assert isinstance(answer, found.Distribution)
        assert answer.quantile == 0.5
        assert answer.models[""].bounds == (1.0,)

    def test_a_series_that_ends_like_a_quantile_is_one_if_it_is_there(self) -> None:
        assert elsewhere("lag_p90", b"lag_p90 3\n") == found.Gauge((3.0,))

    def test_a_sample_that_is_old_by_its_own_word(self) -> None:
        fresh, old = (f"q 4 {int((NOW - age) * 1000)}\n".encode() for age in (100, 130))
        assert elsewhere("q", fresh) == found.Gauge((4.0,))
        assert "130 s old" in absent(elsewhere("q", old))

    def test_text_where_a_number_should_be(self) -> None:
        page = b'vllm:lora_requests_info{max_lora="4",running_lora_adapters="a"} 1700000000\n'
        assert "is a text" in absent(at_pod("running_lora_adapters", page))

    def test_a_quantile_of_what_is_no_distribution(self) -> None:
        assert "no num_requests_waiting_p90" in absent(at_pod("num_requests_waiting_p90", b"up 1\n"))
        assert "is no distribution" in absent(at_pod("num_requests_waiting_p90", VLLM))


class TestNowhere:
    @pytest.mark.parametrize(
        ("page", "why"),
        [
            (b"", "is empty"),
            (b"  \n", "is empty"),
            (b"<!DOCTYPE html><html>", "is HTML"),
            (b"\n<html>", "is HTML"),
            (b'{"status": "ok"}', "is JSON"),
            (b"[]", "is JSON"),
            (b"up 1\n", "the page has no num_requests_waiting: correct targetMetric"),
            (b'vllm:num_requests_waiting{model_name="m"} NaN\n', "num_requests_waiting is NaN"),
            (b"vllm:num_requests_waiting +Inf\n", "num_requests_waiting is +Inf"),
            (b"\x00\xff\xfe", "has no"),
        ],
    )
    def test_why(self, page: bytes, why: str) -> None:
        assert why in absent(at_pod("num_requests_waiting", page))

    @pytest.mark.parametrize("name", ["a b", "sum(x)", "x{y='z'}", "1st", "a\nb 3"])
    def test_a_name_that_no_series_can_have(self, name: str) -> None:
        assert "correct targetMetric" in absent(elsewhere(name, b"up 1\nb 3\n"))

    def test_looks_are_made_once(self) -> None:
        assert finder.at_pod("q", "vllm") is finder.at_pod("q", "vllm")
        assert finder.at_pod("q", "vllm").key != finder.at_pod("q", "sglang").key
