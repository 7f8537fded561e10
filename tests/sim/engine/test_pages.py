import asyncio
import pathlib

import pytest
from prometheus_client import parser

from brickyard.assembly import engines
from brickyard.sim.engine import pages, testing


def families(page: bytes) -> dict[str, dict[str, float]]:
    """By family, by sample name and labels other than the model's."""
    found: dict[str, dict[str, float]] = {}
    for family in parser.text_string_to_metric_families(page.decode()):
        rows = found.setdefault(family.name, {})
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name not in ("engine", "model_name")}
            rows[sample.name + (str(labels) if labels else "")] = sample.value
    return found


@pytest.mark.parametrize("dialect", pages.PATHS)
async def test_every_page_is_one(dialect: str) -> None:
    async with testing.running(engine=dialect, models=('odd"na\\me',)) as engine:
        await engine.chat(model='odd"na\\me', max_tokens=3)
        page = await engine.get(pages.PATHS[dialect])
        assert page.headers["content-type"] == pages.CONTENT_TYPE
        for family in parser.text_string_to_metric_families(page.body.decode()):
            for sample in family.samples:
                assert sample.name.endswith("_info") or sample.labels["model_name"] == 'odd"na\\me'
        assert (await engine.get("/metrics")).status == 200


# As the sheet of the gateway's metrics names them, the engines' columns.
NAMES = {
    "vllm": """num_requests_running num_requests_waiting num_requests_swapped engine_sleep_state num_preemptions
        e2e_request_latency_seconds request_queue_time_seconds request_inference_time_seconds time_to_first_token_seconds
        time_per_output_token_seconds inter_token_latency_seconds request_time_per_output_token_seconds
        request_prefill_time_seconds request_decode_time_seconds prompt_tokens generation_tokens request_prompt_tokens
        request_generation_tokens request_max_num_generation_tokens iteration_tokens_total gpu_cache_usage_perc
        kv_cache_usage_perc cpu_cache_usage_perc prefix_cache_queries prefix_cache_hits external_prefix_cache_queries
        external_prefix_cache_hits avg_prompt_throughput_toks_per_s avg_generation_throughput_toks_per_s
        lora_requests_info request_success""",
    "sglang": """num_running_reqs num_queue_reqs num_retracted_reqs num_requests num_prefill_prealloc_queue_reqs
        num_decode_prealloc_queue_reqs e2e_request_latency_seconds per_stage_req_latency_seconds
        time_to_first_token_seconds inter_token_latency_seconds token_usage gen_throughput""",
    "trtllm": """request_success e2e_request_latency_seconds request_queue_time_seconds time_to_first_token_seconds
        time_per_output_token_seconds kv_cache_utilization kv_cache_hit_rate""",
    "xllm": "kv_cache_utilization engine_utilization",
}


@pytest.mark.parametrize(
    ("dialect", "prefix"), [("vllm", "vllm:"), ("sglang", "sglang:"), ("trtllm", "trtllm_"), ("xllm", "")]
)
async def test_names(dialect: str, prefix: str) -> None:
    async with testing.running(engine=dialect) as engine:
        found = families((await engine.get(pages.PATHS[dialect])).body)
        assert {prefix + name for name in NAMES[dialect].split()} <= found.keys()


async def test_numbers() -> None:
    async with testing.running() as engine:
        for _ in range(2):
            await engine.chat("word" * 40, max_tokens=5)
        found = families((await engine.get("/metrics")).body)
        prompt = 44
        assert found["vllm:prompt_tokens"] == {"vllm:prompt_tokens_total": 2 * prompt}
        assert found["vllm:generation_tokens"] == {"vllm:generation_tokens_total": 10}
        assert found["vllm:prefix_cache_hits"] == {"vllm:prefix_cache_hits_total": 32}
        assert found["vllm:request_success"]["vllm:request_success_total{'finished_reason': 'length'}"] == 2
        first = found["vllm:time_to_first_token_seconds"]
        assert first["vllm:time_to_first_token_seconds_count"] == 2
        assert first["vllm:time_to_first_token_seconds_bucket{'le': '+Inf'}"] == 2
        assert found["vllm:inter_token_latency_seconds"]["vllm:inter_token_latency_seconds_count"] == 8


@pytest.mark.parametrize("dialect", ["vllm", "sglang", "trtllm"])
async def test_our_own_reader_reads_them_all(dialect: str) -> None:
    async with testing.running(engine=dialect) as engine:
        await engine.chat("word" * 40, max_tokens=5)
        reader = engines.readers()["sim"]
        load = reader.parse((await engine.get(reader.path)).body)
        assert (load.running, load.waiting, load.kv_cache_usage) == (0.0, 0.0, 0.0)
        assert (load.prompt_tokens_total, load.generation_tokens_total) == (44.0, 5.0)


async def test_vllms_reader_takes_it_for_vllm() -> None:
    async with testing.running() as engine:
        await engine.chat("word" * 40, max_tokens=5)
        load = engines.readers()["vllm"].parse((await engine.get("/metrics")).body)
        assert (load.prompt_tokens_total, load.generation_tokens_total, load.prefix_cache_hits_total) == (
            44.0,
            5.0,
            0.0,
        )


async def test_numbers_can_be_set() -> None:
    async with testing.running() as engine:
        body = {"running": 7, "waiting": 3, "kv_cache_usage_perc": 0.75, "server_load": 9, "model_name": "other"}
        assert (await engine.post("/set_metrics", body)).status == 200
        page = (await engine.get("/metrics")).body
        load = engines.readers()["sim"].parse(page)
        assert (load.running, load.waiting, load.kv_cache_usage) == (7.0, 3.0, 0.75)
        assert b'model_name="other"' in page
        assert (await engine.get("/load")).json() == {"server_load": 9}


async def test_set_numbers_have_each_engines_names() -> None:
    async with testing.running(engine="sglang") as engine:
        await engine.post("/set_metrics", {"running": 7, "success_total": 5})
        found = families((await engine.get("/metrics")).body)
        assert found["sglang:num_running_reqs"] == {"sglang:num_running_reqs": 7}
        assert found["sglang:num_requests"] == {"sglang:num_requests_total": 5}


async def test_adapters_at_work() -> None:
    async with testing.running(adapters=(("b", "/b"), ("a", "/a"))) as engine:
        await engine.post("/sleep")
        async with engine.connect() as (_, one), engine.connect() as (_, other):
            one.write(testing.stream_request(model="a"))
            other.write(testing.stream_request(model="b"))
            async with asyncio.timeout(5):
                while engine.server.driver.load < 2:
                    await asyncio.sleep(0.001)
            page = (await engine.get("/metrics")).body
            assert b'running_lora_adapters="",waiting_lora_adapters="a,b"' in page


NOT_TOLD = {
    # weights and a GPU
    "estimated_flops_per_gpu",
    "estimated_read_bytes_per_gpu",
    "estimated_write_bytes_per_gpu",
    # images and their cache
    "mm_cache_queries",
    "mm_cache_hits",
    # what a request asked for, and what became of it in detail
    "request_params_n",
    "request_params_max_tokens",
    "request_num_preemptions",
    "request_prefill_kv_computed_tokens",
    "prompt_tokens_cached_by_source",
    "admission_rejections",
}


async def test_what_the_real_page_has_and_this_one_lacks() -> None:
    """Against a recorded page of vLLM 0.32: what is missing is known, and nothing else is."""
    recorded = pathlib.Path(__file__).parents[2] / "engines" / "data" / "vllm-0.32-busy.txt"
    real = families(recorded.read_bytes())
    async with testing.running() as engine:
        own = families((await engine.get("/metrics")).body)
    missing = {name for name in real.keys() - own.keys() if name.startswith("vllm:") and not name.endswith("_created")}
    assert missing == {f"vllm:{name}" for name in NOT_TOLD}
    for name in (real.keys() & own.keys()) - {"vllm:cache_config_info"}:
        labelled = {sample for sample in real[name] if "'le'" not in sample and "_created" not in sample}
        assert {sample for sample in own[name] if "'le'" not in sample} & labelled, name


async def test_where_prompt_tokens_come_from() -> None:
    async with testing.running() as engine:
        for _ in range(2):
            await engine.chat("word" * 40, max_tokens=1)
        rows = families((await engine.get("/metrics")).body)["vllm:prompt_tokens_by_source"]
        assert rows == {
            "vllm:prompt_tokens_by_source_total{'source': 'local_compute'}": 56,
            "vllm:prompt_tokens_by_source_total{'source': 'local_cache_hit'}": 32,
            "vllm:prompt_tokens_by_source_total{'source': 'external_kv_transfer'}": 0,
        }
