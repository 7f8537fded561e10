"""What Brickyard must know of an engine to run it and to read it.

An adapter is a folder ``engines/<name>/`` whose parts fill the small protocols below; an engine that lacks a capability lacks the
part. Which adapters exist is listed in ``assembly/engines.py`` and nowhere else.

**Launch.** On one machine a container is a process. The node agent asks the adapters whose image patterns match to turn the
container (image, command, arguments, address) into a ``Launch``: the command line to run here. Model references in the arguments
that must be local files first (``pypi://…``, ``hf://…``, ``s3://…``) are named in ``models``; the agent fetches them and puts each
local path where the reference stood, so that an engine only ever sees a path. On Kubernetes this half is unused.

**Metrics.** ``parse`` turns a metrics page into the words of ``api/serving.py``, at every scrape. ``read`` gives everything on the
page that AIBrix has a name for, per model, histograms included: for autoscaling on a named metric, for exporting and for looking.

**KV events.** Engines with a prefix cache tell over a message bus which blocks they store and drop. ``decode`` turns one message into
the values below; who listens, asks for replays and keeps the index is not told here.

**LoRA.** Some engines load and unload adapters while they serve. The part says what to send and what the answer means; who sends it,
with which credentials, deadlines and retries, is not told here. An engine without the part takes its adapters at the start only.

**Hand-over.** One engine computes the prompt (prefill), another writes the answer (decode). The part says how both requests are made
of the client's; which two engines, and who sends what when, is not told here. Bodies go in and come out as bytes, and what is not
named stays as it was written. An engine without the part gets ``handover.PLAIN``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Protocol

from brickyard.api import serving
from brickyard.lib import errors


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container as its manifest says, variables already expanded.

    Attributes:
        image: the image reference, as written.
        command: replaces the image's entry point when not empty.
        args: arguments of the command or entry point.
        env: environment of the container, in order.
        address: the pod's own loopback address, to bind to.
        port: the first declared container port, or the model port label, or 8000.
        working_dir: "" means the container's own folder.
    """

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str]
    address: str
    port: int
    working_dir: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Launch:
    """The process that stands for a container.

    Attributes:
        argv: program and arguments; never a shell line.
        env: variables to add to the container's own.
        models: references and absolute paths inside ``argv`` that must be there first; an argv item equal to one is replaced
            by its local path.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    models: tuple[str, ...] = ()


class LaunchError(errors.BrickyardError):
    """The container cannot run here. ``reason`` becomes the container's waiting reason, the message says what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Launcher(Protocol):
    """Turns containers of certain images into local commands."""

    @property
    def images(self) -> tuple[str, ...]:
        """Glob patterns of image references this launcher knows, most specific first."""
        ...

    def launch(self, container: ContainerSpec) -> Launch:
        """The command for ``container``.

        Raises:
            LaunchError: the engine is not installed here, or an argument cannot be honoured.
        """
        ...


class MetricsReader(Protocol):
    """Reads an engine's metrics page."""

    @property
    def path(self) -> str:
        """Where the page is, such as ``/metrics``."""
        ...

    def parse(self, page: bytes) -> serving.EngineLoad:
        """The page in our words; what it does not say stays None. Never raises on a malformed line: it is skipped."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Histogram:
    """A distribution as Prometheus counts it.

    Attributes:
        bounds: upper bounds of the finite buckets, ascending.
        counts: observations at or below each bound, so ascending too.
        total: all observations, those above the last bound included.
        sum: what the observations add up to.
    """

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    total: float
    sum: float

    def mean(self) -> float | None:
        """None without observations."""
        return self.sum / self.total if self.total > 0 else None

    def quantile(self, share: float) -> float | None:
        """The value below which ``share`` (0..1) of the observations lie, interpolated inside its bucket as PromQL does.

        An answer above the last finite bound is that bound. None without observations or without finite buckets.
        """
        if self.total <= 0 or not self.bounds:
            return None
        wanted = share * self.total
        low, below = 0.0, 0.0
        for bound, count in zip(self.bounds, self.counts, strict=True):
            if count >= wanted:
                inside = count - below
                return low + (bound - low) * (wanted - below) / inside if inside > 0 else bound
            low, below = bound, count
        return self.bounds[-1]


Value = float | str | Histogram
"""A gauge or counter, a label's value, a distribution."""


class SeriesReader(Protocol):
    """Reads everything on an engine's metrics page that AIBrix has a name for."""

    @property
    def names(self) -> frozenset[str]:
        """AIBrix' names of what this engine can report, such as ``time_to_first_token_seconds``."""
        ...

    def read(self, page: bytes) -> Mapping[str, Mapping[str, Value]]:
        """By AIBrix' name and by model; what is told without a model stands under "". Absent from the page, absent here."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class BlocksStored:
    """Blocks that are in the cache now: a chain, each the child of the one before.

    Attributes:
        hashes: the engine's own hash of each block, as an unsigned 64-bit number; names, with no meaning elsewhere.
        parent: hash of the block before the first; None when the chain begins the prompt.
        tokens: ``block_size`` token ids for each hash, in order.
        block_size: tokens per block.
        medium: where the blocks lie, such as ``GPU``; "" when untold.
        adapter: name of the LoRA adapter that they were computed with, or its number in text where the engine tells no name; ""
            for the base model.
    """

    hashes: tuple[int, ...]
    parent: int | None
    tokens: tuple[int, ...]
    block_size: int
    medium: str = ""
    adapter: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class BlocksRemoved:
    """Blocks that are no longer there. ``medium``: from where; "" when untold."""

    hashes: tuple[int, ...]
    medium: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class BlocksCleared:
    """The whole cache is empty."""


KvEvent = BlocksStored | BlocksRemoved | BlocksCleared


@dataclasses.dataclass(frozen=True, slots=True)
class KvEvents:
    """One message: what happened in one step.

    Attributes:
        at: the engine's wall clock, seconds since the epoch.
        events: in the order in which they happened.
        rank: the data-parallel rank that speaks; None when the engine has one.
    """

    at: float
    events: tuple[KvEvent, ...]
    rank: int | None = None


class KvEventDecoder(Protocol):
    """Reads the messages of an engine's event bus."""

    def decode(self, payload: bytes) -> KvEvents:
        """
        Raises:
            KvEventError: the message is malformed or of an unknown kind. What it told is lost, so whoever keeps an index must
                hold the sender's part of it for unknown.
        """
        ...

    def sequence(self, frame: bytes) -> int | None:
        """The number of a message, from the frame that carries it; None for the one that ends a replay.

        Raises:
            KvEventError: the frame is no such number.
        """
        ...

    def replay_request(self, first: int) -> tuple[bytes, ...]:
        """The frames that ask for every kept message from number ``first`` on."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request to an engine. ``body`` becomes JSON; None for a request without one."""

    method: str
    path: str
    body: Mapping[str, str] | None = None


class LoraProtocol(Protocol):
    """Adapters of a running engine, by the name under which clients ask for them."""

    def list(self) -> Call:
        """Asks for what is served."""
        ...

    def load(self, name: str, artifact: str) -> Call:
        """Asks to serve ``artifact`` (a path the engine sees, ``huggingface://org/name``, a name of the hub, …) as ``name``.

        Raises:
            LoraError: the artifact names nothing.
        """
        ...

    def unload(self, name: str) -> Call:
        """Asks to serve ``name`` no longer."""
        ...

    def listed(self, status: int, body: bytes) -> frozenset[str]:
        """The names in the answer to ``list``, the base model's among them.

        Raises:
            LoraError: the engine refused, or the answer is not understood.
        """
        ...

    def loaded(self, status: int, body: bytes) -> None:
        """Judges the answer to ``load``.

        Raises:
            LoraError: it is not loaded.
        """
        ...

    def unloaded(self, status: int, body: bytes) -> None:
        """Judges the answer to ``unload``. An adapter that was not there is gone too.

        Raises:
            LoraError: it may still be there.
        """
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """One hand-over: who computes the prompt, and what names it apart from all others.

    Attributes:
        host: the prefill engine's address, without a port.
        bootstrap_port: where it meets decode engines, if its engine has such a place.
        number: at random, 63 bits.
        at: the wall clock, seconds since the epoch.
        machine: the gateway's number, 0 to 1023.
        count: how many hand-overs this gateway has begun.
    """

    host: str
    bootstrap_port: int = 8998
    number: int = 0
    at: float = 0.0
    machine: int = 0
    count: int = 0


class HandOver(Protocol):
    """The two requests of a hand-over."""

    @property
    def at_once(self) -> bool:
        """Both are sent at the same time; otherwise the decode engine is asked when the prefill engine has answered."""
        ...

    def prefill(self, body: bytes, ticket: Ticket) -> bytes:
        """The client's ``body`` for the prefill engine.

        Raises:
            HandOverError: it is no JSON object, or says two things; ``faulty`` tells that its sender must mend it.
        """
        ...

    def decode(self, body: bytes, ticket: Ticket, answer: bytes) -> bytes:
        """The client's ``body`` for the decode engine. ``answer`` is the prefill engine's; empty when both are asked at once.

        Raises:
            HandOverError: the body or the answer is not understood.
        """
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Engine:
    """An engine and the parts it has. ``name`` is the value of the ``model.aibrix.ai/engine`` label.

    ``handovers`` are by connector (``model.aibrix.ai/kv-connector-type``, in small letters), or under "" for the only one there is.
    """

    name: str
    launcher: Launcher | None
    metrics: MetricsReader
    series: SeriesReader | None = None
    kv_events: KvEventDecoder | None = None
    lora: LoraProtocol | None = None
    handovers: Mapping[str, HandOver] = dataclasses.field(default_factory=dict)
