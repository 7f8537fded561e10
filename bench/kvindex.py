"""What the prefix index costs: hashes of prompts, operations on blocks, bytes; and, where they are installed, what tokenising would.

    .venv/bin/python -m bench kvindex

No network and no event loop. The aims: a million block operations a second, 100 bytes for each block and endpoint, tens of
microseconds for a prompt of 400 KB. Every figure is the best of several repeats on a table that is as full as it gets.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import os
import pathlib
import random
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from brickyard.engines import contract as engines
from brickyard.engines.vllm import kvevents
from brickyard.kvindex import blocks, learning, prefix, residency, settings

REPEATS = 5
PROMPTS = (1_000, 10_000, 100_000, 400_000)
ENDPOINTS = 8
BLOCKS = 16
TOKENS = 16


def best(work: Callable[[], int]) -> float:
    """Microseconds for each thing that ``work`` says it did, in its fastest repeat; CPU time."""
    found = []
    for _ in range(REPEATS):
        begin = time.process_time()
        done = work()
        found.append((time.process_time() - begin) / done * 1e6)
    return min(found)


def hashing(console: Console) -> None:
    """Hashes of a prompt, by its length."""
    table = Table(title="Hashes of a prompt, blocks of 128 bytes")
    for heading in ("prompt", "blocks", "µs"):
        table.add_column(heading, justify="right")
    hasher = blocks.Hasher(128)
    for size in PROMPTS:
        cost = best(_hashing(hasher, random.Random(size).randbytes(size), max(1, 2_000_000 // size)))
        table.add_row(f"{size // 1000} KB", str(hasher.count(size)), f"{cost:.1f}")
    console.print(table)


def _hashing(hasher: blocks.Hasher, prompt: bytes, rounds: int) -> Callable[[], int]:
    def work() -> int:
        for _ in range(rounds):
            hasher.hashes("m", prompt)
        return rounds

    return work


def operations(console: Console) -> None:
    """Block operations of both indexes, on tables that are full."""
    rng = random.Random(1)
    names = [f"default/pod-{number}:8000" for number in range(ENDPOINTS)]
    index = prefix.PrefixIndex(settings.PrefixSettings(block_number=1 << 20, budget=1 << 30))
    old = _prompts(rng, (1 << 17) // BLOCKS * 10)
    for number, each in enumerate(old):
        index.add(each, names[number % ENDPOINTS], 0.0)
    held, recent, fresh = index.size(), old[-4000:], iter(_prompts(rng, REPEATS * 2000))
    works: dict[str, Callable[[], int]] = {
        "match, all known": lambda: sum(max(index.match(each, names, 1.0).values(), default=0) for each in recent),
        "add, known": lambda: _add(index, recent, names[0]),
        "add, new, each at the cost of an old one": lambda: _add(index, itertools.islice(fresh, 2000), names[1]),
        "KV events, stored": _storing(rng),
        "KV events, stored and followed, with links": _following(rng, linked=True),
        "KV events, stored and followed, without": _following(rng, linked=False),
    }
    table = Table(title=f"{held.entries} entries, {held.used / held.entries:.0%} full, prompts of {BLOCKS} blocks")
    for heading in ("operation", "µs a block", "million/s"):
        table.add_column(heading, justify="left" if heading == "operation" else "right")
    for what, work in works.items():
        cost = best(work)
        table.add_row(what, f"{cost:.2f}", f"{1 / cost:.1f}")
    console.print(table)
    console.print(f"{held.bytes / held.used:.0f} bytes a block and endpoint")


def _prompts(rng: random.Random, count: int) -> list[list[int]]:
    return [[rng.getrandbits(63) or 1 for _ in range(BLOCKS)] for _ in range(count)]


def _add(index: prefix.PrefixIndex, prompts: Iterable[Sequence[int]], endpoint: str) -> int:
    done = 0
    for each in prompts:
        index.add(each, endpoint, 2.0)
        done += len(each)
    return done


def _storing(rng: random.Random) -> Callable[[], int]:
    held = residency.Residency(residency.Chain("m"), 1 << 20, 1 << 30)
    events = iter(
        [
            engines.BlocksStored(
                tuple(rng.getrandbits(64) for _ in range(BLOCKS)),
                None,
                tuple(rng.getrandbits(17) for _ in range(TOKENS * BLOCKS)),
                TOKENS,
            )
            for _ in range(1000 * REPEATS)
        ]
    )

    def work() -> int:
        before = held.counts.stored
        for number, event in enumerate(itertools.islice(events, 1000)):
            held.take(f"pod-{number % ENDPOINTS}", (event,))
        return held.counts.stored - before

    return work


def _following(rng: random.Random, *, linked: bool) -> Callable[[], int]:
    """The way of a message from msgpack to the prefix index: one event of ``BLOCKS`` blocks."""
    index = prefix.PrefixIndex(settings.PrefixSettings(block_number=1 << 18, budget=1 << 30))
    learner = learning.Learner(index, 1 << 18)
    chain = residency.Chain("m")
    held = residency.Residency(chain, 1 << 18, 1 << 30, watch=learner)
    payloads = []
    for number in range(1000 * REPEATS):
        names = [rng.getrandbits(64) for _ in range(BLOCKS)]
        tokens = [rng.getrandbits(17) for _ in range(TOKENS * BLOCKS)]
        event = ["BlockStored", names, None, tokens, TOKENS, None, "GPU", None]
        payloads.append(msgspec.msgpack.encode([float(number), [event], 0]))
        for key in chain.hashes(tokens, TOKENS) if linked else ():
            learner.links.put(rng.getrandbits(63) or 1, key)
    waiting = iter(payloads)

    def work() -> int:
        before = held.counts.stored
        for number, payload in enumerate(itertools.islice(waiting, 1000)):
            held.take(f"pod-{number % ENDPOINTS}", kvevents.DECODER.decode(payload).events)
        return held.counts.stored - before

    return work


def learned(console: Console) -> None:
    """What a request costs that is learned from."""
    rng = random.Random(2)
    index = prefix.PrefixIndex(settings.PrefixSettings())
    learner = learning.Learner(index, 1 << 18)
    held = residency.Residency(residency.Chain("m"), 1 << 18, 1 << 30, watch=learner)
    prompts = [
        ([rng.getrandbits(63) or 1 for _ in range(BLOCKS)], [rng.getrandbits(17) for _ in range(TOKENS * BLOCKS)])
        for _ in range(1000 * REPEATS)
    ]
    ends = [128 * (number + 1) for number in range(BLOCKS)]
    waiting, seconds = iter(prompts), itertools.count()

    def work() -> int:
        due = list(itertools.islice(waiting, 1000))
        for hashes, tokens in due:
            at = float(next(seconds))
            learner.now = at + 0.1
            names = tuple(rng.getrandbits(64) for _ in range(BLOCKS))
            held.take("pod", (engines.BlocksStored(names, None, tuple(tokens), TOKENS),))
            learner.asked(learning.Asked("pod", hashes, ends, ends[-1], len(tokens), 1, 0, at, at + 0.2))
            learner.settle(at + 0.9, held)
        return len(due)

    cost = best(work)
    console.print(
        f"{cost:.0f} µs for a request of {BLOCKS} blocks that is learned from, its event included ({learner.counts.matched} matched)"
    )


def tokenizing(console: Console) -> None:
    """What it would cost to cut prompts by tokens: a byte-level BPE of 32 000 words, trained here on the standard library."""
    missing = [name for name in ("tokenizers", "tiktoken") if importlib.util.find_spec(name) is None]
    if missing:
        console.print(f"not measured, for want of {' and '.join(missing)}: what tokenising would cost")
        return
    files = [str(each) for each in sorted(pathlib.Path(os.__file__).parent.glob("*.py"))]
    text = "".join(pathlib.Path(each).read_text(errors="replace") for each in files)
    encoders = _encoders(files)
    table = Table(title="Tokenising a prompt instead, µs")
    for heading in ("prompt", *encoders):
        table.add_column(heading, justify="right")
    for size in PROMPTS:
        costs = [best(_encoding(encode, text[:size], max(1, 200_000 // size))) for encode in encoders.values()]
        table.add_row(f"{size // 1000} KB", *(f"{cost:.0f}" for cost in costs))
    console.print(table)


def _encoders(files: Sequence[str]) -> dict[str, Callable[[str], Sequence[int]]]:
    tokenizers, tiktoken = importlib.import_module("tokenizers"), importlib.import_module("tiktoken")
    bpe = tokenizers.ByteLevelBPETokenizer()
    bpe.train(files, vocab_size=32_000, show_progress=False)
    # Byte-level vocabularies write each byte as a printable letter.
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {chr(byte): byte for byte in plain}
    letters |= {chr(256 + number): byte for number, byte in enumerate(sorted(set(range(256)) - set(plain)))}
    ranks = {bytes(letters[letter] for letter in word): rank for word, rank in bpe.get_vocab().items()}
    pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    encoding = tiktoken.Encoding("here", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return {"tokenizers": lambda text: bpe.encode(text).ids, "tiktoken": encoding.encode_ordinary}


def _encoding(encode: Callable[[str], Sequence[int]], prompt: str, rounds: int) -> Callable[[], int]:
    def work() -> int:
        for _ in range(rounds):
            encode(prompt)
        return rounds

    return work


def main() -> None:
    """Print the tables."""
    console = Console()
    hashing(console)
    operations(console)
    learned(console)
    tokenizing(console)


if __name__ == "__main__":
    main()
