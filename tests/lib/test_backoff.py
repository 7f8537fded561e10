from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.lib import backoff

KUBELET = backoff.Backoff(10, 2, 300)


@pytest.mark.parametrize(
    ("failures", "delay"),
    [(-1, 0), (0, 0), (1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300), (7, 300), (10_000, 300)],
)
def test_the_kubelets_delays(failures: int, delay: float) -> None:
    assert KUBELET.delay(failures) == delay


@given(st.floats(0.001, 100), st.floats(1, 10), st.floats(0.001, 1000), st.integers(0, 10_000))
def test_a_delay_never_shrinks_nor_passes_its_cap(base: float, factor: float, cap: float, failures: int) -> None:
    each = backoff.Backoff(base, factor, cap)
    assert each.delay(failures) <= each.delay(failures + 1) <= cap
