"""From what a client sent to what is stored: the fields that belong to the server, and the kind's own rules. Pure.

The order is that of ``contract``: identity → legacy forms → types → unknown fields → prune → the server's fields → defaults → rules.
Everything up to the server's fields is about the text the client sent; everything after about the object it becomes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence, Set
from typing import Any, Literal

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver import contract, errors, managing, records, strategies
from brickyard.lib import timestamps

Strictness = Literal["Strict", "Warn", "Ignore"]
"""What becomes of unknown fields: refused, named in a warning, dropped in silence."""

_OWN_METADATA = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
_WITHOUT_GENERATION = frozenset(
    {
        "",
        "autoscaling",
        "coordination.k8s.io",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "storage.k8s.io",
    }
)
"""Groups whose kinds have no generation, pods excepted."""
_NOT_DESIRED = frozenset({"apiVersion", "kind", "metadata", "status"})
"""Top-level fields that say nothing about what is wanted."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a request points: a kind, a namespace ("" for cluster-wide kinds) and a name ("" where the server makes one)."""

    resource: contract.Resource
    namespace: str = ""
    name: str = ""

    @property
    def kind(self) -> resources.ResourceType:
        return self.resource.type

    @property
    def key(self) -> records.Key:
        return records.key_of(self.kind, self.namespace, self.name)

    @property
    def strategy(self) -> strategies.Strategy:
        return strategies.of(records.resource_of(self.kind))


def identified(place: Place, body: Any) -> resources.Object:
    """A copy of ``body`` that says what it is and where it lives, as ``place`` does.

    Raises:
        BadRequestError: it is no object, or says it is something or somewhere else.
    """
    kind = place.kind
    if not isinstance(body, dict):
        raise errors.BadRequestError(
            f"the object provided is unrecognized (must be of type {kind.kind}): the body must be a JSON object"
        )
    obj = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        **{key: each for key, each in body.items() if each is not None},
    }
    if obj["kind"] != kind.kind:
        raise errors.BadRequestError(
            f"the object provided is unrecognized (must be of type {kind.kind}): the body is of kind {obj['kind']!r}"
        )
    if obj["apiVersion"] != kind.api_version:
        raise errors.BadRequestError(
            f"the API version in the data ({obj['apiVersion']}) does not match the expected API version ({kind.api_version})"
        )
    metadata = obj.get("metadata", {})
    if not isinstance(metadata, dict):
        raise errors.BadRequestError(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
            f"json: cannot unmarshal into Go struct field {kind.kind}.metadata of type v1.ObjectMeta"
        )
    obj["metadata"] = _placed({key: each for key, each in metadata.items() if each is not None}, place)
    return obj


def _placed(metadata: dict[str, Any], place: Place) -> dict[str, Any]:
    if place.kind.namespaced and metadata.setdefault("namespace", place.namespace) != place.namespace:
        raise errors.BadRequestError(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if place.name and metadata.setdefault("name", place.name) != place.name:
        raise errors.BadRequestError(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({place.name})"
        )
    metadata.pop("selfLink", None)
    return metadata


def decoded(place: Place, body: Any, strictness: Strictness, part: str = "") -> tuple[resources.Object, Sequence[str]]:
    """What a typed decoder makes of ``body``, and a warning for each legacy form and each field it did not know.

    Legacy forms are told of however strict the client is, and not at all in a write of the ``status`` ("part").

    Raises:
        BadRequestError: wrong types, or unknown fields where the client asked to be strict.
    """
    admission = place.resource.admission
    obj = identified(place, body)
    told: Sequence[str] = ()
    if part == "":
        converted = admission.convert(obj)
        obj, told = converted.obj, converted.warnings
    try:
        admission.check_types(obj)
    except contract.UndecodableError as error:
        raise errors.BadRequestError(str(error)) from error
    warnings: list[str] = []
    if strictness != "Ignore":
        warnings = [f'unknown field "{path}"' for path in admission.unknown_fields(obj)]
    if warnings and strictness == "Strict":
        raise undecodable(place.kind, f"strict decoding error: {', '.join(warnings)}")
    return admission.prune(obj), [*told, *warnings]


def undecodable(kind: resources.ResourceType, why: str) -> errors.BadRequestError:
    """The refusal of a body that a decoder of ``kind`` does not take."""
    return errors.BadRequestError(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}')


@dataclasses.dataclass(frozen=True, slots=True)
class Birth:
    """What the server gives a new object; ``writer`` is who owns it."""

    name: str
    uid: str
    now: float
    writer: managing.Writer = managing.THE_SERVER


def created(place: Place, obj: resources.Object, birth: Birth) -> resources.Object:
    """The new object as it will be stored.

    Raises:
        BadRequestError: it brings a resourceVersion.
        InvalidError: it breaks its kind's rules.
    """
    resource, strategy = place.resource, place.strategy
    metadata = {key: each for key, each in obj["metadata"].items() if key not in _OWN_METADATA}
    if metadata.pop("resourceVersion", ""):
        raise errors.BadRequestError("resourceVersion should not be set on objects to be created")
    metadata["name"] = metadata.get("name") or birth.name
    metadata["uid"] = birth.uid
    metadata["creationTimestamp"] = timestamps.rfc3339(birth.now)
    draft = {**obj, "metadata": metadata}
    if "status" in resource.subresources and not strategy.keeps_status:
        draft.pop("status", None)
    if _has_generation(place.kind):
        metadata["generation"] = 1
    # Before the defaults, so that these stand on what the server wrote; the kind's own additions are part of the object's rules.
    sent = {**draft, "metadata": dict(metadata)}
    strategy.born(draft, birth.now)
    nobodys = managing.added(resource, sent, draft)
    draft = resource.admission.default(draft)
    judge(place, draft, None)
    managing.created(resource, draft, birth.writer, birth.now, nobodys)
    return draft


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """An update: of which ``part`` ("" and ``scale`` mean all but the status, ``status`` that alone), when, and by whom."""

    part: str
    now: float
    writer: managing.Writer = managing.THE_SERVER


def updated(place: Place, obj: resources.Object, old: resources.Object, turn: Turn) -> resources.Object:
    """``old`` after the update ``obj``.

    Raises:
        ConflictError: the update was made for another revision, or another life of the object.
        InvalidError: the outcome breaks its kind's rules.
    """
    resource = place.resource
    _check_revision(place, obj["metadata"], old["metadata"])
    if turn.part == "status":
        draft = {key: each for key, each in old.items() if key != "status"}
        if turn.writer.applied:
            draft["metadata"] = {**old["metadata"], "managedFields": obj["metadata"].get("managedFields") or []}
        if "status" in obj:
            draft["status"] = obj["status"]
    else:
        draft = {**obj, "metadata": _kept_metadata(place, obj["metadata"], old["metadata"])}
        if "status" in resource.subresources:
            draft.pop("status", None)
            if "status" in old:
                draft["status"] = old["status"]
        place.strategy.guard(draft, old, turn.now)
    draft = resource.admission.default(draft)
    judge(place, draft, old)
    managing.updated(managing.Change(resource, old, turn.part), draft, turn.writer, turn.now)
    if turn.part != "status" and _has_generation(place.kind):
        _count_generation(draft, old, resource)
    return draft


def _check_revision(place: Place, new: dict[str, Any], old: dict[str, Any]) -> None:
    name = old["name"]
    if new.get("uid") and new["uid"] != old["uid"]:
        raise errors.conflict(
            place.kind,
            name,
            f"Precondition failed: UID in precondition: {new['uid']}, UID in object meta: {old['uid']}",
        )
    revision = new.get("resourceVersion")
    if place.resource.custom and not revision:
        fault = faults.invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise errors.invalid(place.kind, name, [fault])
    if revision and revision != old["resourceVersion"]:
        raise errors.conflict(place.kind, name)


def _kept_metadata(place: Place, new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """``new`` with the server's fields as they were."""
    faults = [*_birth_faults(new, old), *_finalizer_faults(new, old)]
    if faults:
        raise errors.invalid(place.kind, old["name"], faults)
    kept = {key: old[key] for key in _OWN_METADATA if key in old}
    rest = {key: each for key, each in new.items() if key not in _OWN_METADATA}
    return {**rest, **kept, "name": old["name"], "resourceVersion": old["resourceVersion"]}


def _birth_faults(new: dict[str, Any], old: dict[str, Any]) -> Iterator[faults.FieldError]:
    born = new.get("creationTimestamp") or old["creationTimestamp"]
    # Moments, not texts: the official Python client writes +00:00 where it read Z.
    if timestamps.parse_rfc3339(born) != timestamps.parse_rfc3339(old["creationTimestamp"]):
        text = f'Invalid value: "{born}": field is immutable'
        yield faults.FieldError("metadata.creationTimestamp", "FieldValueInvalid", text)


def _finalizer_faults(new: dict[str, Any], old: dict[str, Any]) -> Iterator[faults.FieldError]:
    """Nobody may hold on to what is going already."""
    if not old.get("deletionTimestamp"):
        return
    before = old.get("finalizers") or ()
    added = ", ".join(f'"{each}"' for each in new.get("finalizers") or () if each not in before)
    if added:
        text = (
            f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{added}}}"
        )
        yield faults.FieldError("metadata.finalizers", "FieldValueForbidden", f"Forbidden: {text}")


def judge(place: Place, obj: resources.Object, old: resources.Object | None) -> None:
    """Refuse an object that breaks its kind's rules.

    Raises:
        InvalidError: it does; all that is wrong is named.
    """
    found = place.resource.admission.validate(obj, old)
    if found:
        raise errors.invalid(place.kind, obj["metadata"].get("name") or "", found)


def _has_generation(kind: resources.ResourceType) -> bool:
    return kind.group not in _WITHOUT_GENERATION or kind == resources.POD


def _count_generation(draft: resources.Object, old: resources.Object, resource: contract.Resource) -> None:
    # A custom kind whose status is no subresource has one writer for everything.
    wanted = _NOT_DESIRED - ({"status"} if resource.custom and "status" not in resource.subresources else set())
    noted = resource.type == resources.DEPLOYMENT and _annotations(draft) != _annotations(old)
    if noted or _desired(draft, wanted) != _desired(old, wanted):
        draft["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1


def _desired(obj: resources.Object, beside: Set[str]) -> dict[str, Any]:
    return {key: each for key, each in obj.items() if key not in beside}


def _annotations(obj: resources.Object) -> dict[str, str]:
    """Those of a Deployment count as wanted, in Kubernetes as here: they are copied to its ReplicaSets."""
    return obj["metadata"].get("annotations") or {}
