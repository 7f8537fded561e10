"""What the agent hands its shim, and what it is told in return. Both ends are the same interpreter, so ``marshal`` will do.

agent ─► shim   its stdin, a file in memory: a ``Spec``
shim ─► agent   on its stdout, one line: ``started <pid> <start time>``, or ``refused <errno> <what>``
shim ─► later   the file ``Spec["exit"]``: {"exitCode": 3, "signal": 0, "finishedAt": 1700000000.123456}
"""

from __future__ import annotations

import marshal
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    class Spec(TypedDict):
        """A container as its shim sees it. Paths are absolute; all text is as the kernel takes it.

        Attributes:
            argv, env: of the leader; ``argv[0]`` is a path.
            log: where output goes. ``log_limit``: bytes after which it is rotated. ``log_files``: files that are kept in all.
            exit: where the end is written down.
        """

        argv: list[bytes]
        env: dict[bytes, bytes]
        log: str
        log_limit: int
        log_files: int
        exit: str


STARTED = "started"
REFUSED = "refused"


def dump(spec: Spec) -> bytes:
    """The spec as it goes to a shim's stdin."""
    return marshal.dumps(dict(spec))


def read(descriptor: int) -> Spec:
    """The spec from ``descriptor``, read to its end."""
    parts: list[bytes] = []
    while part := os.read(descriptor, 1024 * 1024):
        parts.append(part)
    spec: Spec = marshal.loads(b"".join(parts))  # noqa: S302 - the agent's own words
    return spec
