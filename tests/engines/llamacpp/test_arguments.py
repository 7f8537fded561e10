import contextlib
import string
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.engines import errors
from brickyard.engines.llamacpp import arguments, flags


def settings(*args: str, **environ: str) -> dict[str, flags.Value]:
    return arguments.settings(arguments.parse(args, environ))


@pytest.mark.parametrize(
    ("args", "filled"),
    [
        (["-m", "a.gguf"], {"model.path": "a.gguf"}),
        (["--model", "pypi://a==1/b.gguf"], {"model.path": "pypi://a==1/b.gguf"}),
        (["-a", "x, y"], {"model_alias": ("x", "y")}),
        (["-c", "4096"], {"n_ctx": 4096}),
        (["--ctx_size", "4096"], {"n_ctx": 4096}),
        (["-np", "2"], {"n_parallel": 2}),
        (["-t", "-1"], {"cpuparams.n_threads": -1}),
        (["--host", "0.0.0.0", "--port", "8000"], {"hostnames": ("0.0.0.0",), "port": 8000}),
        (["--metrics", "--no-slots"], {"endpoint_metrics": True, "endpoint_slots": False}),
        (["--embedding"], {"embedding": True}),
        (["--embeddings", "--pooling", "mean"], {"embedding": True, "pooling_type": 1}),
        (["--reranking"], {"embedding": True, "pooling_type": 4}),
        (["-ngl", "99"], {"n_gpu_layers": 99}),
        (["-ngl", "0"], {"n_gpu_layers": 0}),
        (["-ngl", "all"], {"n_gpu_layers": -2}),
        (["-fa", "off"], {"flash_attn_type": 0}),
        (["-fa"], {"flash_attn_type": 1}),
        (["-fa", "--jinja"], {"flash_attn_type": 1, "use_jinja": True}),
        (["-ctk", "q8_0"], {"cache_type_k": 8}),
        (["--temp", "0.2"], {"sampling.temp": 0.2}),
        (["--api-key", "k1,k2"], {"api_keys": ("k1", "k2")}),
        (["--lora", "a", "--lora", "b,c"], {"lora_adapters": ("a", "b", "c")}),
        (["--lora-scaled", "a:0.5"], {"lora_scaled": ("a:0.5",)}),
        # The last use wins.
        (["-c", "1", "-c", "2"], {"n_ctx": 2}),
        (["--slots", "--no-slots"], {"endpoint_slots": False}),
        ([], {}),
    ],
)
def test_command_line(args: Sequence[str], filled: Mapping[str, flags.Value]) -> None:
    assert settings(*args) == filled


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--foo"], "unknown llama-server argument '--foo'. Known here: .*--alias.*--ctx-size.*--model"),
        (["--modle", "x"], r"'--modle' \(did you mean --model\?\)"),
        (["--model=x"], "write --model x"),
        (["x.gguf"], "unexpected argument 'x.gguf'.*--model x.gguf"),
        (["--model"], "--model needs a value after it$"),
        (["--model", "--alias", "x"], "--model needs a value after it, not --alias"),
        (["-c", "many"], "--ctx-size cannot take 'many'"),
        (["-np", "0"], "--parallel cannot take '0': it is 1 or more"),
        (["--port", "65536"], "a port is 0 to 65535"),
        (["-a", " , "], "at least one is needed"),
        (["-fa", "maybe"], "'maybe': one of on, off, auto"),
        (["-ctk", "q3"], "cannot take 'q3': one of f32, f16"),
        (["-hf", "b"], "--hf-repo cannot take 'b': write OWNER/MODEL or"),
        (["-mu", "b"], "--model-url cannot take 'b': write https://"),
        (["-dr", "a/b"], "-dr is not served here: .*hf://"),
        (["--docker_repo", "a/b"], "--docker_repo is not served here: .*hf://"),
        (["--models-dir", "x"], "one model"),
        (["--ssl-key-file", "x"], "TLS belongs to the gateway"),
    ],
)
def test_what_cannot_be_honoured(args: Sequence[str], said: str) -> None:
    with pytest.raises(errors.ArgumentError, match=said):
        arguments.parse(args, {})


def test_an_api_key_is_not_shown_in_an_error() -> None:
    with pytest.raises(errors.ArgumentError, match="--api-key cannot take its value"):
        arguments.parse(["--api-key", " ,"], {})


class TestEnvironment:
    def test_stands_in_for_absent_flags(self) -> None:
        assert settings(LLAMA_ARG_MODEL="a.gguf", LLAMA_ARG_CTX_SIZE="128", LLAMA_API_KEY="k", HOME="/root") == {
            "model.path": "a.gguf",
            "n_ctx": 128,
            "api_keys": ("k",),
        }

    def test_the_command_line_wins(self) -> None:
        assert settings("-c", "1", LLAMA_ARG_CTX_SIZE="2") == {"n_ctx": 1}
        assert settings("--no-slots", LLAMA_ARG_ENDPOINT_SLOTS="true") == {"endpoint_slots": False}

    @pytest.mark.parametrize(
        ("text", "value"),
        [("1", True), ("true", True), ("ON", True), ("0", False), ("false", False), ("disabled", False)],
    )
    def test_switches(self, text: str, value: bool) -> None:
        assert settings(LLAMA_ARG_ENDPOINT_METRICS=text) == {"endpoint_metrics": value}

    def test_a_preset_that_is_off_says_nothing(self) -> None:
        assert settings(LLAMA_ARG_RERANKING="0") == {}
        assert settings(LLAMA_ARG_RERANKING="1") == {"embedding": True, "pooling_type": 4}

    @pytest.mark.parametrize(
        ("environ", "said"),
        [
            ({"LLAMA_ARG_FOO": "1"}, "unknown variable LLAMA_ARG_FOO. Known here: .*LLAMA_ARG_MODEL"),
            ({"LLAMA_ARG_DOCKER_REPO": "a/b"}, "LLAMA_ARG_DOCKER_REPO is not served here"),
            ({"LLAMA_ARG_CTX_SIZE": "x"}, "LLAMA_ARG_CTX_SIZE cannot take 'x'"),
            ({"LLAMA_ARG_KV_UNIFIED": "maybe"}, "LLAMA_ARG_KV_UNIFIED cannot take 'maybe': write true or false"),
        ],
    )
    def test_what_cannot_be_honoured(self, environ: Mapping[str, str], said: str) -> None:
        with pytest.raises(errors.ArgumentError, match=said):
            arguments.parse([], environ)

    def test_inherited_arguments_say_so(self) -> None:
        found = arguments.parse(["-c", "1"], {"LLAMA_ARG_THREADS": "2"})
        assert {each.flag.name: each.inherited for each in found} == {"--threads": True, "--ctx-size": False}


class TestTable:
    def test_every_spelling_and_variable_stands_once(self) -> None:
        names = [name for flag in flags.FLAGS for name in flag.names]
        variables = [flag.env for flag in flags.FLAGS if flag.env]
        assert len(names) == len(set(names))
        assert len(variables) == len(set(variables))

    def test_nothing_is_both_served_and_refused(self) -> None:
        served = {name for flag in flags.FLAGS for name in (*flag.names, flag.env)}
        assert not served & flags.REFUSED.keys()

    def test_a_flag_fills_something(self) -> None:
        assert all(bool(flag.target) != bool(flag.fixed) for flag in flags.FLAGS)

    def test_every_target_is_a_parameter_of_the_wheel(self) -> None:
        xllamacpp = pytest.importorskip("xllamacpp")
        params = xllamacpp.CommonParams()
        for flag in flags.FLAGS:
            for target in ({flag.target} if flag.target else flag.fixed.keys()) - flags.UNBOUND:
                holder = params
                for name in target.split("."):
                    holder = getattr(holder, name)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    text = st.text(alphabet=string.ascii_letters + string.digits + "/.:", min_size=1)
    line: list[str] = []
    for flag in draw(st.lists(st.sampled_from(flags.FLAGS), max_size=8)):
        name = draw(st.sampled_from(flag.names))
        line += [name] if flag.switch else [name, draw(st.one_of(text, st.integers(0, 9).map(str), st.just("auto")))]
    return line


@given(command_lines())
def test_what_parses_parses_again_from_its_own_argv(line: list[str]) -> None:
    try:
        found = arguments.parse(line, {})
    except errors.ArgumentError:
        return
    again = arguments.parse([item for argument in found for item in argument.argv], {})
    assert arguments.settings(again) == arguments.settings(found)


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_line_parses_or_says_why(line: list[str]) -> None:
    with contextlib.suppress(errors.ArgumentError):
        assert all(argument.settings for argument in arguments.parse(line, {}))
