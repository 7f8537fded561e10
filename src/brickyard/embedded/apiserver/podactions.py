"""What is asked of a pod by a POST below it: ``binding`` gives it a node, ``eviction`` deletes it if its disruption budget lets go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import drafts, errors, evictions, records, requests, writes
from brickyard.embedded.apiserver.context import Context
from brickyard.kube.objects import conditions
from brickyard.lib import timestamps

_BUDGETS: Final = records.resource_of(resources.POD_DISRUPTION_BUDGET)
_SCHEDULED: Final = conditions.Condition("PodScheduled", "True")
_SUCCESS: Final[Mapping[str, Any]] = {
    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
}  # fmt: skip


def _read(place: drafts.Place, body: Any, kind: str, versions: tuple[str, ...]) -> dict[str, Any]:
    """``body`` as an object of ``kind`` about the pod at ``place``."""
    if not isinstance(body, dict):
        raise errors.BadRequestError(f"the object provided is unrecognized (must be of type {kind})")
    said = (body.get("apiVersion", versions[0]), body.get("kind", kind))
    if said[0] not in versions or said[1] != kind:
        raise errors.BadRequestError(
            f"the object provided is unrecognized (must be of type {kind}): write {versions[0]} {kind}"
        )
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise errors.BadRequestError(f"{kind}: metadata is an object")
    if metadata.get("name") not in (None, "", place.name):
        raise errors.BadRequestError(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({place.name})"
        )
    if metadata.get("namespace") not in (None, "", place.namespace):
        raise errors.BadRequestError(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return body


async def bind(context: Context, place: drafts.Place, body: Any, *, dry_run: bool) -> Mapping[str, Any]:
    """Give the pod at ``place`` the node that a Binding names; a ``Status``.

    Raises:
        ApiError: NotFound, BadRequest, Invalid, Conflict (it has a node, or is going).
    """
    binding = _read(place, body, "Binding", ("v1",))
    target = binding.get("target") or {}
    node = target.get("name") if isinstance(target, dict) else None
    if not isinstance(node, str) or not node or target.get("kind", "Node") not in ("", "Node"):
        raise errors.BadRequestError("Binding: target names a Node: write target: {kind: Node, name: NAME}")
    record = writes.current(context, place)
    pod = record.decode()
    about = resources.ResourceType("", "v1", "pods/binding", "Binding")
    if pod["metadata"].get("deletionTimestamp"):
        raise errors.conflict(about, place.name, f"pod {place.name} is being deleted, cannot be assigned to a host")
    held = (pod.get("spec") or {}).get("nodeName")
    if held:
        raise errors.conflict(about, place.name, f'pod {place.name} is already assigned to node "{held}"')
    uid = (binding.get("metadata") or {}).get("uid")
    if uid and uid != record.uid:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {record.uid}"
        raise errors.conflict(about, place.name, why)
    added = (binding.get("metadata") or {}).get("annotations") or {}

    def bound(draft: resources.Object) -> None:
        draft["spec"]["nodeName"] = node
        if added:
            draft["metadata"]["annotations"] = {**(draft["metadata"].get("annotations") or {}), **added}
        status = draft.setdefault("status", {})
        moment = timestamps.rfc3339(context.now())
        status["conditions"] = conditions.set_condition(status.get("conditions"), _SCHEDULED, moment)

    if not dry_run:
        await writes.amend(context, record, bound)
    return _SUCCESS


async def evict(context: Context, place: drafts.Place, body: Any, query: requests.Query) -> Mapping[str, Any]:
    """Delete the pod at ``place`` unless a disruption budget is against it; a ``Status``.

    Raises:
        ApiError: NotFound, BadRequest, TooManyRequests (not now), and what a delete raises.
    """
    eviction = _read(place, body, "Eviction", ("policy/v1", "policy/v1beta1"))
    options = requests.delete_options(query, eviction.get("deleteOptions"))
    pod = writes.current(context, place).decode()
    pods = [each.decode() for each in context.store.latest_in(place.key.resource, place.namespace)]
    budgets = {each.key.name: each for each in context.store.latest_in(_BUDGETS, place.namespace)}
    charged = evictions.check(pod, pods, [each.decode() for each in budgets.values()])
    if charged is not None and not options.dry_run:
        moment = timestamps.rfc3339(context.now())
        # Decided without suspending, so the budget is still the latest.
        await writes.amend(
            context, budgets[charged["metadata"]["name"]], lambda budget: evictions.charge(budget, place.name, moment)
        )
    await writes.delete(context, place, options)
    return _SUCCESS
