"""The rules of a ModelClaim's flags, row by row."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import resources
from brickyard.api.kinds.modelclaim import admission, parallelism

RULES = admission.Rules()
TP, PP, DP = "--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size"
MEMORY = "--gpu-memory-utilization"


def claim(args: Any, **fields: Any) -> resources.Object:
    return {"metadata": {"name": "a"}, "spec": {"engineConfig": {"args": args}, **fields}}


def paths(obj: resources.Object, old: resources.Object | None = None) -> list[tuple[str, str]]:
    return [(each.path, each.reason) for each in RULES.validate(obj, old)]


def at(flag: str) -> str:
    return f"spec.engineConfig.args[{flag}]"


class TestValid:
    @pytest.mark.parametrize(
        ("args", "gpus"),
        [
            (None, 1),
            ({}, 1),
            ({"--max-model-len": "4096", "--enable-prefix-caching": ""}, 1),
            ({TP: "2"}, 2),
            ({TP: "2", PP: "3"}, 6),
            ({TP: "+2"}, 2),
            ({TP: "", PP: " ", DP: ""}, 1),
            ({DP: "1", PP: "4"}, 4),
            ({"--tensor_parallel_size": "2"}, 2),
        ],
    )
    def test_flags(self, args: Any, gpus: int) -> None:
        assert paths(claim(args)) == []
        assert parallelism.gpus(args) == gpus

    def test_sglang_has_its_own_flags(self) -> None:
        assert paths(claim({MEMORY: "0.5", TP: "x"}, engine="sglang")) == []


class TestRefused:
    @pytest.mark.parametrize("flag", [TP, PP, DP])
    @pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "2 3", "0x2", "\u0662", "1" * 30])
    @pytest.mark.parametrize("engine", [{}, {"engine": "vllm"}, {"engine": None}, {"engine": ""}])
    def test_sizes(self, flag: str, text: str, engine: dict[str, Any]) -> None:
        (error,) = RULES.validate(claim({flag: text}, **engine), None)
        assert (error.path, error.reason) == (at(flag), "FieldValueInvalid")
        assert error.message.endswith("must be a positive integer")
        with pytest.raises(ValueError, match=f"{flag} must be a positive integer"):
            parallelism.gpus({flag: text})

    def test_data_parallelism(self) -> None:
        (error,) = RULES.validate(claim({DP: "2"}), None)
        assert error.message == 'Invalid value: "2": must be 1: an engine of a pool has no replicas of its own'

    @pytest.mark.parametrize("flag", [MEMORY, "--gpu_memory_utilization"])
    def test_memory(self, flag: str) -> None:
        assert paths(claim({flag: "0.9"})) == [(at(flag), "FieldValueForbidden")]

    def test_all_at_once(self) -> None:
        found = paths(claim({TP: "0", MEMORY: "1", DP: "2"}))
        assert [path for path, _ in found] == [at(MEMORY), at(TP), at(DP)]


class TestUpdates:
    def test_a_new_spec_is_judged(self) -> None:
        assert len(paths(claim({TP: "0"}), claim({TP: "1"}))) == 1

    def test_a_spec_that_stays_is_not(self) -> None:
        assert paths({**claim({TP: "0"}), "status": {}}, claim({TP: "0"})) == []


class TestShapes:
    @pytest.mark.parametrize(
        "spec", [None, [], "x", {"engine": 7}, {"engineConfig": []}, {"engineConfig": {"args": [TP]}}]
    )
    def test_strange_specs(self, spec: Any) -> None:
        assert paths({"spec": spec}) == []

    def test_values_of_another_type_are_the_schema_s_to_refuse(self) -> None:
        assert paths(claim({TP: 2})) == []

    @given(st.dictionaries(st.sampled_from([TP, PP, DP, MEMORY]), st.text() | st.integers() | st.none()))
    def test_sound_flags_have_gpus(self, args: dict[str, Any]) -> None:
        if list(parallelism.faults(args)):
            with pytest.raises(ValueError, match="must be"):
                parallelism.gpus(args)
        else:
            assert parallelism.gpus(args) >= 1
