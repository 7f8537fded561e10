"""Asks every registered webhook whose turn it is, and makes one answer of theirs.

Mutating webhooks are asked one after the other, each about what the one before it left; validating ones all at once. One that cannot
be asked stops the write or is passed over, as its ``failurePolicy`` says; one that denies stops it always.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract as kinds
from brickyard.embedded.apiserver import errors, records, reviews, store
from brickyard.embedded.apiserver.webhooks import calls, conditions, contract, plan, registry, review
from brickyard.kube.objects import errors as object_errors
from brickyard.kube.objects import patch
from brickyard.lib import logs

log = logs.get(__name__)

_NAMESPACES: Final = records.resource_of(resources.NAMESPACE)
_PASSED: Final = review.Verdict(allowed=True)
_USER: Final = {"username": reviews.USER, "groups": list(reviews.GROUPS)}


class Gate:
    """Fills ``contract.Gate`` over a store. Until ``start``, what the server itself makes sure of passes unasked."""

    def __init__(self, source: store.Store, catalog: kinds.Catalog, rng: random.Random) -> None:
        self._source = source
        self._catalog = catalog
        self._rng = rng
        self._registry = registry.Registry(source)
        self._caller = calls.Caller()
        self._started = False

    def start(self) -> None:
        """From now on webhooks are asked."""
        self._started = True

    async def aclose(self) -> None:
        """End the connections to webhooks."""
        await self._caller.aclose()

    def idle(self) -> bool:
        return not self._started or self._registry.empty()

    async def mutate(self, asked: contract.Asked) -> contract.Heard:
        hooks, rounds, warnings = self._registry.hooks("mutating"), plan.Rounds(), list[str]()
        for again in (False, True):
            for hook in hooks:
                if again and not rounds.wanted_again(hook):
                    continue
                version = self._version(hook, asked)
                if version is None:
                    continue
                verdict = await self._ask(hook, asked, version, "mutating")
                warnings += verdict.warnings
                changed = _patched(hook, asked, verdict.patch)
                if not again:
                    rounds.answered(hook, changed=changed != asked.object)
                asked = dataclasses.replace(asked, object=changed)
        return contract.Heard(asked.object, warnings)

    async def validate(self, asked: contract.Asked) -> Sequence[str]:
        chosen = list(self._chosen(asked))
        if not chosen:
            return ()
        questions = (self._ask(hook, asked, version, "validating") for hook, version in chosen)
        outcomes = await asyncio.gather(*questions, return_exceptions=True)
        refusals = [each for each in outcomes if isinstance(each, BaseException)]
        if refusals:
            raise refusals[0]
        return [text for each in outcomes if isinstance(each, review.Verdict) for text in each.warnings]

    def _chosen(self, asked: contract.Asked) -> Iterator[tuple[plan.Hook, str]]:
        for hook in self._registry.hooks("validating"):
            version = self._version(hook, asked)
            if version is not None:
                yield hook, version

    def _version(self, hook: plan.Hook, asked: contract.Asked) -> str | None:
        kind = asked.resource.type
        namespace = self._source.get(records.Key(_NAMESPACES, "", asked.namespace)) if kind.namespaced else None
        served = self._catalog.served()
        versions = [
            each.type.version for each in served if (each.type.group, each.type.plural) == (kind.group, kind.plural)
        ]
        return plan.version_for(hook, asked, plan.Situation(namespace.labels if namespace else None, versions))

    async def _ask(self, hook: plan.Hook, asked: contract.Asked, version: str, phase: plan.Phase) -> review.Verdict:
        uid = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        request = review.request(asked, version, uid, _USER)
        if not _meant(hook, asked, request):
            return _PASSED
        if asked.dry_run and not hook.without_side_effects:
            raise errors.BadRequestError(f"admission webhook {hook.name!r} does not support dry run")
        try:
            where = calls.address(hook, self._source, self._rng)
            body = await self._caller.post(where, review.question(hook, request), hook.timeout)
            verdict = review.answer(hook, body, uid, phase)
        except (calls.CallError, review.AnswerError) as error:
            return _unasked(hook, error)
        if not verdict.allowed:
            raise review.DeniedError(hook.name, verdict.result)
        return verdict


def _meant(hook: plan.Hook, asked: contract.Asked, request: Mapping[str, Any]) -> bool:
    """Whether the conditions of ``hook`` hold; one without an answer counts as its ``failurePolicy`` says."""
    try:
        return conditions.hold(hook.conditions, request)
    except conditions.ConditionError as error:
        log.warning("match conditions have no answer", webhook=hook.name, ignored=hook.ignores_failure, error=error)
        if hook.ignores_failure:
            return False
        raise errors.forbidden(asked.resource.type, asked.name, str(error)) from error


def _unasked(hook: plan.Hook, error: Exception) -> review.Verdict:
    """What it means that ``hook`` gave no answer."""
    text = f"received invalid webhook response: {error}" if isinstance(error, review.AnswerError) else str(error)
    log.warning("webhook gave no answer", webhook=hook.name, ignored=hook.ignores_failure, error=text)
    if hook.ignores_failure:
        return _PASSED
    said = f'failed calling webhook "{hook.name}": {text}'
    raise errors.InternalError(f"Internal error occurred: {said}", {"causes": [{"message": said}]})


def _patched(hook: plan.Hook, asked: contract.Asked, found: object) -> resources.Object | None:
    if found is None or asked.object is None:
        return asked.object
    try:
        changed = patch.json_patch(asked.object, found)
    except object_errors.PatchError as error:
        raise errors.InternalError(
            f'Internal error occurred: the patch of admission webhook "{hook.name}" does not fit: {error}'
        ) from error
    if not isinstance(changed, dict) or not isinstance(changed.get("metadata", {}), dict):
        raise errors.InternalError(
            f'Internal error occurred: the patch of admission webhook "{hook.name}" leaves no object'
        )
    try:
        # Now, while it is known whose fault it is, and before the next one is chosen by what stands there.
        asked.resource.admission.check_types(changed)
    except kinds.UndecodableError as error:
        raise errors.InternalError(
            f'Internal error occurred: the patch of admission webhook "{hook.name}" leaves no {asked.resource.type.kind}: {error}'
        ) from error
    return changed
