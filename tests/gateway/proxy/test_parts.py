"""The small parts: ids, budget, router, answers, counters."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from brickyard.gateway import errors, metrics
from brickyard.gateway.dialects import registry
from brickyard.gateway.proxy import answers, budget, cors, ids, router


def test_ids_are_new_and_ask_for_entropy_in_batches() -> None:
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return len(asked).to_bytes(2, "big") * (size // 2 - 1) + bytes(2)

    source = ids.RequestIds(entropy)
    drawn = [source.fresh() for _ in range(300)]
    assert len(asked) == 2
    assert {len(each) for each in drawn} == {32}


@hypothesis.given(st.lists(st.tuples(st.booleans(), st.integers(0, 60))))
def test_the_budget_never_gives_more_than_it_has(steps: list[tuple[bool, int]]) -> None:
    held = budget.Budget(100)
    taken: list[int] = []
    for take, size in steps:
        if take:
            if held.take(size):
                taken.append(size)
            else:
                assert held.held + size > 100
        elif taken:
            held.give(taken.pop())
        assert held.held == sum(taken) <= 100


ROUTER = router.Router(
    registry.dialects(),
    {"/healthz": lambda _rest: answers.Answer(200), "/m/{id}": lambda rest: answers.Answer(200, rest.encode())},
)


def test_routes_are_found_by_path_prefix_and_with_a_stray_slash() -> None:
    assert ROUTER.find(b"POST", b"/v1/embeddings").dialect is not None
    assert ROUTER.find(b"POST", b"/v1/embeddings/").path == "/v1/embeddings"
    assert ROUTER.find(b"GET", b"/m/a%20b/c").rest == "a b/c"
    assert ROUTER.find(b"OPTIONS", b"*").path == "/healthz"


@pytest.mark.parametrize("path", [b"/", b"", b"//", b"/m", b"/m/", b"/V1/embeddings", b"/v1/embeddings/x"])
def test_other_paths_are_nobodys(path: bytes) -> None:
    with pytest.raises(errors.RefusedError) as caught:
        ROUTER.find(b"GET", path)
    assert caught.value.error.status == 404
    assert not caught.value.close


def test_answers_carry_their_length_and_nothing_for_no_content() -> None:
    out = answers.render(answers.Answer(200, b"body", "text/plain", (("a", "ü"),)), b"own: 1\r\n", close=True)
    assert out.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
    assert out.endswith(
        b"own: 1\r\na: \xfc\r\ncontent-type: text/plain\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbody"
    )
    assert b"content-" not in answers.render(answers.Answer(204, b"ignored"))
    assert answers.render(answers.Answer(200, b"body"), head_only=True).endswith(b"content-length: 4\r\n\r\n")


def test_histograms_are_cumulative_and_include_their_bounds() -> None:
    histogram = metrics.Histogram()
    for seconds in (0.005, 0.0051, 700.0):
        histogram.observe(seconds)
    rows = dict(histogram.buckets())
    assert (rows["0.005"], rows["0.01"], rows["600.0"], rows["+Inf"]) == (1, 2, 2, 3)
    assert histogram.total == pytest.approx(700.0101)


def test_models_beyond_the_bound_share_one_label() -> None:
    counters = metrics.GatewayMetrics()
    first = counters.model("first")
    for n in range(2 * metrics.MAX_MODELS):
        counters.model(f"m{n}")
    assert len(counters.models()) == metrics.MAX_MODELS + 1
    assert counters.model("never seen") is counters.models()[metrics.OTHER]
    assert counters.model("first") is first


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ("", b"http://a", b""),
        ("http://a", b"http://a", b"http://a"),
        ("http://a/ , http://b", b"http://b", b"http://b"),
        ("http://a", b"http://a.evil", b""),
        ("*", b"null", b"*"),
    ],
)
def test_origins_are_compared_whole(origins: str, origin: bytes, allowed: bytes) -> None:
    lines = cors.Cors(origins).lines({b"origin": origin})
    assert (b"access-control-allow-origin: %b\r\n" % allowed in lines) is bool(allowed)
    assert bool(lines) is bool(allowed)
