import math
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest

from brickyard.engines import contract, series
from brickyard.engines.llamacpp import series as llamacpp
from brickyard.engines.sglang import series as sglang
from brickyard.engines.trtllm import series as trtllm
from brickyard.engines.vllm import series as vllm
from brickyard.engines.xllm import series as xllm

DATA = pathlib.Path(__file__).parent / "data"


def read(page: str, *rows: series.Series) -> dict[str, dict[str, contract.Value]]:
    return series.Page(rows).read(page.encode())


class TestNumbers:
    def test_by_model_and_summed_over_ranks(self) -> None:
        page = 'q{engine="0",model_name="a"} 1\nq{engine="1",model_name="a"} 2\nq{model_name="org/b"} 4\n'
        assert read(page, series.number("n", "q")) == {"n": {"a": 3.0, "org/b": 4.0}}

    def test_no_model_is_the_pods_own(self) -> None:
        page = 'q 1\nq{model_name="undefined"} 2\nq{model_name=""} 4\n'
        assert read(page, series.number("n", "q")) == {"n": {"": 7.0}}

    def test_the_fullest_rank(self) -> None:
        assert read('q{e="0"} 0.25\nq{e="1"} 0.5\n', series.share("n", "q")) == {"n": {"": 0.5}}

    def test_the_first_name_on_the_page_for_each_model(self) -> None:
        page = 'new{model_name="a"} 1\nold{model_name="a"} 2\nold{model_name="b"} 3\n'
        assert read(page, series.number("n", "new", "old")) == {"n": {"a": 1.0, "b": 3.0}}

    def test_what_is_not_told_is_absent(self) -> None:
        assert read("q 1\n", series.number("n", "r"), series.histogram("h", "q"), series.label("l", "r")) == {}

    def test_only_samples_with_the_label(self) -> None:
        row = series.Series("n", series.number("n", "q").reading, where=("state", "awake"))
        assert read('q{state="awake"} 1\nq{state="asleep"} 5\nq 7\n', row) == {"n": {"": 1.0}}

    def test_a_name_stands_once(self) -> None:
        with pytest.raises(ValueError, match="two rows"):
            series.Page([series.number("n", "a"), series.share("n", "b")])


def test_a_label_of_the_newest_sample() -> None:
    page = 'i{running="a",n="4"} 100\ni{running="a,b",n="4"} 300.5\ni{running="",n="4"} 200\n'
    assert read(page, series.label("running", "i"), series.label("n", "i")) == {"running": {"": "a,b"}, "n": {"": "4"}}


class TestHistograms:
    def test_ranks_add_up(self) -> None:
        page = "".join(
            f'h_bucket{{engine="{rank}",le="0.5"}} 1\nh_bucket{{engine="{rank}",le="+Inf"}} 3\n'
            f'h_bucket{{engine="{rank}",le="0.1"}} 0\nh_count{{engine="{rank}"}} 3\nh_sum{{engine="{rank}"}} 2.5\n'
            for rank in range(2)
        )
        assert read(page, series.histogram("h", "h")) == {
            "h": {"": contract.Histogram((0.1, 0.5), (0.0, 2.0), 6.0, 5.0)}
        }

    def test_the_total_is_the_largest_told(self) -> None:
        page = 'h_bucket{le="1"} 4\nh_bucket{le="oops"} 9\nh_bucket{le="NaN"} 9\nh_count 3\n'
        assert read(page, series.histogram("h", "h")) == {"h": {"": contract.Histogram((1.0,), (4.0,), 4.0, 0.0)}}

    @given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=30))
    def test_agrees_with_what_prometheus_client_writes(self, observed: list[float]) -> None:
        registry = CollectorRegistry()
        written = Histogram("h", "help", ["model_name"], buckets=(1.0, 5.0, 10.0), registry=registry).labels("m")
        for value in observed:
            written.observe(value)
        found = series.Page([series.histogram("h", "h")]).read(generate_latest(registry))["h"]["m"]
        assert isinstance(found, contract.Histogram)
        assert found.bounds == (1.0, 5.0, 10.0)
        assert found.counts == tuple(float(sum(value <= bound for value in observed)) for bound in found.bounds)
        assert found.total == len(observed)
        mean = found.mean()
        assert mean is not None
        assert math.isclose(mean, sum(observed) / len(observed), rel_tol=1e-9, abs_tol=1e-9)
        quantiles = [found.quantile(share / 10) for share in range(11)]
        assert quantiles == sorted(quantile for quantile in quantiles if quantile is not None)


class TestQuantile:
    # 10 observations: 2 up to 1, 6 more up to 2, 2 beyond
    HISTOGRAM = contract.Histogram((1.0, 2.0), (2.0, 8.0), 10.0, 30.0)

    @pytest.mark.parametrize(
        ("share", "value"), [(0.0, 0.0), (0.1, 0.5), (0.2, 1.0), (0.5, 1.5), (0.8, 2.0), (0.95, 2.0)]
    )
    def test_interpolates(self, share: float, value: float) -> None:
        assert self.HISTOGRAM.quantile(share) == value

    def test_nothing_observed_is_none(self) -> None:
        empty = contract.Histogram((1.0,), (0.0,), 0.0, 0.0)
        assert empty.quantile(0.5) is None
        assert empty.mean() is None
        assert contract.Histogram((), (), 3.0, 1.0).quantile(0.5) is None

    def test_an_empty_first_bucket(self) -> None:
        assert contract.Histogram((1.0, 2.0), (0.0, 4.0), 4.0, 6.0).quantile(0.0) == 1.0


class TestRecordedPages:
    def test_vllm(self) -> None:
        found = vllm.PAGE.read((DATA / "vllm-0.32-busy.txt").read_bytes())
        told = {name: values["tiny"] for name, values in found.items() if "tiny" in values}
        assert {name: value for name, value in told.items() if isinstance(value, float)} == {
            "num_requests_running": 23.0,
            "num_requests_waiting": 83.0,
            "num_preemptions_total": 0.0,
            "prompt_tokens_total": 4357.0,
            "generation_tokens_total": 4572.0,
            "external_prefix_cache_queries_total": 0.0,
            "external_prefix_cache_hits_total": 0.0,
            "prefix_cache_queries_total": 4558.0,
            "prefix_cache_hits_total": 1664.0,
            "request_success_total": 6.0,
            "engine_sleep_state": 1.0,
            "kv_cache_usage_perc": 0.00415089732633378,
            "gpu_cache_usage_perc": 0.00415089732633378,
        }
        first = told["time_to_first_token_seconds"]
        assert isinstance(first, contract.Histogram)
        assert (first.total, first.sum) == (28.0, 3.2795052528381348)
        assert first.quantile(0.5) == pytest.approx(0.145), "6 of the 20 between 0.1 and 0.25"
        assert told["time_per_output_token_seconds"] == told["inter_token_latency_seconds"]
        assert isinstance(told["iteration_tokens_total"], contract.Histogram)
        assert found["http_requests_total"] == {"": 6.0}
        durations = found["http_request_duration_highr_seconds"][""]
        assert isinstance(durations, contract.Histogram)
        assert durations.mean() == pytest.approx(1.842, abs=1e-3)

    def test_vllm_adapters(self) -> None:
        page = (
            b'vllm:lora_requests_info{max_lora="4",running_lora_adapters="",waiting_lora_adapters=""} 1.7e+09\n'
            b'vllm:lora_requests_info{max_lora="4",running_lora_adapters="a,b",waiting_lora_adapters="c"} 1.8e+09\n'
        )
        assert vllm.PAGE.read(page) == {
            "max_lora": {"": "4"},
            "running_lora_adapters": {"": "a,b"},
            "waiting_lora_adapters": {"": "c"},
        }

    def test_sglang(self) -> None:
        found = sglang.PAGE.read((DATA / "sglang-0.4-busy.txt").read_bytes())
        told = {name: values["meta-llama/Llama-3.1-8B-Instruct"] for name, values in found.items()}
        assert {name: value for name, value in told.items() if isinstance(value, float)} == {
            "num_requests_running": 162.0,
            "num_requests_waiting": 2826.0,
            "avg_generation_throughput_toks_per_s": 86.50814177726902,
            "prompt_tokens_total": 8128902.0,
            "generation_tokens_total": 7557572.0,
            "kv_cache_usage_perc": 0.28,
            "gpu_cache_usage_perc": 0.28,
        }
        latency = told["e2e_request_latency_seconds"]
        assert isinstance(latency, contract.Histogram)
        assert latency.total == 11228.0
        assert latency.quantile(0.95) == 60.0, "beyond the last bound"
        assert told["time_per_output_token_seconds"] == told["inter_token_latency_seconds"]

    def test_llamacpp(self) -> None:
        assert llamacpp.PAGE.read((DATA / "llamacpp-busy.txt").read_bytes()) == {
            "num_requests_running": {"": 1.0},
            "num_requests_waiting": {"": 2.0},
            "prompt_tokens_total": {"": 135.0},
            "generation_tokens_total": {"": 60.0},
            "prefix_cache_queries_total": {"": 135.0},
            "prefix_cache_hits_total": {"": 90.0},
            "avg_prompt_throughput_toks_per_s": {"": 152.327},
            "avg_generation_throughput_toks_per_s": {"": 83.0221},
        }

    def test_llamacpp_before_cached_tokens_were_counted(self) -> None:
        page = b"llamacpp:prompt_tokens_total 45\nllamacpp:kv_cache_usage_ratio 0.5\n"
        assert llamacpp.PAGE.read(page) == {
            "prompt_tokens_total": {"": 45.0},
            "kv_cache_usage_perc": {"": 0.5},
            "gpu_cache_usage_perc": {"": 0.5},
        }

    def test_trtllm(self) -> None:
        page = b"""trtllm_request_success_total{engine_type="trtllm",finished_reason="stop",model_name="m"} 150.0
trtllm_request_success_total{engine_type="trtllm",finished_reason="length",model_name="m"} 5.0
trtllm_kv_cache_utilization{engine_type="trtllm",model_name="m"} 0.62
kv_cache_hit_rate{engine_type="trtllm",model_name="m"} 0.38
trtllm_time_per_output_token_seconds_bucket{engine_type="trtllm",le="0.01",model_name="m"} 10.0
trtllm_time_per_output_token_seconds_bucket{engine_type="trtllm",le="+Inf",model_name="m"} 20.0
trtllm_time_per_output_token_seconds_count{engine_type="trtllm",model_name="m"} 20.0
trtllm_time_per_output_token_seconds_sum{engine_type="trtllm",model_name="m"} 0.5
"""
        latency = contract.Histogram((0.01,), (10.0,), 20.0, 0.5)
        assert trtllm.PAGE.read(page) == {
            "request_success_total": {"m": 155.0},
            "kv_cache_usage_perc": {"m": 0.62},
            "kv_cache_hit_rate": {"m": 0.38},
            "time_per_output_token_seconds": {"m": latency},
            "inter_token_latency_seconds": {"m": latency},
        }

    def test_xllm(self) -> None:
        assert xllm.PAGE.read(b"engine_utilization 0.75\nkv_cache_utilization_perc 0.5\nnum_waiting_requests 2\n") == {
            "engine_utilization": {"": 0.75},
            "kv_cache_usage_perc": {"": 0.5},
            "gpu_cache_usage_perc": {"": 0.5},
            "num_requests_waiting": {"": 2.0},
        }


class TestLookingForLess:
    def test_what_is_left_reads_as_before(self) -> None:
        page = (DATA / "vllm-0.32-busy.txt").read_bytes()
        wanted = frozenset({"num_requests_waiting", "time_to_first_token_seconds", "nobody_knows"})
        whole = vllm.PAGE.read(page)
        assert vllm.PAGE.only(wanted).read(page) == {name: whole[name] for name in wanted & whole.keys()}

    def test_nothing_known_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="none of nobody_knows"):
            vllm.PAGE.only(frozenset({"nobody_knows"}))
