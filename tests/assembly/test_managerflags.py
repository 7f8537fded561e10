"""AIBrix' command line becomes ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.assembly import managerflags

SWITCHES = ("--leader-elect",)
OPTIONS = ("--leader-elect", "--metrics-bind-address", "--controllers", "--help")


def read(*words: str) -> managerflags.Line:
    return managerflags.read(words, OPTIONS, SWITCHES)


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ((), []),
        (("--leader-elect",), ["--leader-elect"]),
        (("-leader-elect",), ["--leader-elect"]),
        (("--leader-elect=true",), ["--leader-elect"]),
        (("-leader-elect=T",), ["--leader-elect"]),
        (("--leader-elect=false",), []),
        (("--leader-elect", "--leader-elect=0"), []),
        (("--leader-elect=false", "--leader-elect"), ["--leader-elect"]),
        (("--leader-elect=perhaps",), ["--leader-elect=perhaps"]),
        (("--metrics-bind-address=:8080",), ["--metrics-bind-address=:8080"]),
        (("-metrics-bind-address", ":8080"), ["--metrics-bind-address", ":8080"]),
        (("--controllers", "-kv-cache-controller"), ["--controllers", "-kv-cache-controller"]),
        (("--controllers=*,-kv-cache-controller",), ["--controllers=*,-kv-cache-controller"]),
        (("--", "-leader-elect"), ["--", "-leader-elect"]),
        (("--no-such-flag", "-x"), ["--no-such-flag", "-x"]),
    ],
)
def test_spellings_of_go(words: tuple[str, ...], kept: list[str]) -> None:
    assert read(*words) == managerflags.Line(kept, ())


@pytest.mark.parametrize(
    ("words", "kept", "foreign"),
    [
        (("--enable-runtime-sidecar",), [], ("--enable-runtime-sidecar",)),
        (("-debug-mode=false", "--leader-elect"), ["--leader-elect"], ("--debug-mode",)),
        (
            ("--model-adapter-scheduler-policy", "random", "--leader-elect"),
            ["--leader-elect"],
            ("--model-adapter-scheduler-policy",),
        ),
        (("--model-adapter-scheduler-policy=random",), [], ("--model-adapter-scheduler-policy",)),
        (("--model-adapter-scheduler-policy",), [], ("--model-adapter-scheduler-policy",)),
        (("--enable-http2", "--enable-http2=true", "--metrics-secure"), [], ("--enable-http2", "--metrics-secure")),
    ],
)
def test_what_means_nothing_here(words: tuple[str, ...], kept: list[str], foreign: tuple[str, ...]) -> None:
    assert read(*words) == managerflags.Line(kept, foreign)


@given(st.lists(st.sampled_from([*OPTIONS, *managerflags.FOREIGN, "value", "--", "-", "--x=y", "=", ""])))
def test_no_foreign_flag_is_left_before_the_end_of_flags(words: list[str]) -> None:
    kept = list(read(*words).arguments)
    flags = kept[: kept.index("--")] if "--" in kept else kept
    assert not set(flags) & managerflags.FOREIGN.keys()


def test_each_is_told_with_what_to_know(caplog: pytest.LogCaptureFixture) -> None:
    managerflags.tell(["--debug-mode", "--enable-http2"])
    told = [record.__dict__ for record in caplog.records]
    assert len(told) == 2
    assert "--debug-mode" in str(told[0])
    assert "HTTP/1.1" in str(told[1])
