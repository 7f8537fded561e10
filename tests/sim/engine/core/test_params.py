import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.sim.engine.core import errors, params, presets

SECONDS = st.floats(0, 10, allow_nan=False)
TIMINGS = st.builds(params.Timing, **{field.name: SECONDS for field in dataclasses.fields(params.Timing)})
PARAMS = st.builds(
    params.Params,
    timing=TIMINGS,
    max_num_seqs=st.integers(1, 1000),
    max_model_len=st.integers(1, 100_000),
    block_size=st.integers(1, 128),
    blocks=st.integers(1, 100_000),
    policy=st.sampled_from(params.POLICIES),
)


@given(PARAMS)
def test_json_and_back(given_params: params.Params) -> None:
    assert params.Params.from_json(given_params.to_json()) == given_params


def test_what_is_left_out_has_its_default() -> None:
    made = params.Params.from_json('{"block_size": 32, "timing": {"step": 0.5}}')
    assert made == params.Params(block_size=32, timing=params.Timing(step=0.5))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not valid JSON"),
        ("[]", "must be a JSON object"),
        ('{"timing": 3}', "timing must be a JSON object"),
        ('{"blocksize": 3}', "no parameter blocksize"),
        ('{"timing": {"steps": 3}}', "no parameter timing.steps"),
        ('{"timing": {"step": -1}}', "timing.step"),
        ('{"timing": {"step": "1"}}', "timing.step"),
        ('{"timing": {"step": NaN}}', "timing.step"),
        ('{"blocks": 0}', "blocks"),
        ('{"blocks": 1.5}', "blocks"),
        ('{"blocks": true}', "blocks"),
        ('{"blocks": 99000000}', "16000000 at most"),
        ('{"max_loras": -1}', "max_loras"),
        ('{"policy": "lifo"}', "fcfs, priority"),
        ('{"chunked_prefill": false, "max_num_batched_tokens": 5}', "must reach max_model_len"),
    ],
)
def test_what_cannot_be(text: str, said: str) -> None:
    with pytest.raises(errors.ParamsError, match=said) as caught:
        params.Params.from_json(text)
    assert caught.value.exit_code == 2


@given(TIMINGS)
def test_time_runs_faster(timing: params.Timing) -> None:
    fast = timing.faster(4.0)
    for field in dataclasses.fields(timing):
        assert getattr(fast, field.name) == getattr(timing, field.name) / 4.0


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_no_speed(factor: float) -> None:
    with pytest.raises(errors.ParamsError, match="speed"):
        params.Timing().faster(factor)


def test_capacity() -> None:
    assert params.Params(blocks=10, block_size=16).capacity == 160


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("8k", 8000), ("8K", 8192), ("1.5k", 1500), ("2m", 2_000_000), ("1G", 2**30)]
)
def test_counts(text: str, number: int) -> None:
    assert params.count(text) == number


@pytest.mark.parametrize("text", ["", "k", "-1", "1.5", "1x", "1 k"])
def test_no_counts(text: str) -> None:
    with pytest.raises(ValueError, match="no whole number"):
        params.count(text)


@pytest.mark.parametrize("name", [*presets.NAMED, "a100/llama-3.1-8b", "h100x4/llama-3.1-70b", "l4/qwen2.5-7b"])
def test_presets(name: str) -> None:
    made = presets.preset(name)
    assert made.capacity >= made.max_model_len


def test_a_preset_is_in_the_range_of_published_measurements() -> None:
    """Llama 3.1 8B on one H100: one stream writes 100 to 180 tokens a second, and prefill passes 20 000 tokens a second."""
    timing = presets.preset("h100/llama-3.1-8b").timing
    assert 100 < 1 / (timing.step + timing.decode_sequence) < 180
    assert 20_000 < 1 / timing.prefill_token < 60_000


@pytest.mark.parametrize("model", presets.MODELS)
def test_more_gpus_are_faster_and_hold_more(model: str) -> None:
    one, four = (presets.derive(presets.GPUS["h200"], presets.MODELS[model], number) for number in (2, 4))
    assert four.timing.step < one.timing.step
    assert four.timing.prefill_token == one.timing.prefill_token / 2
    assert four.blocks > one.blocks


def test_kv_bytes_of_a_known_model() -> None:
    assert presets.MODELS["llama-3.1-8b"].kv_bytes == 131072


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("b200/llama-3.1-8b", "no preset"),
        ("a100", "no preset"),
        ("a100/gpt", "no preset"),
        ("a100x0/llama-3.1-8b", "1 to 64"),
        ("a100/llama-3.1-70b", "take 2 or more"),
    ],
)
def test_no_presets(name: str, said: str) -> None:
    with pytest.raises(errors.ParamsError, match=said):
        presets.preset(name)


def test_the_number_that_is_advised_is_enough() -> None:
    gpu, model = presets.GPUS["l4"], presets.MODELS["llama-3.1-70b"]
    with pytest.raises(errors.ParamsError) as caught:
        presets.derive(gpu, model, 1)
    advised = int(str(caught.value).split("take ")[1].split()[0])
    assert presets.derive(gpu, model, advised).blocks >= 1


def frozen(value: Any, name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, 1)


def test_parameters_do_not_change() -> None:
    frozen(params.Params(), "blocks")
    frozen(params.Timing(), "step")
