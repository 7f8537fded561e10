"""Runs a program on a terminal: ``python -I -S terminal.py PROGRAM WORD…``, a program of its own, not a module of ours.

Standard input is the terminal, and this process leads a session without one. A session takes as its own the first terminal that its
leader opens; that is all that is missed by a child that was merely given descriptors (no job control, no Ctrl-C, no /dev/tty). It is
done here because nothing may be done between fork and exec of a process with threads.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Take the terminal, undo what starting Python did, become the program."""
    os.close(os.open(os.ttyname(0), os.O_RDWR))
    for each in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(each, signal.SIG_DFL)
    # The environment as it was given: Python's start may have added a locale to it.
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123 - no import more than needed: this runs for every exec
        given = [entry.partition(b"=") for entry in file.read().split(b"\0") if entry]
    os.execve(sys.argv[1], sys.argv[1:], {name: value for name, _, value in given})  # noqa: S606 - that is what it is for


if __name__ == "__main__":
    main()
