"""Server-side apply as a verb: PATCH with ``application/apply-patch+yaml`` on an object, its status or its scale."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract, drafts, errors, managing, scale, writes
from brickyard.embedded.apiserver.context import Context
from brickyard.kube.objects import paths

_ATTEMPTS: Final = 3
"""How often an object may come or go between the look at it and the write."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What was written, and whether it is new."""

    written: writes.Written
    created: bool = False


async def apply(context: Context, place: drafts.Place, body: Any, options: writes.Options) -> Outcome:
    """Merge ``body`` into the object at ``place``, or create the object.

    Raises:
        ApiError: Conflict (others own what would change, or a precondition fails), BadRequest, Invalid, NotFound (a part of nothing).
    """
    config, warnings = _config(place, body, options)
    asked = managing.Applied(place.resource, config, options.part)

    def compute(live: resources.Object) -> resources.Object:
        return managing.apply(asked, live, options.writer, context.now())

    outcome = await _store(context, place, asked, compute, _trusted(options))
    # What the decoder says of the client's text, then what the write itself brought up: webhooks, a kind that nobody acts on.
    heard = list(dict.fromkeys([*warnings, *outcome.written.warnings]))
    return dataclasses.replace(outcome, written=dataclasses.replace(outcome.written, warnings=heard))


async def _store(
    context: Context, place: drafts.Place, asked: managing.Applied, compute: writes.Compute, options: writes.Options
) -> Outcome:
    for attempt in range(_ATTEMPTS):
        try:
            if context.store.latest(place.key) is not None or options.part:
                return Outcome(await writes.change(context, place, compute, options))
            _refuse_lost(place, asked.config)
            newborn = managing.apply(asked, None, options.writer, context.now())
            return Outcome(await writes.create(context, place, newborn, options), created=True)
        except (errors.AlreadyExistsError, errors.NotFoundError) as error:
            # A create's NotFound is that of the namespace; only an object's own coming and going is worth another look.
            lost = isinstance(error, errors.NotFoundError) and context.store.latest(place.key) is not None
            if options.part or attempt == _ATTEMPTS - 1 or not (lost or isinstance(error, errors.AlreadyExistsError)):
                raise
    raise errors.conflict(place.kind, place.name)


def _trusted(options: writes.Options) -> writes.Options:
    """Options for storing what ``managing.apply`` made of an object that was checked already."""
    return dataclasses.replace(options, strictness="Ignore", writer=dataclasses.replace(options.writer, applied=True))


def _refuse_lost(place: drafts.Place, config: resources.Object) -> None:
    """An object that is applied to by its uid exists, or there is nothing to apply to."""
    uid = config["metadata"].get("uid")
    if uid:
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise errors.conflict(place.kind, place.name, why)


def _config(place: drafts.Place, body: Any, options: writes.Options) -> tuple[resources.Object, tuple[str, ...]]:
    """What is applied, checked, and what the client should be warned of."""
    _check_envelope(place.kind, body)
    config, warnings = drafts.decoded(place, body, options.strictness, options.part)
    admission = place.resource.admission
    unknown = admission.unknown_fields(admission.convert(drafts.identified(place, body)).obj)
    if unknown:
        raise managing.undeclared(place.resource, config, unknown[0])
    managing.check(place.resource, config)
    return config, tuple(warnings)


def _check_envelope(kind: resources.ResourceType, body: Any) -> None:
    if not isinstance(body, dict):
        raise errors.BadRequestError("the body of an apply must be an object")
    missing = [each for each in ("apiVersion", "kind") if not body.get(each)]
    if missing:
        raise errors.BadRequestError(f"the body of an apply must say its {' and '.join(missing)}")
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise errors.BadRequestError("metadata.managedFields must be nil")


async def apply_scale(context: Context, place: drafts.Place, body: Any, options: writes.Options) -> writes.Written:
    """Apply a Scale to the object at ``place``: its manager owns the number of replicas. Raises as ``apply``."""
    _check_envelope(scale.SCALE, body)
    where = place.resource.scale or contract.ScalePaths()

    def compute(live: resources.Object) -> resources.Object:
        scaled = scale.applied(live, body, where)
        config: resources.Object = {"metadata": scaled["metadata"]}
        if (body.get("spec") or {}).get("replicas") is not None:
            config = {**paths.put({}, where.spec, paths.get(scaled, where.spec)), **config}
        asked = managing.Applied(place.resource, config, "scale")
        return managing.apply(asked, live, options.writer, context.now())

    return await writes.change(context, place, compute, _trusted(options))
