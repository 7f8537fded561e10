"""What can be wrong with text and patches.

BrickyardError
└── ObjectError
    ├── PatchError
    │   ├── MalformedPatchError      the patch itself is no patch                      HTTP 400
    │   ├── PatchConflictError       it is one, but does not fit this object           HTTP 422
    │   └── UnsupportedPatchError    the kind has no merge keys (custom resources)     HTTP 415
    ├── SelectorError           a label or field selector does not parse          HTTP 400
    ├── QuantityError           no quantity such as 500m or 1Gi                   HTTP 422
    ├── FieldSetError           no set of fields such as managedFields carry      (the entry does not count)
    ├── UnkeyedListError        elements of a keyed list that cannot be told apart   HTTP 400
    └── ApplyConflictError      somebody else owns what would change              HTTP 409
"""

from __future__ import annotations

from collections.abc import Sequence

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


class FieldSetError(ObjectError):
    """JSON that is no set of fields."""


class UnkeyedListError(ObjectError):
    """A list that is merged by keys holds an element without them, or two with the same; the text begins with its path."""


class ApplyConflictError(ObjectError):
    """An apply would change fields that others own. ``conflicts`` are (owner as messages name it, path) in order."""

    def __init__(self, conflicts: Sequence[tuple[str, str]]) -> None:
        super().__init__(_conflict_text(conflicts))
        self.conflicts = conflicts


def _conflict_text(conflicts: Sequence[tuple[str, str]]) -> str:
    """Worded and laid out as Kubernetes does: kubectl shows it as it is."""
    if len(conflicts) == 1:
        owner, path = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {owner}: {path}"
    lines = []
    for owner in dict.fromkeys(each for each, _ in conflicts):
        lines += [f"conflicts with {owner}:", *(f"- {path}" for each, path in conflicts if each == owner)]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
