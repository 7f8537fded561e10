from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.sim.engine.core import disagg, errors, tokens, work

PREFILL, DECODE = disagg.Role.PREFILL, disagg.Role.DECODE
ME = disagg.Identity("engine-1", "10.0.0.1", 8201)
ASK = {"do_remote_decode": True, "do_remote_prefill": False, "remote_engine_id": None, "remote_block_ids": None}
ROOM = {"bootstrap_host": "10.0.0.1", "bootstrap_port": 8998, "bootstrap_room": 2**62}


def finish(prompt: int, blocks: tuple[int, ...] = ()) -> work.Finish:
    return work.Finish(0.0, 0.0, 1.0, 1.0, prompt, 1, 0, 0, 0, blocks)


@pytest.mark.parametrize(
    ("body", "role", "read"),
    [
        ({}, None, None),
        ({"kv_transfer_params": None}, None, None),
        ({"kv_transfer_params": ASK}, None, disagg.Handover("vllm", PREFILL)),
        ({"kv_transfer_params": {}}, None, None),
        (
            {"kv_transfer_params": {"do_remote_prefill": True, "remote_block_ids": [4, 5, 6]}},
            None,
            disagg.Handover("vllm", DECODE, remote=48),
        ),
        ({"kv_transfer_params": {"do_remote_prefill": True}}, None, disagg.Handover("vllm", DECODE)),
        (
            {"disaggregated_params": {"request_type": "context_only", "disagg_request_id": 2**60 + 1}},
            None,
            disagg.Handover("trtllm", PREFILL, request_id=2**60 + 1),
        ),
        ({"disaggregated_params": {"request_type": "context_and_generation"}}, None, None),
        (ROOM, None, None),
        (ROOM, PREFILL, disagg.Handover("sglang", PREFILL, room=disagg.Room("10.0.0.1", 8998, 2**62))),
        (ROOM, DECODE, disagg.Handover("sglang", DECODE, room=disagg.Room("10.0.0.1", 8998, 2**62))),
        ({"bootstrap_room": None}, DECODE, None),
    ],
)
def test_what_a_request_says(body: dict[str, Any], role: disagg.Role | None, read: disagg.Handover | None) -> None:
    assert disagg.read(body, 16, role) == read


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"kv_transfer_params": "x"}, "kv_transfer_params"),
        ({"kv_transfer_params": {"do_remote_prefill": True, "remote_block_ids": 7}}, "kv_transfer_params"),
        ({"disaggregated_params": []}, "disaggregated_params"),
        ({"disaggregated_params": {"request_type": "both"}}, "disaggregated_params"),
        ({"disaggregated_params": {"request_type": "generation_only"}}, "disaggregated_params"),
        (
            {"disaggregated_params": {"request_type": "generation_only", "opaque_state": "bm8="}},
            "disaggregated_params",
        ),
        ({**ROOM, "bootstrap_host": 7}, "bootstrap_room"),
        ({**ROOM, "bootstrap_port": "8998"}, "bootstrap_room"),
        ({**ROOM, "bootstrap_room": "1"}, "bootstrap_room"),
    ],
)
def test_what_cannot_be(body: dict[str, Any], param: str) -> None:
    with pytest.raises(errors.RejectedError) as caught:
        disagg.read(body, 16, DECODE)
    assert caught.value.param == param


@given(st.integers(1, 5000), st.integers(1, 128))
def test_vllm_there_and_back(prompt: int, size: int) -> None:
    handover = disagg.read({"kv_transfer_params": ASK}, size)
    assert handover is not None
    held = tuple(range(-(-prompt // size)))
    job = work.Job("a", b"abcd" * prompt, b" the")
    said = disagg.answer(handover, job, finish(prompt, held), ME)["kv_transfer_params"]
    assert said == {
        "do_remote_decode": False,
        "do_remote_prefill": True,
        "remote_engine_id": "engine-1",
        "remote_block_ids": list(held),
        "remote_host": "10.0.0.1",
        "remote_port": 8201,
    }
    back = disagg.read({"kv_transfer_params": said}, size)
    assert back is not None
    assert back.role is DECODE
    assert prompt <= back.remote < prompt + size


@given(st.integers(1, 5000), st.one_of(st.none(), st.integers(0, 2**63)))
def test_trtllm_there_and_back(prompt: int, request_id: int | None) -> None:
    body = {"disaggregated_params": {"request_type": "context_only", "disagg_request_id": request_id}}
    handover = disagg.read(body, 16)
    assert handover is not None
    job = work.Job("a", b"abcd" * prompt, b" the")
    answer = disagg.answer(handover, job, finish(prompt), ME)
    assert answer["prompt_token_ids"] == [0x61626364] * prompt
    said = answer["choice"]["disaggregated_params"]
    assert said["disagg_request_id"] == request_id
    assert said["first_gen_tokens"] == tokens.ids(b" the")
    back = disagg.read({"disaggregated_params": {**said, "request_type": "generation_only"}}, 16)
    assert back == disagg.Handover("trtllm", DECODE, prompt, request_id)


@pytest.mark.parametrize("handover", [disagg.Handover("vllm", DECODE), disagg.Handover("sglang", PREFILL)])
def test_others_add_nothing(handover: disagg.Handover) -> None:
    assert disagg.answer(handover, work.Job("a", b"abcd", b" the"), finish(1), ME) == {}
