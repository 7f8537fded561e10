"""An engine's command line as this machine needs it: bound to the pod's own address, its model files named apart. Pure.

A manifest says ``--host 0.0.0.0``; on one machine every pod has a loopback address of its own and listens there alone. A model
reference in the arguments must be an item of its own, because the agent replaces whole items by local paths: ``--model=X`` becomes
two items where ``X`` is a reference.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Final

from brickyard.engines import contract, errors

LOCAL: Final = ("pypi://", "file://", "/")
"""References that every engine needs fetched, or looked for."""
REMOTE: Final = ("hf://", "huggingface://", "http://", "https://", "s3://", "gs://", "gcs://", "tos://")
"""References that an engine may know to read by itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Flags:
    """What the flags of an engine's command line are called.

    Attributes:
        files: words after which a model or tokenizer stands: flags, or a subcommand whose first argument it is.
        schemes: how an item begins that is a reference. An absolute path is one: that it is missing is then said before the
            engine starts, not in its log.
        host: the address to listen on.
        port: the port to listen on.
        refused: flags that cannot be honoured here, and what to do instead.
        secrets: flags whose value the engine also takes from the environment, and the variable's name. ``ps`` shows arguments to
            everybody on the machine, and variables to nobody else.
        single_dash: ``-flag`` is ``--flag``, as Google's flags have it.
        loader: the flag that says how weights are loaded; "" when there is none.
        streams: how a value of ``loader`` begins with which the engine reads remote storage by itself.
        served: the flag that says what clients call the model; "" when there is none.
        named: those of ``files`` after which the model stands that is served.
    """

    files: frozenset[str]
    schemes: tuple[str, ...] = (*LOCAL, *REMOTE)
    host: str = "--host"
    port: str = "--port"
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict)
    secrets: Mapping[str, str] = dataclasses.field(default_factory=dict)
    single_dash: bool = False
    loader: str = ""
    streams: tuple[str, ...] = ()
    served: str = ""
    named: frozenset[str] = frozenset()

    def name(self, item: str) -> str:
        """The flag in ``item`` without its value; ``item`` itself when it is no flag."""
        name = item.partition("=")[0] if item.startswith("-") else item
        return f"-{name}" if self.single_dash and name.startswith("-") and not name.startswith("--") else name

    def is_reference(self, item: str) -> bool:
        return item.startswith(self.schemes)


def settled(argv: Sequence[str], flags: Flags) -> Flags:
    """``flags`` as they are for this line: what the engine streams by itself is no reference of ours."""
    loaders = [_value(argv, position) for position, item in enumerate(argv) if flags.name(item) == flags.loader]
    if flags.loader and flags.streams and any(each.startswith(flags.streams) for each in loaders):
        return dataclasses.replace(flags, schemes=LOCAL)
    return flags


def _value(argv: Sequence[str], position: int) -> str:
    """What stands after the flag at ``position``, in its item or the next."""
    _, equals, value = argv[position].partition("=")
    return value if equals else next(iter(argv[position + 1 : position + 2]), "")


def called(argv: Sequence[str], flags: Flags) -> tuple[str, ...]:
    """What to add so that clients call a fetched model as its reference does: else they would have to know its place in the cache."""
    if not flags.served or has(argv, flags, flags.served):
        return ()
    pairs = itertools.pairwise(argv)
    models = [item for head, item in pairs if flags.name(head) in flags.named and flags.is_reference(item)]
    return (flags.served, title(models[-1])) if models and "://" in models[-1] else ()


def title(reference: str) -> str:
    """What a fetched model is called: ``OWNER/MODEL`` of the hub, else the last part of the reference."""
    scheme, _, rest = reference.partition("://")
    path = rest.partition("#")[0].partition("?")[0].rstrip("/")
    parts = path.split("/")
    if scheme.lower() in {"hf", "huggingface"} and len(parts) == 2:
        return path.partition("@")[0].partition(":")[0]
    return parts[-1]


def bind(argv: Sequence[str], flags: Flags, container: contract.ContainerSpec) -> tuple[str, ...]:
    """``argv`` with its host set to the pod's address, a port when it has none, and model references as items of their own.

    Raises:
        ArgumentError: a refused flag is there.
    """
    kept: list[str] = []
    has_port = False
    items = iter(argv)
    for item in items:
        name = flags.name(item)
        if name in flags.refused:
            raise errors.ArgumentError(f"{name} {flags.refused[name]}")
        if name == flags.host:
            if "=" not in item:
                next(items, None)
            continue
        has_port = has_port or name == flags.port
        kept.extend(_apart(item, flags))
    port = () if has_port else (flags.port, str(container.port))
    return (*kept, flags.host, container.address, *port)


def _apart(item: str, flags: Flags) -> tuple[str, ...]:
    head, equals, value = item.partition("=")
    if equals and flags.name(head) in flags.files and flags.is_reference(value):
        return (head, value)
    return (item,)


def hide(argv: Sequence[str], flags: Flags) -> tuple[tuple[str, ...], dict[str, str]]:
    """``argv`` without its secrets, and the variables that hold them; the last of several counts, as it does for the engine.

    A flag with several values stays where it is: a variable holds one.
    """
    kept: list[str] = []
    hidden: dict[str, str] = {}
    position = 0
    while position < len(argv):
        item = argv[position]
        _, equals, value = item.partition("=")
        variable = flags.secrets.get(flags.name(item), "")
        end = position + 1
        while variable and not equals and end < len(argv) and not argv[end].startswith("-"):
            end += 1
        values = (value,) if equals else tuple(argv[position + 1 : end])
        if variable and len(values) == 1:
            hidden[variable] = values[0]
        else:
            kept.extend(argv[position:end])
        position = end
    return tuple(kept), hidden


def references(argv: Sequence[str], flags: Flags) -> tuple[str, ...]:
    """The model references in ``argv``, each once, in its order."""
    pairs = itertools.pairwise(argv)
    return tuple(
        dict.fromkeys(item for head, item in pairs if flags.name(head) in flags.files and flags.is_reference(item))
    )


def has(argv: Sequence[str], flags: Flags, name: str) -> bool:
    """Whether flag ``name`` is given, with a value or without."""
    return any(flags.name(item) == name for item in argv)
