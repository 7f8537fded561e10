"""Errors of model downloads.

    BrickyardError
    └── DownloadError
        ├── InvalidReferenceError (exit code 2)   to whoever wrote it: the reference is malformed, or of a kind not served
        ├── ModelNotFoundError (exit code 2)      to whoever wrote it: no such file, package, version or member
        ├── AccessDeniedError                     to whoever asks: a token or a right is missing
        ├── UnreachableError                      passing: the other side did not answer, or broke off
        │   └── BusyError                         passing: it answered that it has too much to do
        ├── OutOfSpaceError                       to the machine's owner: the disk is full
        ├── DeadlineError                         passing: the deadline went by
        ├── CorruptError                          passing: what arrived is not what was announced
        └── CacheUnusableError                    to the machine's owner: the cache, or what fills it, cannot be used

``passing`` tells whether trying again by itself can help.
"""

from __future__ import annotations

from typing import ClassVar

from brickyard.lib import errors


class DownloadError(errors.BrickyardError):
    """A model could not be made a local file."""

    passing: ClassVar[bool] = False


class InvalidReferenceError(DownloadError):
    """The reference's text is wrong, or its scheme is not served."""

    exit_code = 2


class ModelNotFoundError(DownloadError):
    """Nothing is where the reference points."""

    exit_code = 2


class AccessDeniedError(DownloadError):
    """The other side wants to know who asks, or knows and refuses."""


class UnreachableError(DownloadError):
    """The other side did not answer, or not to the end."""

    passing = True


class BusyError(UnreachableError):
    """The other side asks for patience. ``after``: the seconds it names, 0 when it names none."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class OutOfSpaceError(DownloadError):
    """The disk is full."""


class DeadlineError(DownloadError):
    """The download's deadline went by."""

    passing = True


class CorruptError(DownloadError):
    """The file that arrived is damaged."""

    passing = True


class CacheUnusableError(DownloadError):
    """The cache's folder cannot be written, or what would fill it is not installed."""
