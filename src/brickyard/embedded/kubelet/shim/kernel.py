"""What a container's guardian needs of Linux and ``os`` does not offer. Numbers are those of x86-64 and arm64."""

from __future__ import annotations

import ctypes
import os

SIGKILL = 9
_SIGPIPE = 13
_SIGCHLD = 17
_SIGXFSZ = 25
_SIG_SETMASK = 2
_SFD_CLOEXEC = os.O_CLOEXEC
_SFD_NONBLOCK = os.O_NONBLOCK
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SIGSET_BYTES = 128

_libc = ctypes.CDLL(None, use_errno=True)


def _check(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


def block_signals() -> None:
    """Hold back every signal that can be held back: only SIGKILL and SIGSTOP reach this process from now on."""
    everything = ctypes.create_string_buffer(_SIGSET_BYTES)
    _libc.sigfillset(everything)
    _check(_libc.sigprocmask(_SIG_SETMASK, everything, None))


def restore_signals() -> None:
    """Give a process that is about to become a program the dispositions that programs expect."""
    for number in (_SIGPIPE, _SIGXFSZ):  # Python ignores these two, and what is ignored stays so
        _libc.signal(number, None)
    nothing = ctypes.create_string_buffer(_SIGSET_BYTES)
    _libc.sigemptyset(nothing)
    _check(_libc.sigprocmask(_SIG_SETMASK, nothing, None))


def children_descriptor() -> int:
    """A descriptor that becomes readable when a child changes its state; signals must be blocked."""
    children = ctypes.create_string_buffer(_SIGSET_BYTES)
    _libc.sigemptyset(children)
    _libc.sigaddset(children, _SIGCHLD)
    return _check(_libc.signalfd(-1, children, _SFD_CLOEXEC | _SFD_NONBLOCK))


def adopt_orphans() -> None:
    """Become the parent of every descendant whose parent dies, in place of init."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def die_with_parent() -> None:
    """Be killed when the parent dies, whatever happens to it."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
