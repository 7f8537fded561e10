import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.engines import commands, errors


@pytest.mark.parametrize(
    ("command", "args", "words"),
    [
        ([], [], []),
        ([], ["--model", "m"], ["--model", "m"]),
        (["vllm"], ["serve", "m"], ["vllm", "serve", "m"]),
        (["sh", "-c"], ["vllm serve m --port 8000"], ["vllm", "serve", "m", "--port", "8000"]),
        (["/bin/bash", "-lc", "vllm serve m"], [], ["vllm", "serve", "m"]),
        (["bash", "-e", "-c"], ["exec vllm serve m"], ["vllm", "serve", "m"]),
        (["sh", "-c", "vllm serve m \\\n  --port 1 \\\n"], [], ["vllm", "serve", "m", "--port", "1"]),
        (["sh", "-c", """vllm serve m --kv '{"a": "$x;"}'"""], [], ["vllm", "serve", "m", "--kv", '{"a": "$x;"}']),
        (["sh", "-c", 'vllm serve "a;b" c\\;d'], [], ["vllm", "serve", "a;b", "c;d"]),
        (["sh", "-c", 'vllm serve "a\\"b" "c\\\\" \\$d'], [], ["vllm", "serve", 'a"b', "c\\", "$d"]),
        (["sh", "-c", "vllm se\\\nrve 'a\\\nb' \"c\\\nd\""], [], ["vllm", "serve", "a\\\nb", "cd"]),
        # No shell around it: characters mean nothing.
        (["vllm", "serve", "$HOME;"], [], ["vllm", "serve", "$HOME;"]),
    ],
)
def test_words(command: list[str], args: list[str], words: list[str]) -> None:
    assert commands.words(command, args) == tuple(words)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a; b", "';'"),
        ("a && b", "'&'"),
        ("a | tee x", r"'\|'"),
        ("a > x", "'>'"),
        ("a $HOME", r"'\$'"),
        ('a "$HOME"', r"'\$'"),
        ('a "\\$HOME"', r"'\$'"),
        ("a `b`", "'`'"),
        ('a "`b`"', "'`'"),
        ("a (b)", r"'\('"),
        ("a *.gguf", r"'\*'"),
        ("a\nb", "holds '.n'"),
        ("a 'b", "cannot be read"),
        ("X=1 vllm serve m", "sets X: put it into the container's env"),
    ],
)
def test_what_needs_a_shell_is_refused(line: str, said: str) -> None:
    with pytest.raises(errors.ArgumentError, match=said):
        commands.words(["sh", "-c"], [line])


@pytest.mark.parametrize("command", [["sh"], ["bash", "run.sh"], ["sh", "-c"], ["sh", "-c", "a", "b"]])
def test_a_shell_without_one_line_is_refused(command: list[str]) -> None:
    with pytest.raises(errors.ArgumentError, match="is no engine"):
        commands.words(command, [])


@given(st.lists(st.text(alphabet=st.characters(blacklist_characters="\0"), min_size=1), min_size=1))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert commands.words(["sh", "-c"], ["vllm " + shlex.join(words)]) == ("vllm", *words)
