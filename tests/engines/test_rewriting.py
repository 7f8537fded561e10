import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.engines import contract, errors, rewriting

ADDRESS = "127.64.0.7"
FLAGS = rewriting.Flags(
    files=frozenset({"--model", "serve"}), schemes=("pypi://", "/"), refused={"--uds": "is no port: remove it"}
)
GOOGLE = rewriting.Flags(files=frozenset({"--model"}), schemes=("/",), single_dash=True)
REFERENCE = "pypi://tiny==1/tiny/model.gguf"


def bind(*argv: str, flags: rewriting.Flags = FLAGS) -> tuple[str, ...]:
    return rewriting.bind(argv, flags, contract.ContainerSpec("i", (), (), {}, ADDRESS, 8000))


@pytest.mark.parametrize(
    ("argv", "bound"),
    [
        ((), ("--host", ADDRESS, "--port", "8000")),
        (("--host", "0.0.0.0"), ("--host", ADDRESS, "--port", "8000")),
        (("--host=0.0.0.0", "--host", "::"), ("--host", ADDRESS, "--port", "8000")),
        (("--host",), ("--host", ADDRESS, "--port", "8000")),
        (("--port", "9"), ("--port", "9", "--host", ADDRESS)),
        (("--port=9",), ("--port=9", "--host", ADDRESS)),
        (("--host-name", "x", "port"), ("--host-name", "x", "port", "--host", ADDRESS, "--port", "8000")),
        (("-port", "9"), ("-port", "9", "--host", ADDRESS, "--port", "8000")),
        ((f"--model={REFERENCE}",), ("--model", REFERENCE, "--host", ADDRESS, "--port", "8000")),
        (("--model=a/b",), ("--model=a/b", "--host", ADDRESS, "--port", "8000")),
        ((f"--name={REFERENCE}",), (f"--name={REFERENCE}", "--host", ADDRESS, "--port", "8000")),
        (("serve=/m",), ("serve", "/m", "--host", ADDRESS, "--port", "8000")),
    ],
)
def test_bind(argv: tuple[str, ...], bound: tuple[str, ...]) -> None:
    assert bind(*argv) == bound


def test_single_dashes() -> None:
    assert bind("-host=::", "-port", "9", "-model=/m", flags=GOOGLE) == (
        *("-port", "9", "-model", "/m"),
        *("--host", ADDRESS),
    )
    assert rewriting.references(("-model", "/m"), GOOGLE) == ("/m",)


@pytest.mark.parametrize("item", ["--uds", "--uds=/x"])
def test_a_refused_flag_says_what_to_do(item: str) -> None:
    with pytest.raises(errors.ArgumentError, match=r"^--uds is no port: remove it$"):
        bind("m", item)


def test_references_once_in_order() -> None:
    argv = ("serve", "/m", "--model", REFERENCE, "--model", "/m", "--name", "/n", "--model", "a/b")
    assert rewriting.references(argv, FLAGS) == ("/m", REFERENCE)


@pytest.mark.parametrize(
    ("argv", "kept", "hidden"),
    [
        (("m",), ("m",), {}),
        (("--key", "k", "--port", "1"), ("--port", "1"), {"KEY": "k"}),
        (("m", "--key=k"), ("m",), {"KEY": "k"}),
        (("--key=a=b",), (), {"KEY": "a=b"}),
        (("--key", "a", "--key", "b"), (), {"KEY": "b"}),
        (("--key", "a", "b", "--x"), ("--key", "a", "b", "--x"), {}),
        (("--key",), ("--key",), {}),
        (("--key", "--x"), ("--key", "--x"), {}),
        (("--keys", "k"), ("--keys", "k"), {}),
    ],
)
def test_hide(argv: tuple[str, ...], kept: tuple[str, ...], hidden: dict[str, str]) -> None:
    flags = rewriting.Flags(files=frozenset(), schemes=("/",), secrets={"--key": "KEY"})
    assert rewriting.hide(argv, flags) == (kept, hidden)


def test_has() -> None:
    assert rewriting.has(("--a", "--b=1"), FLAGS, "--b")
    assert not rewriting.has(("--a", "--bb"), FLAGS, "--b")


WORDS = st.lists(
    st.one_of(
        st.text(max_size=6), st.sampled_from(["--host", "--host=x", "--port", "--port=1", "--model=/m", "serve"])
    ),
    max_size=8,
).filter(lambda words: not any(word.startswith("--uds") for word in words))


@given(WORDS)
def test_it_listens_on_the_pods_address_alone(argv: list[str]) -> None:
    bound = bind(*argv)
    hosts = [position for position, item in enumerate(bound) if item.partition("=")[0] == "--host"]
    assert [bound[hosts[0] : hosts[0] + 2]] == [("--host", ADDRESS)]
    assert len(hosts) == 1
    assert rewriting.has(bound, FLAGS, "--port")
    assert set(rewriting.references(bound, FLAGS)) <= set(bound)
    again = rewriting.bind(bound, FLAGS, contract.ContainerSpec("i", (), (), {}, ADDRESS, 8000))
    assert sorted(again) == sorted(bound), "binding twice changes nothing"


NAMING = rewriting.Flags(
    files=frozenset({"--model", "--tokenizer", "serve"}),
    loader="--load-format",
    streams=("runai",),
    served="--served-model-name",
    named=frozenset({"--model", "serve"}),
)


@pytest.mark.parametrize(
    ("reference", "title"),
    [
        ("hf://org/model", "org/model"),
        ("hf://org/model@v1:Q4_0", "org/model"),
        ("HuggingFace://org/model", "org/model"),
        ("hf://org/model/a/b.gguf", "b.gguf"),
        ("https://h/a/b.gguf?sig=1#sha256=0", "b.gguf"),
        ("s3://bucket/folder/model/", "model"),
        ("pypi://tiny==1/tiny/model.gguf", "model.gguf"),
    ],
)
def test_titles(reference: str, title: str) -> None:
    assert rewriting.title(reference) == title


@pytest.mark.parametrize(
    ("argv", "added"),
    [
        (("--model", "hf://org/model"), ("--served-model-name", "org/model")),
        (("serve", "s3://b/m", "--tokenizer", "hf://org/words"), ("--served-model-name", "m")),
        (("--model", "hf://org/model", "--served-model-name", "x"), ()),
        (("--model", "hf://org/model", "--served-model-name=x"), ()),
        (("--model", "/models/m"), ()),
        (("--model", "org/model"), ()),
        (("--tokenizer", "hf://org/words"), ()),
    ],
)
def test_a_fetched_model_is_called_as_its_reference_says(argv: tuple[str, ...], added: tuple[str, ...]) -> None:
    assert rewriting.called(argv, NAMING) == added


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (("--model", "s3://b/m"), ("s3://b/m",)),
        (("--model", "s3://b/m", "--load-format", "auto"), ("s3://b/m",)),
        (("--model", "s3://b/m", "--load-format", "runai_streamer"), ()),
        (("--model", "s3://b/m", "--load-format=runai_streamer"), ()),
        (("--model", "s3://b/m", "--load-format"), ("s3://b/m",)),
        (("--model", "/m", "--load-format", "runai_streamer"), ("/m",)),
        (("--model", "pypi://a==1/m", "--load-format", "runai_streamer"), ("pypi://a==1/m",)),
    ],
)
def test_what_an_engine_streams_by_itself_is_left_to_it(argv: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert rewriting.references(argv, rewriting.settled(argv, NAMING)) == found
