import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.assembly import engines
from brickyard.engines import bodies, contract, errors, handover
from brickyard.engines.sglang import handover as sglang
from brickyard.engines.trtllm import handover as trtllm
from brickyard.engines.vllm import handover as vllm
from brickyard.sim.engine.core import disagg

TICKET = contract.Ticket(
    "10.0.0.9", bootstrap_port=9001, number=2**63 - 5, at=1_700_000_000.123, machine=1023, count=4097
)
BODY = {
    "model": "m", "messages": [{"role": "user", "content": "ü\u2028"}], "max_tokens": 64, "min_tokens": 4, "stream": True,
    "stream_options": {"include_usage": True}, "temperature": 0.7,
}  # fmt: skip
TEXT = json.dumps(BODY).encode()
SHFS, NIXL, MOONCAKE = (vllm.CONNECTORS[name] for name in ("shfs", "nixl", "mooncake"))
MEETING, CONTEXT = sglang.CONNECTORS[""], trtllm.CONNECTORS[""]
ALL = [SHFS, NIXL, MOONCAKE, MEETING, CONTEXT, handover.PLAIN]


def read(text: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("way", ALL)
def test_the_prompt_and_nothing_else_is_computed(way: contract.HandOver) -> None:
    asked = read(way.prefill(TEXT, TICKET))
    assert (asked["max_tokens"], asked["stream"]) == (1, False)
    assert asked.get("max_completion_tokens") == (None if way is CONTEXT else 1)
    assert not {"stream_options", "min_tokens"} & asked.keys()
    assert asked["messages"] == BODY["messages"]
    assert asked["temperature"] == 0.7


@pytest.mark.parametrize("way", ALL)
@pytest.mark.parametrize("text", [b"", b"[]", b'"x"', b"{", b"\xff", b'{"a": }', b"null"])
def test_what_is_no_object_is_its_senders_fault(way: contract.HandOver, text: bytes) -> None:
    with pytest.raises(errors.HandOverError, match="the request is no JSON object") as caught:
        way.prefill(text, TICKET)
    assert caught.value.faulty


def test_only_sglang_is_asked_at_once() -> None:
    assert [way.at_once for way in ALL] == [False, False, False, True, False, False]


class TestVllm:
    def test_blocks_are_asked_to_be_kept(self) -> None:
        params = read(SHFS.prefill(TEXT, TICKET))["kv_transfer_params"]
        assert params == {
            "do_remote_decode": True, "do_remote_prefill": False, "remote_engine_id": None, "remote_block_ids": None,
            "remote_host": None, "remote_port": None,
        }  # fmt: skip

    def test_where_they_are_is_told_with_the_address_that_others_reach(self) -> None:
        told: dict[str, Any] = {"remote_host": "0.0.0.0", "remote_port": 1, "remote_block_ids": [7]}
        answer = {"id": "x", "kv_transfer_params": told}
        asked = read(SHFS.decode(TEXT, TICKET, orjson.dumps(answer)))
        assert asked == {**BODY, "kv_transfer_params": {**told, "remote_host": "10.0.0.9"}}

    @pytest.mark.parametrize("answer", [b"{}", b'{"kv_transfer_params": null}'])
    def test_without_them_the_request_goes_as_it_came(self, answer: bytes) -> None:
        assert SHFS.decode(TEXT, TICKET, answer) == TEXT

    @pytest.mark.parametrize("answer", [b"", b"[]", b'{"kv_transfer_params": 1}', b'{"kv_transfer_params": [1]}'])
    def test_an_answer_that_is_none_is_the_engines_fault(self, answer: bytes) -> None:
        with pytest.raises(errors.HandOverError, match="the prefill engine's answer is no JSON object") as caught:
            SHFS.decode(TEXT, TICKET, answer)
        assert not caught.value.faulty

    def test_nixl_takes_the_whole_answer(self) -> None:
        answer = {"choices": [{"text": "a"}], "usage": {"prompt_tokens": 3}}
        assert read(NIXL.prefill(TEXT, TICKET)).keys() & {"kv_transfer_params", "disagg_prefill_resp"} == set()
        assert read(NIXL.decode(TEXT, TICKET, orjson.dumps(answer))) == {**BODY, "disagg_prefill_resp": answer}

    def test_mooncake_finds_its_blocks(self) -> None:
        assert MOONCAKE.decode(TEXT, TICKET, b"anything") == TEXT

    def test_the_double_understands_it(self) -> None:
        first = disagg.read(read(SHFS.prefill(TEXT, TICKET)), 16)
        assert first == disagg.Handover("vllm", disagg.Role.PREFILL)
        answer = {"kv_transfer_params": {"do_remote_prefill": True, "remote_block_ids": [1, 2]}}
        second = disagg.read(read(SHFS.decode(TEXT, TICKET, orjson.dumps(answer))), 16)
        assert second == disagg.Handover("vllm", disagg.Role.DECODE, remote=32)


class TestSglang:
    def test_both_meet_in_one_room(self) -> None:
        room = {"bootstrap_host": "10.0.0.9", "bootstrap_port": 9001, "bootstrap_room": 2**63 - 5}
        assert room.items() <= read(MEETING.prefill(TEXT, TICKET)).items()
        assert read(MEETING.decode(TEXT, TICKET, b"")) == {**BODY, **room}

    def test_a_clients_own_room_is_not_taken(self) -> None:
        text = orjson.dumps({**BODY, "bootstrap_room": 1})
        assert read(MEETING.decode(text, TICKET, b""))["bootstrap_room"] == 2**63 - 5

    @pytest.mark.parametrize(
        "name",
        [
            "bootstrap_host",
            "bootstrap_port",
            "bootstrap_room",
            "max_tokens",
            "max_completion_tokens",
            "stream",
            "stream_options",
            "min_tokens",
        ],
    )
    @pytest.mark.parametrize("escaped", [False, True])
    def test_a_name_that_stands_twice_is_refused(self, name: str, escaped: bool) -> None:
        again = f"\\u{ord(name[0]):04x}{name[1:]}" if escaped else name
        text = f'{{"{name}": 1, "prompt": "x", "{again}": 2}}'.encode()
        said = f"the request has '{name}' twice"
        with pytest.raises(errors.HandOverError, match=said) as caught:
            MEETING.prefill(text, TICKET)
        assert caught.value.faulty
        with pytest.raises(errors.HandOverError, match=said):
            MEETING.decode(text, TICKET, b"")

    def test_the_same_name_further_down_is_none_of_our_business(self) -> None:
        text = b'{"stream": true, "tools": [{"stream": 1}, {"stream": 2}], "stop": ["\\u0041"], "x": 1, "x": 2}'
        assert read(MEETING.prefill(text, TICKET))["tools"] == [{"stream": 1}, {"stream": 2}]

    def test_the_double_understands_it(self) -> None:
        found = disagg.read(read(MEETING.prefill(TEXT, TICKET)), 16, disagg.Role.PREFILL)
        assert found is not None
        assert found.room == disagg.Room("10.0.0.9", 9001, 2**63 - 5)


class TestTrtllm:
    def test_the_context_is_asked_for(self) -> None:
        params = read(CONTEXT.prefill(TEXT, TICKET))["disaggregated_params"]
        assert params == {"request_type": "context_only", "disagg_request_id": trtllm.request_id(TICKET)}
        assert disagg.read(read(CONTEXT.prefill(TEXT, TICKET)), 16) == disagg.Handover(
            "trtllm", disagg.Role.PREFILL, request_id=trtllm.request_id(TICKET)
        )

    @pytest.mark.parametrize("nested", [True, False])
    @pytest.mark.parametrize(("asked", "field"), [(BODY, "prompt_token_ids"), ({"prompt": "x"}, "prompt")])
    def test_it_goes_on_with_what_was_told(self, nested: bool, asked: dict[str, Any], field: str) -> None:
        params = (
            '{"request_type": "context_only", "disagg_request_id": 9223372036854775807, "opaque": 18446744073709551616}'
        )
        told = f'"disaggregated_params": {params}'
        answer = (
            f'{{"prompt_token_ids": [1, 2], "choices": [{{{told if nested else ""}}}]{"" if nested else ", " + told}}}'
        )
        found = read(CONTEXT.decode(orjson.dumps(asked), TICKET, answer.encode()))
        assert found == {
            **asked, field: [1, 2],
            "disaggregated_params": {
                "request_type": "generation_only", "disagg_request_id": 2**63 - 1, "opaque": 18446744073709551616,
            },
        }  # fmt: skip

    @pytest.mark.parametrize(
        "answer", [b"{}", b'{"choices": []}', b'{"choices": 5}', b'{"choices": [1]}', b'{"choices": [{}]}']
    )
    def test_without_anything_told_it_goes_as_it_came(self, answer: bytes) -> None:
        assert CONTEXT.decode(TEXT, TICKET, answer) == TEXT

    def test_without_ids_the_prompt_stays(self) -> None:
        answer = b'{"disaggregated_params": {}, "prompt_token_ids": null}'
        assert read(CONTEXT.decode(TEXT, TICKET, answer)) == {
            **BODY,
            "disaggregated_params": {"request_type": "generation_only"},
        }

    def test_params_that_are_none(self) -> None:
        with pytest.raises(
            errors.HandOverError, match="disaggregated_params of the prefill engine's answer is no JSON object"
        ):
            CONTEXT.decode(TEXT, TICKET, b'{"disaggregated_params": "x"}')

    @given(st.floats(0, 1e10), st.integers(0, 1023), st.integers(0, 10**9))
    def test_names_are_positive_and_above_the_servers_own(self, at: float, machine: int, count: int) -> None:
        assert 2**42 <= trtllm.request_id(contract.Ticket("h", at=at, machine=machine, count=count)) < 2**63

    def test_names_of_one_moment_differ(self) -> None:
        tickets = [
            contract.Ticket("h", at=1.7e9, machine=machine, count=count) for machine in (0, 1) for count in range(4096)
        ]
        assert len({trtllm.request_id(ticket) for ticket in tickets}) == len(tickets)

    def test_a_name_by_its_parts(self) -> None:
        name = (1_700_000_000_123 - 1_672_531_200_000) << 22 | 1023 << 12 | 1
        assert trtllm.request_id(TICKET) == name % (2**63 - 1 - 2**42) + 2**42


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=6), st.booleans(), st.sampled_from(ALL))
def test_what_is_not_named_stays_to_the_byte(body: dict[str, Any], ascii_: bool, way: contract.HandOver) -> None:
    text = json.dumps(body, ensure_ascii=ascii_, indent=1).encode(errors="surrogatepass")
    try:
        made = way.prefill(text, TICKET)
    except errors.HandOverError:
        assert not ascii_ or any(
            0xD800 <= ord(character) < 0xE000 for character in json.dumps(body, ensure_ascii=False)
        )
        return
    named = {*handover.ONE_TOKEN, *handover.DROPPED, "kv_transfer_params", "disaggregated_params"}
    before, after = bodies.members(text, "it"), bodies.members(made, "it")
    for name in before.keys() - named - {"bootstrap_host", "bootstrap_port", "bootstrap_room"}:
        assert bytes(after[name]) == bytes(before[name])


def test_engines_have_their_ways() -> None:
    known = {name: sorted(engine.handovers) for name, engine in engines.engines().items() if engine.handovers}
    assert known == {"vllm": ["mooncake", "nixl", "shfs"], "sglang": [""], "trtllm": [""]}
