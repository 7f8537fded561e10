"""What can be wrong with words of the API.

BrickyardError
└── ApiError
    └── MalformedError    an object holds something that its kind does not allow; whoever wrote the object mends it
"""

from __future__ import annotations

from brickyard.lib import errors


class ApiError(errors.BrickyardError):
    """Something said in the API's vocabulary that makes no sense."""


class MalformedError(ApiError):
    """A field holds a value of another type than its kind says, or is missing though the kind needs it.

    An API server refuses such objects; one meets them where the schema was not enforced. ``path`` is the field's, like
    ``spec.metricsSources[0].targetValue``; ``detail`` says what is wrong there. A reconciler tells both in a condition.
    """

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}", hint="correct the object and apply it again")
        self.path = path
        self.detail = detail
