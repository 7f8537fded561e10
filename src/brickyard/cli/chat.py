"""``brickyard chat``: talk to a model in the terminal, through the gateway as any client."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from brickyard.cli import conversation


def chat(
    model: Annotated[str, typer.Argument(help="The model, as `brickyard status` names it.")],
    message: Annotated[str, typer.Option("--message", "-m", help="Ask this and end.")] = "",
    system: Annotated[str, typer.Option(help="What the model is told before the conversation.")] = "",
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer, in tokens.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, help="0: always the likeliest word.")] = None,
    gateway: Annotated[str, typer.Option(help="URL of a gateway.  [default: the one of this machine]")] = "",
    data_dir: options.DataDir = None,
) -> None:
    """Talk to a model: answers as they are made, then time to first token, tokens per second and the replica.

    A gateway that asks for an API key gets that of $BRICKYARD_API_KEY, or of $OPENAI_API_KEY where it is one of Brickyard's.
    """
    import os
    import sys
    import time

    import httpx2

    from brickyard.cli import conversation, place

    url = gateway or place.running(data_dir)[1].gateway_url
    given = {"max_tokens": max_tokens, "temperature": temperature}
    fields: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    headers = conversation.credentials(os.environ)
    with httpx2.Client(timeout=conversation.TIMEOUT, trust_env=False, headers=headers) as client:
        talk = conversation.Conversation(client, url, model, clock=time.monotonic, system=system, options=fields)
        if message or not sys.stdin.isatty():
            _answer(talk, message or sys.stdin.read().strip())
        else:
            converse(talk, input)


def converse(talk: conversation.Conversation, ask: Callable[[str], str]) -> None:
    """Question and answer until there is no further question; what goes wrong in one turn does not end the others."""
    import sys

    from brickyard.lib import errors

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - gives `input` line editing and a history
    print("Ask away; Ctrl-C stops an answer, Ctrl-D ends.", file=sys.stderr)
    while True:
        try:
            question = ask("\n> ").strip()
        except EOFError:
            print()
            return
        if not question:
            continue
        try:
            _answer(talk, question)
        except errors.BrickyardError as error:
            print(f"error: {error}", file=sys.stderr)
        except KeyboardInterrupt:
            print("\n(stopped)", file=sys.stderr)


def _answer(talk: conversation.Conversation, question: str) -> None:
    import os
    import sys

    from brickyard.cli import conversation
    from brickyard.lib import errors

    if not question:
        raise errors.UsageError("there is no question", hint="give one with --message, or on standard input")
    terminal = sys.stdout.isatty()
    turn = conversation.Turn()
    pieces = talk.ask(question, turn)
    with contextlib.closing(pieces) as coming:
        _print(coming, clean=terminal)
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    dim, plain = ("\x1b[2m", "\x1b[0m") if coloured else ("", "")
    print(f"{dim}({turn}){plain}", file=sys.stderr)


def _print(pieces: Iterator[str], *, clean: bool) -> None:
    from brickyard.cli import conversation

    begun = False
    try:
        for piece in pieces:
            print(conversation.printable(piece) if clean else piece, end="", flush=True)
            begun = True
    finally:
        # However it ends, what comes next begins on a line of its own.
        if begun:
            print(flush=True)
