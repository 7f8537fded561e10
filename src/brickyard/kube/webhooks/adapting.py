"""From the rules of a kind to webhook handlers, so that a manifest means behind a webhook what it means everywhere else.

Mutating: legacy forms converted (each with a warning), then defaults. Validating: every field error at once, as one Status 422 with a
cause for each, worded like an API server's own. Rules of a kind speak of the forms of today, so validation looks at the converted
object: where the mutating webhook was not asked, a legacy form is judged by what it means.
"""

from __future__ import annotations

from collections.abc import Sequence

from brickyard.api.kinds import contract as kinds
from brickyard.api.kinds import faults
from brickyard.kube.webhooks import contract

_WRITES = (contract.Operation.CREATE, contract.Operation.UPDATE)


def mutating(rules: kinds.KindRules) -> contract.Handler:
    """The handler that converts and defaults by ``rules``; it changes nothing but what they change."""

    def handle(request: contract.Request) -> contract.Answer:
        if request.operation not in _WRITES or not request.obj:
            return contract.Allowed()
        converted = rules.convert(request.obj)
        return contract.Patched(rules.default(converted.obj), tuple(converted.warnings))

    return handle


def validating(rules: kinds.KindRules) -> contract.Handler:
    """The handler that refuses what ``rules`` find wrong, all of it at once."""

    def handle(request: contract.Request) -> contract.Answer:
        if request.operation not in _WRITES or not request.obj:
            return contract.Allowed()
        old = None if request.old is None else rules.convert(request.old).obj
        found = list(rules.validate(rules.convert(request.obj).obj, old))
        return invalid(request, found) if found else contract.Allowed()

    return handle


def invalid(request: contract.Request, found: Sequence[faults.FieldError]) -> contract.Denied:
    """``PodAutoscaler.autoscaling.aibrix.ai "x" is invalid: …`` with one cause per field error."""
    name = request.name or str((request.obj.get("metadata") or {}).get("generateName") or "")
    who = f"{request.kind}.{request.group}" if request.group else request.kind
    texts = list(dict.fromkeys(f"{each.path}: {each.message}" for each in found))
    what = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    causes = [{"reason": each.reason, "message": each.message, "field": each.path} for each in found]
    details = {"name": name, "group": request.group, "kind": request.kind, "causes": causes}
    told = {key: value for key, value in details.items() if value}
    return contract.Denied(f'{who} "{name}" is invalid: {what}', 422, "Invalid", told)
