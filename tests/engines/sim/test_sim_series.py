"""The double's page, told again as that of the engine it imitates."""

from __future__ import annotations

import pytest

from brickyard.assembly import engines
from brickyard.engines import series


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


def test_looking_for_less_is_looking_in_all_who_know_it() -> None:
    reader = engines.series()["sim"]
    assert isinstance(reader, series.Narrowing)
    less = reader.only(frozenset({"engine_utilization", "num_requests_running"}))
    page = b"engine_utilization 0.5\nnum_running_requests 3\n"
    assert less.read(page) == {"engine_utilization": {"": 0.5}, "num_requests_running": {"": 3.0}}
    with pytest.raises(ValueError, match="none of x"):
        reader.only(frozenset({"x"}))
