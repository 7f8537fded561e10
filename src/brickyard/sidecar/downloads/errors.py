"""Errors of model downloads.

    BrickyardError
    └── DownloadError
        ├── InvalidReferenceError (exit code 2)   to whoever wrote it: the reference is malformed, or of a kind not served
        ├── ModelNotFoundError (exit code 2)      to whoever wrote it: no such file, package, version or member
        ├── UnreachableError                      passing: the package index did not answer
        ├── OutOfSpaceError                       to the machine's owner: the disk is full
        ├── DeadlineError                         passing: the deadline went by
        ├── CorruptError                          passing: what arrived is not what was announced
        └── CacheUnusableError                    to the machine's owner: the cache, or pip, cannot be used

``passing`` tells the node agent whether trying again by itself can help.
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


class UnreachableError(DownloadError):
    """The package index did not answer."""

    passing = True


class OutOfSpaceError(DownloadError):
    """The disk is full."""


class DeadlineError(DownloadError):
    """The download's deadline went by."""

    passing = True


class CorruptError(DownloadError):
    """The file that arrived is damaged."""

    passing = True


class CacheUnusableError(DownloadError):
    """The cache's folder cannot be written, or there is no pip to fill it."""
