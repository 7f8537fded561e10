import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.sim.engine.core import errors, speech, tokens

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SPECIALS = st.lists(st.one_of(TEXT, st.sampled_from(sorted(tokens.SPECIAL)))).map("".join)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant", "tool", "odd"]), "content": TEXT})
)


@given(SPECIALS)
def test_nothing_is_lost(text: str) -> None:
    encoded = tokens.encode(text)
    assert len(encoded) % tokens.WIDTH == 0
    assert tokens.decode(encoded) == text


@given(SPECIALS, SPECIALS)
def test_two_texts_are_never_the_same_tokens(one: str, other: str) -> None:
    assert (tokens.encode(one) == tokens.encode(other)) == (one == other)


@given(SPECIALS)
def test_ids_and_back(text: str) -> None:
    encoded = tokens.encode(text, begin=True)
    numbers = tokens.ids(encoded)
    assert tokens.from_ids(numbers) == encoded
    assert len(numbers) == tokens.count(encoded)
    assert all(0 <= number < 2**32 for number in numbers)
    assert numbers[0] == 0xFFFFFF00


def test_ids_are_big_endian() -> None:
    assert tokens.ids(b"abcd") == [0x61626364]


@pytest.mark.parametrize("numbers", [[-1], [2**32], ["a"], [1.5], [None]])
def test_what_is_no_token_id(numbers: list[int]) -> None:
    with pytest.raises(errors.RejectedError, match="token id") as caught:
        tokens.from_ids(numbers)
    assert caught.value.param == "prompt"


@given(TEXT)
def test_four_bytes_a_token(text: str) -> None:
    assert tokens.count(tokens.encode(text.replace("<|", ""))) == -(-len(text.replace("<|", "").encode()) // 4)


def test_each_token_has_a_text() -> None:
    assert tokens.strings(tokens.encode("<|user|>abcdefg")) == ["<|user|>", "abcd", "efg"]


def test_a_cut_character_is_replaced() -> None:
    assert tokens.decode(b"abc\xc3") == "abc\N{REPLACEMENT CHARACTER}"


@given(MESSAGES)
def test_the_template_is_what_the_tokenizer_reads(messages: list[dict[str, str]]) -> None:
    """Tokens of a conversation, told as text and read again, are the same tokens."""
    encoded = tokens.encode(tokens.render(messages))
    assert tokens.encode(tokens.decode(encoded)) == encoded


@given(MESSAGES, TEXT, TEXT)
def test_a_conversation_goes_on_where_it_was(messages: list[dict[str, str]], question: str, follow_up: str) -> None:
    before = [*messages, {"role": "user", "content": question}]
    prompt = tokens.encode(tokens.render(before))
    said = speech.say(speech.offset(prompt), 7)
    after = [*before, {"role": "assistant", "content": said.decode()}, {"role": "user", "content": follow_up}]
    assert tokens.encode(tokens.render(after)).startswith(prompt + said)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hello", "hello"),
        (None, ""),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "what?"}], "<|image|>what?"),
        ([{"type": "input_audio"}], "<|audio|>"),
        ([{"type": "refusal"}], ""),
    ],
)
def test_contents(content: object, text: str) -> None:
    rendered = tokens.render([{"role": "user", "content": content}])
    assert rendered == f"<|begin|><|user|>{text}<|end|><|assistant|>"


def test_without_the_prompt_to_answer() -> None:
    assert tokens.render([{"role": "tool", "content": "1"}], prompt=False) == "<|begin|><|tool|>1<|end|>"


@pytest.mark.parametrize("messages", [["hi"], [{"role": "user", "content": 3}], [{"content": ["x"]}]])
def test_what_is_no_message(messages: list[dict[str, object]]) -> None:
    with pytest.raises(errors.RejectedError, match=r"messages\[0\]") as caught:
        tokens.render(messages)
    assert caught.value.param == "messages"
