"""What can be wrong with text and patches.

BrickyardError
└── ObjectError
    ├── PatchError
    │   ├── MalformedPatchError      the patch itself is no patch                      HTTP 400
    │   ├── PatchConflictError       it is one, but does not fit this object           HTTP 422
    │   └── UnsupportedPatchError    the kind has no merge keys (custom resources)     HTTP 415
    ├── SelectorError           a label or field selector does not parse          HTTP 400
    └── QuantityError           no quantity such as 500m or 1Gi                   HTTP 422
"""

from __future__ import annotations

from brickyard.lib import errors


class ObjectError(errors.BrickyardError):
    """Root of this room's errors."""


class PatchError(ObjectError):
    """A patch cannot be applied."""


class MalformedPatchError(PatchError):
    """The patch is not what its media type promises, whatever it is applied to."""


class PatchConflictError(PatchError):
    """A well-formed patch that this object cannot take: a test failed, a path does not exist."""


class UnsupportedPatchError(PatchError):
    """Strategic merge needs to know a kind's merge keys, and this kind's are not known."""


class SelectorError(ObjectError):
    """Text that is no selector."""


class QuantityError(ObjectError):
    """Text that is no quantity."""
