"""The double's page, told again as that of the engine it imitates."""

from __future__ import annotations

import pytest

from brickyard.assembly import engines


@pytest.mark.parametrize(
    ("page", "running"),
    [
        (b'vllm:num_requests_running{model_name="m"} 3\n', {"m": 3.0}),
        (b'sglang:num_running_reqs{model_name="m"} 2\n', {"m": 2.0}),
        (b"kv_cache_utilization 0.5\n", None),
        (b"nothing_of_ours 1\n", None),
    ],
)
def test_a_page_is_read_by_the_names_on_it(page: bytes, running: dict[str, float] | None) -> None:
    reader = engines.series()["sim"]
    assert reader.read(page).get("num_requests_running") == running


def test_its_names_are_those_of_all_whom_it_imitates() -> None:
    known = engines.series()
    for name in ("vllm", "sglang", "trtllm", "xllm"):
        assert known[name].names <= known["sim"].names


def test_what_only_one_engine_tells_is_found() -> None:
    assert engines.series()["sim"].read(b"kv_cache_utilization 0.5\n")["kv_cache_usage_perc"] == {"": 0.5}
