import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import generate_latest

from brickyard.api import serving
from brickyard.engines import exposition


def read(page: str, *names: str) -> dict[str, list[float]]:
    return values(exposition.Families(names).read(page.encode()))


def values(found: dict[str, list[exposition.Sample]]) -> dict[str, list[float]]:
    return {name: [sample.value for sample in samples] for name, samples in found.items()}


def samples(*numbers: float, labels: bytes = b"") -> list[exposition.Sample]:
    return [exposition.Sample(labels, number) for number in numbers]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("a:x 1", [1.0]),
        ("a:x 1.5e3", [1500.0]),
        ("a:x -2", [-2.0]),
        ("a:x .5", [0.5]),
        ("a:x 3.", [3.0]),
        ("a:x\t7", [7.0]),
        ("a:x 1 1700000000000", [1.0]),
        ("a:x 1 \r", [1.0]),
        ('a:x{model_name="m"} 4', [4.0]),
        ('a:x{a="}",b="{ 9"} 4', [4.0]),
        ('a:x{a="say \\"hi\\" 5"} 4', [4.0]),
        ("a:x{} 4", [4.0]),
        # Says nothing, or is no line of this family.
        ("a:x NaN", None),
        ("a:x +Inf", None),
        ("a:x 1e999", None),
        ("a:x 1_000", None),
        ("a:x 0x10", None),
        ("a:x", None),
        ("a:x one", None),
        ("a:x 1 2 3", None),
        ('a:x{le="1" 3', None),
        ("# TYPE a:x gauge", None),
        (" a:x 1", None),
        ("a:xy 1", None),
        ("ba:x 1", None),
        ("a:x_total 1", None),
    ],
)
def test_one_line(line: str, values: list[float] | None) -> None:
    assert read(f"# HELP a:x ex\n{line}\n", "a:x") == ({} if values is None else {"a:x": values})
    assert read(line, "a:x") == ({} if values is None else {"a:x": values}), "first and last line without line ends"


def test_every_sample_is_kept_in_order() -> None:
    assert read('q{e="0"} 1\nq{e="1"} 2\nother 9\nq{e="2"} 3\n', "q") == {"q": [1.0, 2.0, 3.0]}


def test_adjacent_lines_are_all_found() -> None:
    assert read("v:a 1\nv:b 2\nv:a 3\n", "v:a", "v:b") == {"v:a": [1.0, 3.0], "v:b": [2.0]}


def test_a_name_that_begins_another() -> None:
    assert read("ab 1\nabc 2\n", "ab", "abc") == {"ab": [1.0], "abc": [2.0]}
    assert read("ab 1\nabc 2\n", "abc", "ab", "ab") == {"ab": [1.0], "abc": [2.0]}


def test_names_with_nothing_in_common() -> None:
    assert read("x 1\ny 2\n", "x", "y") == {"x": [1.0], "y": [2.0]}


def test_a_dot_in_a_name_is_no_wildcard() -> None:
    assert read("aXb 1\n", "a.b") == {}


def test_malformed_lines_hide_no_others() -> None:
    page = 'q{e="0"} 1\nq{e="1 2\n\x00\xff\nq\n}{\nq{e="2"} 3\n'
    assert values(exposition.Families(["q"]).read(page.encode("latin-1"))) == {"q": [1.0, 3.0]}


NAMES = st.from_regex(r"[a-z_:][a-z0-9_:]{0,6}", fullmatch=True)


@given(st.dictionaries(NAMES, st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6), st.data())
def test_agrees_with_what_prometheus_client_writes(told: dict[str, float], data: st.DataObject) -> None:
    registry = CollectorRegistry()
    models = {name: data.draw(st.text(st.characters(codec="utf-8"), max_size=8)) for name in told}
    for name, value in told.items():
        Gauge(name, "help", ["engine", "model_name"], registry=registry).labels('0",model_name="x', models[name]).set(
            value
        )
    found = exposition.Families(told).read(generate_latest(registry))
    assert values(found) == {name: [value] for name, value in told.items()}
    assert {name: each[0].label("model_name") for name, each in found.items()} == models
    assert {each[0].label("engine") for each in found.values()} == {'0",model_name="x'}


LINES = st.sampled_from(
    ["q 1", "q{} 2", 'q{a="b"} 3\r', "q 4 5", "qq 6", "q", "q{", "# q 7", " q 8", "r 9", "", "q nan"]
)


@given(st.lists(LINES, max_size=12))
def test_a_family_reads_alone_as_among_others(lines: list[str]) -> None:
    page = "\n".join(lines).encode()
    assert exposition.Families(["q"]).read(page) == exposition.Families(["q", "not-there"]).read(page)


@given(st.binary(max_size=200), st.binary(max_size=200))
@example(b"\nq{", b"}")
def test_never_raises_and_keeps_good_lines_between_noise(before: bytes, after: bytes) -> None:
    found = exposition.Families(["good_name"]).read(before + b"\ngood_name 5\n" + after)
    assert 5.0 in values(found)["good_name"]


class TestReading:
    def test_sums_by_default(self) -> None:
        assert exposition.Reading.of("a").value({"a": samples(1.0, 2.0)}) == 3.0

    def test_combines_as_told(self) -> None:
        assert exposition.Reading.of("a", combine=max).value({"a": samples(1.0, 2.0)}) == 2.0

    def test_takes_the_first_name_on_the_page(self) -> None:
        reading = exposition.Reading.of("new", "old")
        assert reading.value({"old": samples(1.0), "new": samples(2.0)}) == 2.0
        assert reading.value({"old": samples(1.0)}) == 1.0

    def test_zero_is_a_value(self) -> None:
        assert exposition.Reading.of("new", "old").value({"old": samples(1.0), "new": samples(0.0)}) == 0.0

    def test_nothing_is_none(self) -> None:
        assert exposition.Reading.of("a").value({}) is None

    def test_an_alternative_needs_all_its_families(self) -> None:
        reading = exposition.Reading((("a", "b"), ("a",)))
        assert reading.value({"a": samples(1.0), "b": samples(2.0)}) == 3.0
        assert reading.value({"a": samples(1.0)}) == 1.0
        assert reading.value({"b": samples(2.0)}) is None

    def test_ranks_that_repeat_each_other_count_once(self) -> None:
        reading = exposition.Reading.of("a", rank="dp_rank")
        first, second = b'{dp_rank="0",tp_rank="0"}', b'{tp_rank="1",dp_rank="1"}'
        found = {"a": samples(2.0, 5.0, 3.0, labels=first) + samples(4.0, labels=second)}
        assert reading.value(found) == 9.0
        assert reading.value({"a": samples(2.0, -1.0)}) == 2.0
        assert reading.value({"a": samples(-2.0, -1.0)}) == -1.0


class TestSample:
    @pytest.mark.parametrize(
        ("labels", "value"),
        [
            (b"", ""),
            (b"{}", ""),
            (b'{a="1"}', "1"),
            (b'{b="2",a="1",c="3"}', "1"),
            (b'{b="2", a = "1"}', "1"),
            (b'{ba="2"}', ""),
            (b'{b="a=1",a=""}', ""),
            (rb'{b=",a=\"2\"",a="x\\\n\"y\""}', 'x\\\n"y"'),
            (b'{a="\xff"}', "\ufffd"),
        ],
    )
    def test_label(self, labels: bytes, value: str) -> None:
        assert exposition.Sample(labels, 0.0).label("a") == value


class TestTextPage:
    def test_fills_the_load_and_leaves_the_rest_none(self) -> None:
        page = exposition.TextPage({"running": exposition.Reading.of("r"), "waiting": exposition.Reading.of("w")})
        assert page.parse(b"r 2\n") == serving.EngineLoad(running=2.0)
        assert page.parse(b"") == serving.EngineLoad()

    def test_path(self) -> None:
        assert exposition.TextPage({"running": exposition.Reading.of("r")}).path == "/metrics"
        assert exposition.TextPage({"running": exposition.Reading.of("r")}, path="/m").path == "/m"

    def test_an_unknown_field_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"no field runing: it has .*running"):
            exposition.TextPage({"runing": exposition.Reading.of("r")})

    def test_sums_of_many_ranks_are_exact(self) -> None:
        page = exposition.TextPage({"running": exposition.Reading.of("r")})
        load = page.parse("".join(f'r{{engine="{i}"}} 0.1\n' for i in range(10)).encode())
        assert load.running == 1.0
        assert math.fsum([0.1] * 10) == 1.0
