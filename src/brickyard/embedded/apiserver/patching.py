"""Patches: from a media type and a body to the function that makes the new object of the old one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import errors
from brickyard.kube.objects import errors as object_errors
from brickyard.kube.objects import patch, strategic

JSON: Final = "application/json-patch+json"
MERGE: Final = "application/merge-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"

Apply = Callable[[resources.Object, Any, resources.ResourceType], Any]


def _json(obj: resources.Object, body: Any, kind: resources.ResourceType) -> Any:
    del kind
    return patch.json_patch(obj, body)


def _merge(obj: resources.Object, body: Any, kind: resources.ResourceType) -> Any:
    del kind
    if not isinstance(body, Mapping):
        raise object_errors.MalformedPatchError("a merge patch is an object")
    return patch.merge_patch(obj, body)


def _strategic(obj: resources.Object, body: Any, kind: resources.ResourceType) -> Any:
    if (kind.group, kind.kind) == ("autoscaling", "Scale"):
        # A scale holds no lists, so that the two kinds of merge come to the same.
        return _merge(obj, body, kind)
    return strategic.strategic_merge(obj, body, kind.api_version, kind.kind)


_KINDS: Mapping[str, Apply] = {JSON: _json, MERGE: _merge, STRATEGIC: _strategic}


def compute(media_type: str, body: Any, kind: resources.ResourceType) -> Callable[[resources.Object], Any]:
    """What applies ``body`` to an object of ``kind``.

    Raises:
        UnsupportedMediaError: the media type is no patch that is served; from the function, that the kind has no strategic merge.
        BadRequestError: from the function: the body is no such patch.
        InvalidError: from the function: the patch does not fit the object.
    """
    chosen = _KINDS.get(media_type)
    if chosen is None:
        raise _unsupported()

    def applied(obj: resources.Object) -> Any:
        try:
            return chosen(obj, body, kind)
        except object_errors.UnsupportedPatchError as error:
            raise errors.UnsupportedMediaError(
                "the body of the request was in an unknown format - accepted media types include: "
                f"{JSON}, {MERGE} ({error})"
            ) from error
        except object_errors.PatchConflictError as error:
            raise errors.InvalidError(
                f"the server rejected our request due to an error in our request: {error}"
            ) from error
        except object_errors.PatchError as error:
            raise errors.BadRequestError(str(error)) from error

    return applied


def _unsupported() -> errors.UnsupportedMediaError:
    return errors.UnsupportedMediaError(
        f"the body of the request was in an unknown format - accepted media types include: {', '.join((*_KINDS, APPLY))}"
    )
