"""The garbage collector: objects go when their owners have gone, and owners wait where they were told to.

Fed by the store's changes, it keeps who-owns-whom by uid and works on what a change may have decided; the decision itself
(``ownership``) is made on the store's latest view at the moment of acting.
"""

from __future__ import annotations

import collections

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import chores, deletion, drafts, errors, ownership, records, writes
from brickyard.embedded.apiserver.context import Context
from brickyard.lib import logs

log = logs.get(__name__)

_MAX_BURIED = 10_000


class GarbageCollector:
    """``run`` until cancelled; made before the first request, so that no change is missed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._alive: dict[str, records.Key] = {}
        self._buried: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._dependents: collections.defaultdict[str, set[records.Key]] = collections.defaultdict(set)
        self._chores: chores.Chores[records.Key] = chores.Chores("garbage collector", self._work)
        for resource in context.store.populated():
            for record in context.store.list(resource):
                self._learn(record)
        # Only now is it known who lives; what was going on when the last process ended goes on here.
        for resource in context.store.populated():
            for record in context.store.list(resource):
                self._consider(record)
        context.store.subscribe(self._heard)

    async def run(self) -> None:
        """Collect until cancelled."""
        await self._chores.run()

    def _heard(self, change: records.Change) -> None:
        record, previous = change.record, change.previous
        if previous is not None:
            for uid in previous.owners:
                self._forget_tie(uid, record.key)
        if change.type == "DELETED":
            self._bury(record.uid)
            for key in self._dependents.get(record.uid, ()):
                self._chores.ask(key)
            self._reconsider_owners(record)
            return
        self._learn(record)
        self._consider(record)
        if previous is not None and previous.owners != record.owners:
            self._reconsider_owners(previous)

    def _learn(self, record: records.Record) -> None:
        self._alive[record.uid] = record.key
        for uid in record.owners:
            self._dependents[uid].add(record.key)

    def _bury(self, uid: str) -> None:
        """Remember for a while who died: the kind may be gone by the time a dependent's turn comes."""
        self._alive.pop(uid, None)
        self._buried[uid] = None
        while len(self._buried) > _MAX_BURIED:
            self._buried.popitem(last=False)

    def _forget_tie(self, uid: str, key: records.Key) -> None:
        tied = self._dependents.get(uid)
        if tied is not None:
            tied.discard(key)
            if not tied:
                del self._dependents[uid]

    def _consider(self, record: records.Record) -> None:
        """Ask for work on ``record`` where there may be some."""
        waits = _is_waiting(record) or (record.deleting and deletion.ORPHAN in record.finalizers)
        if waits or any(self._is_doubtful(uid, record) for uid in record.owners):
            self._chores.ask(record.key)

    def _is_doubtful(self, uid: str, dependent: records.Record) -> bool:
        """Whether an owner may be no owner, or one that waits for its dependents to go."""
        owner = self._alive.get(uid)
        return owner is None or owner.namespace not in ("", dependent.key.namespace) or self._is_held(uid)

    def _is_held(self, uid: str) -> bool:
        """Whether the living object ``uid`` waits for its dependents to go."""
        owner = self._context.store.get(self._alive[uid])
        return owner is not None and _is_waiting(owner)

    def _reconsider_owners(self, record: records.Record) -> None:
        """An owner that waits for its dependents may have one fewer."""
        for uid in record.owners:
            key = self._alive.get(uid)
            if key is not None and self._is_held(uid):
                self._chores.ask(key)

    async def _work(self, key: records.Key) -> None:
        record = self._context.store.latest(key)
        if record is None:
            return
        try:
            if record.deleting and deletion.ORPHAN in record.finalizers:
                await self._orphan(record)
            elif _is_waiting(record):
                await self._finish_foreground(record)
            elif record.owners and not record.deleting:
                await self._judge(record)
        except (errors.NotFoundError, errors.ConflictError):
            self._chores.ask(key)

    async def _orphan(self, owner: records.Record) -> None:
        for key in sorted(self._dependents.get(owner.uid, ())):
            dependent = self._context.store.latest(key)
            if dependent is not None and owner.uid in dependent.owners:
                await writes.amend(self._context, dependent, ownership.untied(frozenset({owner.uid})))
        latest = self._context.store.latest(owner.key)
        if latest is not None and latest.uid == owner.uid:
            await writes.amend(self._context, latest, ownership.without_finalizer(deletion.ORPHAN))

    async def _finish_foreground(self, owner: records.Record) -> None:
        dependents = self._living_dependents(owner.uid)
        for dependent in dependents:
            if not dependent.deleting:
                self._chores.ask(dependent.key)
        # Of those that wait for one another in a circle, one has to go first.
        if not any(_blocks(each, owner.uid) and not self._waits_for(each, owner.uid) for each in dependents):
            await writes.amend(self._context, owner, ownership.without_finalizer(deletion.FOREGROUND))

    def _living_dependents(self, uid: str) -> list[records.Record]:
        found = (self._context.store.latest(key) for key in sorted(self._dependents.get(uid, ())))
        return [record for record in found if record is not None and uid in record.owners]

    def _waits_for(self, record: records.Record, uid: str) -> bool:
        """Whether ``record`` is the object ``uid``, or stays as long as that does: by waiting for it, or for others that do."""
        rest, seen = [record], set[str]()
        while rest:
            each = rest.pop()
            if each.uid == uid:
                return True
            if each.uid not in seen and _is_waiting(each):
                seen.add(each.uid)
                rest += [found for found in self._living_dependents(each.uid) if _blocks(found, each.uid)]
        return False

    async def _judge(self, dependent: records.Record) -> None:
        references = dependent.decode()["metadata"].get("ownerReferences") or []
        ties = [(each.get("uid", ""), self._tie(each, dependent)) for each in references]
        ruling = ownership.rule(dependent, ties, has_dependents=bool(self._dependents.get(dependent.uid)))
        if ruling.verdict is ownership.Verdict.UNTIE:
            await writes.amend(self._context, dependent, ownership.untied(ruling.uids))
        elif ruling.verdict is ownership.Verdict.DELETE:
            await self._delete(dependent, ruling.policy)

    def _tie(self, reference: resources.Object, dependent: records.Record) -> ownership.Tie:
        uid = reference.get("uid", "")
        key = self._alive.get(uid)
        owner = self._context.store.latest(key) if key is not None else None
        if owner is not None and owner.uid == uid:
            return ownership.tie(owner, dependent, known=True)
        served = self._context.catalog.of_kind(reference.get("apiVersion", ""), reference.get("kind", ""))
        return ownership.tie(None, dependent, known=uid in self._buried or served is not None)

    async def _delete(self, record: records.Record, policy: deletion.Policy) -> None:
        resource = writes.resource_of_record(self._context, record)
        if resource is None:
            return
        place = drafts.Place(resource, record.key.namespace, record.key.name)
        log.debug("collecting", resource=record.key.resource, namespace=record.key.namespace, name=record.key.name)
        await writes.delete(self._context, place, deletion.Options(policy=policy, uid=record.uid))


def _is_waiting(record: records.Record) -> bool:
    return record.deleting and deletion.FOREGROUND in record.finalizers


def _blocks(dependent: records.Record, uid: str) -> bool:
    references = dependent.decode()["metadata"].get("ownerReferences") or []
    return any(each.get("uid") == uid and each.get("blockOwnerDeletion") for each in references)
