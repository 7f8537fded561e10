from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.engines import contract, errors
from brickyard.engines.vllm import kvevents
from brickyard.sim.engine import kvevents as sim
from brickyard.sim.engine.core import blocks, tokens

STORED = ["BlockStored", [1, 2], None, [10, 11, 12, 13], 2]
BLOCKS = contract.BlocksStored(hashes=(1, 2), parent=None, tokens=(10, 11, 12, 13), block_size=2)


def decode(*events: Any, rest: tuple[Any, ...] = ()) -> contract.KvEvents:
    return kvevents.DECODER.decode(msgspec.msgpack.encode([1700000000.5, list(events), *rest]))


def one(*fields: Any) -> contract.KvEvent:
    (event,) = decode(list(fields)).events
    return event


# vLLM 0.32 wrote this: two blocks stored for the adapter "sql", one with a hash of bytes removed, everything cleared.
RECORDED = """
93cb3ff80000000000009388a474797065ab426c6f636b53746f726564ac626c6f636b5f6861736865739201cfffffffffff
ffffffb1706172656e745f626c6f636b5f68617368c0a9746f6b656e5f6964739401020304aa626c6f636b5f73697a6502a7
6c6f72615f6964c0a66d656469756da3475055a96c6f72615f6e616d65a373716c83a474797065ac426c6f636b52656d6f76
6564ac626c6f636b5f68617368657391c4207878787878787878787878787878787878787878787878787878787878787878
a66d656469756da347505581a474797065b0416c6c426c6f636b73436c6561726564c0
"""


def test_a_message_recorded_from_vllm() -> None:
    assert kvevents.DECODER.decode(bytes.fromhex(RECORDED)) == contract.KvEvents(
        1.5,
        (
            contract.BlocksStored((1, 2**64 - 1), None, (1, 2, 3, 4), 2, "GPU", "sql"),
            contract.BlocksRemoved((int.from_bytes(b"xxxxxxxx"),), "GPU"),
            contract.BlocksCleared(),
        ),
    )


class TestBatch:
    def test_what_happened_in_order(self) -> None:
        found = decode(["BlockRemoved", [1], "GPU"], STORED, ["AllBlocksCleared"])
        assert found == contract.KvEvents(
            1700000000.5, (contract.BlocksRemoved((1,), "GPU"), BLOCKS, contract.BlocksCleared())
        )

    @pytest.mark.parametrize(("rest", "rank"), [((), None), ((None,), None), ((3,), 3), ((3, "later"), 3)])
    def test_the_rank_may_be_missing(self, rest: tuple[Any, ...], rank: int | None) -> None:
        assert decode(rest=rest).rank == rank

    def test_a_whole_second_is_a_time(self) -> None:
        assert kvevents.DECODER.decode(msgspec.msgpack.encode([5, []])) == contract.KvEvents(5.0, ())


class TestStored:
    @pytest.mark.parametrize(
        ("rest", "medium", "adapter"),
        [
            ((), "", ""),
            ((None,), "", ""),
            ((7,), "", "7"),
            ((7, "GPU"), "GPU", "7"),
            ((None, "cpu", "sql"), "cpu", "sql"),
            ((7, None, "sql"), "", "sql"),
            ((None, None, None, [["image", 3]]), "", ""),
            ((None, None, None, None, 0), "", ""),
            ((None, None, None, None, 0, {"later": 1}), "", ""),
        ],
    )
    def test_every_length(self, rest: tuple[Any, ...], medium: str, adapter: str) -> None:
        expected = contract.BlocksStored((1, 2), None, (10, 11, 12, 13), 2, medium, adapter)
        assert one(*STORED, *rest) == expected

    def test_as_a_map(self) -> None:
        fields = {
            "type": "BlockStored",
            "block_hashes": [2**64 - 1],
            "parent_block_hash": 5,
            "token_ids": [1],
            "block_size": 1,
        }
        assert decode({**fields, "lora_name": "sql", "medium": "GPU", "later": 1}).events == (
            contract.BlocksStored((2**64 - 1,), 5, (1,), 1, "GPU", "sql"),
        )
        assert decode({"type": "BlockRemoved", "block_hashes": [1]}, {"type": "AllBlocksCleared"}).events == (
            contract.BlocksRemoved((1,)),
            contract.BlocksCleared(),
        )

    def test_no_blocks(self) -> None:
        assert one("BlockStored", [], None, [], 16) == contract.BlocksStored((), None, (), 16)


class TestHashes:
    @pytest.mark.parametrize(
        ("told", "number"),
        [
            (0, 0),
            (2**64 - 1, 2**64 - 1),
            (-1, 2**64 - 1),
            (-(2**63), 2**63),
            (3.0, 3),
            (b"", 0),
            (b"\x01\x02", 0x0102),
            (b"\x00\x00\x00\x00\x00\x00\x00\x07", 7),
            (bytes(range(1, 33)), 0x0102030405060708),
            ("ab", 0x6162),
        ],
    )
    def test_one_number_for_each_way_to_write_it(self, told: Any, number: int) -> None:
        assert one("BlockRemoved", [told]) == contract.BlocksRemoved((number,))
        assert one("BlockStored", [told], told, [1], 1) == contract.BlocksStored((number,), number, (1,), 1)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (["BlockStored", [1], None, [1]], "block_size|length"),
        (["BlockStored", [1], None, [1, 2], 3], "1 blocks of 3 tokens cannot hold 2 tokens"),
        (["BlockStored", [1], None, [1, 2], 1], "1 blocks of 1 tokens cannot hold 2 tokens"),
        (["BlockStored", [1], None, [1], 0], ">= 1"),
        (["BlockStored", [1], None, [-1], 1], ">= 0"),
        (["BlockStored", [1], None, [2**32], 1], "<= 4294967295"),
        (["BlockStored", [1.5], None, [1], 1], "whole number or bytes, not 1.5"),
        (["BlockStored", [float("inf")], None, [1], 1], "not inf"),
        (["BlockStored", [None], None, [1], 1], "not None"),
        (["BlockRemoved", [True]], "not True"),
        (["BlockStored", [1], [], [1], 1], r"not \[\]"),
        (["BlockRemoved"], "length"),
        (["BlockRemoved", 1], "array"),
        (["BlockMoved", [1]], "BlockMoved"),
        ([], "length"),
        ({"type": "BlockMoved"}, "BlockMoved"),
        ({"block_hashes": [1]}, "type"),
        ("BlockRemoved", "array"),
    ],
)
def test_what_is_malformed_fails_as_a_whole(events: Any, said: str) -> None:
    with pytest.raises(errors.KvEventError, match=said):
        decode(["AllBlocksCleared"], events)


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x93", msgspec.msgpack.encode({}), msgspec.msgpack.encode([1.0])])
def test_what_is_no_batch(payload: bytes) -> None:
    with pytest.raises(errors.KvEventError, match="cannot be read"):
        kvevents.DECODER.decode(payload)


@given(st.binary(max_size=100))
def test_noise_raises_nothing_else(payload: bytes) -> None:
    for data in (payload, b"\x92\x00\x91" + payload, b"\x92\x00\x91\xa1\x81" + payload):
        try:
            kvevents.DECODER.decode(data)
        except errors.KvEventError:
            continue


@given(
    st.lists(
        st.tuples(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**32 - 1), min_size=4, max_size=4)), max_size=5
    )
)
def test_a_chain_arrives_as_it_was_sent(chain: list[tuple[int, list[int]]]) -> None:
    hashes = [number for number, _ in chain]
    tokens = [token for _, block in chain for token in block]
    assert one("BlockStored", hashes, None, tokens, 4) == contract.BlocksStored(tuple(hashes), None, tuple(tokens), 4)


@pytest.mark.parametrize("form", ["array", "map"])
def test_what_the_engine_double_sends(form: str) -> None:
    first, second = (7).to_bytes(8), (2**64 - 2).to_bytes(8)
    sent = (
        blocks.Stored((first, second), None, tokens.from_ids([10, 11, 12, 13]), 2, "sql"),
        blocks.Stored((second,), first, tokens.from_ids([14, 15]), 2),
        blocks.Removed((first,)),
        blocks.Cleared(),
    )
    assert kvevents.DECODER.decode(sim.encode(sent, 1700000000.5, form)) == contract.KvEvents(
        1700000000.5,
        (
            contract.BlocksStored((7, 2**64 - 2), None, (10, 11, 12, 13), 2, "GPU", "sql"),
            contract.BlocksStored((2**64 - 2,), 7, (14, 15), 2, "GPU"),
            contract.BlocksRemoved((7,), "GPU"),
            contract.BlocksCleared(),
        ),
        rank=0,
    )


class TestFrames:
    def test_sequence(self) -> None:
        assert kvevents.sequence((258).to_bytes(8)) == 258
        assert kvevents.sequence((-1).to_bytes(8, signed=True)) is None
        with pytest.raises(errors.KvEventError, match="8 bytes, not 3"):
            kvevents.sequence(b"abc")

    def test_replay_request(self) -> None:
        assert kvevents.replay_request(258) == (b"", b"\0\0\0\0\0\0\1\2")
