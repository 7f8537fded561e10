"""The metrics page that nginx shows as an engine's: vLLM's, as it was recorded from a busy one, 50 kB, with numbers that move.

Real pages are never the same twice, since they tell the process' own CPU time; so a reader that saves work on pages that did not change
saves nothing. nginx puts the number of requests on the connection, which is that of looks so far, in place of what moves.
"""

from __future__ import annotations

import pathlib
import re
from typing import Final

RECORDED: Final = pathlib.Path(__file__).parent.parent / "tests" / "engines" / "data" / "vllm-0.32-busy.txt"
_LOOKS: Final = '<!--# echo var="connection_requests" -->'
_MOVING: Final = {
    "process_cpu_seconds_total": "{}",
    "vllm:num_requests_running": "{}",
    "vllm:kv_cache_usage_perc": "0.{}",
    "vllm:prompt_tokens_total": "{}000",
    "vllm:generation_tokens_total": "{}500",
    "vllm:request_success_total": "{}",
    "vllm:request_queue_time_seconds_sum": "{}",
    "vllm:request_prefill_time_seconds_sum": "{}",
    "vllm:request_decode_time_seconds_sum": "{}",
}
"""Family → what stands in place of the number of its samples."""


def template(page: str) -> str:
    """``page`` with what nginx' ``ssi`` fills in."""
    for family, form in _MOVING.items():
        line = re.compile(rf"^({re.escape(family)}(?:\{{[^\n]*\}})?) \S+$", re.MULTILINE)
        page = line.sub(lambda found, form=form: f"{found[1]} {form.format(_LOOKS)}", page)  # type: ignore[misc]  # bound for the loop's sake
    return page


def write(folder: pathlib.Path) -> None:
    """``metrics`` in ``folder``."""
    (folder / "metrics").write_text(template(RECORDED.read_text()))
