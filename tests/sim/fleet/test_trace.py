import io
import itertools
import json

import pytest

from brickyard.sim.fleet import errors, trace

LINE = '{"timestamp": 1500, "input_length": 600, "output_length": 7, "hash_ids": [3, 9]}'


def test_a_line_is_a_request() -> None:
    assert trace.read([LINE]) == [trace.Arrival(1.5, (3, 9), 600, 7)]


def test_blank_lines_and_all_beyond_the_limit_are_passed_over() -> None:
    assert len(trace.read(io.StringIO(f"\n{LINE}\n\n{LINE}\n{LINE}\n"), 2)) == 2


def test_requests_come_in_the_order_of_their_times() -> None:
    late = json.dumps({**json.loads(LINE), "timestamp": 9000})
    assert [each.at for each in trace.read([late, LINE])] == [1.5, 9.0]


@pytest.mark.parametrize(
    "change",
    [
        {"hash_ids": []},
        {"input_length": 1025},
        {"input_length": 0},
        {"timestamp": -1},
        {"timestamp": "soon"},
        {"hash_ids": None},
        {"output_length": "many"},
    ],
)
def test_what_is_no_request_is_refused_by_its_line(change: dict[str, object]) -> None:
    with pytest.raises(errors.TraceError, match="line 2"):
        trace.read([LINE, json.dumps({**json.loads(LINE), **change})])


@pytest.mark.parametrize("line", ["{", "[]", "7", '{"timestamp": 1}'])
def test_what_is_no_object_of_these_fields_is_refused(line: str) -> None:
    with pytest.raises(errors.TraceError, match="hash_ids"):
        trace.read([line])


def test_what_is_written_is_read_again() -> None:
    found = trace.Conversations(number=5).arrivals()
    again = trace.read(trace.write(found))
    assert [(each.blocks, each.prompt, each.output) for each in again] == [
        (each.blocks, each.prompt, each.output) for each in found
    ]


def test_equal_blocks_are_equal_text_and_others_are_not() -> None:
    first, second = trace.Arrival(0, (1, 2), 1024, 1), trace.Arrival(0, (1, 3), 1024, 1)
    assert first.text()[:2048] == second.text()[:2048]
    assert first.text()[2048:2112] != second.text()[2048:2112]


def test_a_text_has_four_bytes_a_token() -> None:
    assert len(trace.Arrival(0, (1, 2), 700, 1).text()) == 2800


def test_pace_divides_times_alone() -> None:
    assert trace.paced(trace.read([LINE]), 2) == [trace.Arrival(0.75, (3, 9), 600, 7)]
    with pytest.raises(errors.TraceError, match="above 0"):
        trace.paced([], 0)


class TestConversations:
    def test_a_seed_says_all(self) -> None:
        assert trace.Conversations(seed=3).arrivals() == trace.Conversations(seed=3).arrivals()
        assert trace.Conversations(seed=3).arrivals() != trace.Conversations(seed=4).arrivals()

    def test_a_turn_begins_with_what_was_said(self) -> None:
        turns = [each for each in trace.Conversations().arrivals() if each.session == "c7"]
        for before, after in itertools.pairwise(turns):
            assert after.blocks[: len(before.blocks)] == before.blocks
            assert len(after.blocks) > len(before.blocks)

    def test_conversations_share_their_system_prompt_and_nothing_else(self) -> None:
        made = trace.Conversations(number=30, systems=2, system_blocks=3)
        ends = [set(each.blocks) for each in {each.session: each for each in made.arrivals()}.values()]
        assert len({min(blocks) for blocks in ends}) == 2
        assert {len(one & other) for one, other in itertools.combinations(ends, 2)} == {0, 3}

    def test_prompts_fit_their_blocks(self) -> None:
        for each in trace.Conversations().arrivals():
            assert 0 < each.prompt <= len(each.blocks) * trace.BLOCK
            assert each.prompt > (len(each.blocks) - 1) * trace.BLOCK
