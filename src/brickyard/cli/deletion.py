"""What ``brickyard delete`` does: find what is meant, delete it in order, wait until it is gone."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence

from brickyard.api.kinds import resources
from brickyard.cli import refusals, sources
from brickyard.kube.client import contract, errors, mapping, rest
from brickyard.kube.objects import meta
from brickyard.lib import backoff
from brickyard.lib import errors as roots

LOOK_AGAIN = backoff.Backoff(0.05, 2, 1)
DEFAULT_NAMESPACE = "default"


class StillThere(roots.BrickyardError):
    """It was asked to go and has not gone in time."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """The words of the command line."""

    what: tuple[str, ...]
    filenames: tuple[str, ...] = ()
    selector: str = ""
    everything: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class How:
    """``timeout``: seconds to wait until all is gone, None for no waiting."""

    options: contract.DeleteOptions
    ignore_not_found: bool
    timeout: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """One object. ``uid`` is empty until its life is known."""

    kind: resources.ResourceType
    namespace: str
    name: str
    uid: str = ""

    def __str__(self) -> str:
        return refusals.title(self.kind, self.name)


Finder = Callable[[rest.RestClient, mapping.Mapper], Awaitable[list[Target]]]


def finder(asked: Asked, namespace: str | None, *, recursive: bool = False) -> Finder:
    """What finds the targets of ``asked``; files are read here and now.

    Raises:
        UsageError: it asks for nothing, or for two things at once.
    """
    by_label = bool(asked.selector or asked.everything)
    if asked.filenames:
        if asked.what or by_label:
            raise roots.UsageError(
                "a file says itself what is meant", hint="give -f alone, or KIND and NAME without it"
            )
        found = sources.objects(asked.filenames, namespace=namespace, recursive=recursive)
        # Last first: a namespace stands before what lives in it, a definition before its objects.
        manifests = [obj for _, obj in reversed(found)]
        return lambda _, mapper: _of_manifests(mapper, manifests, namespace or DEFAULT_NAMESPACE)
    where = namespace or DEFAULT_NAMESPACE
    if by_label:
        if len(asked.what) != 1 or "/" in asked.what[0]:
            raise roots.UsageError(
                "--selector and --all are of one kind", hint="write KIND alone, such as `delete pods --all`"
            )
        query = contract.Query(where, label_selector=asked.selector)
        return lambda client, mapper: _of_query(client, mapper, asked.what[0], query)
    pairs = _pairs(asked.what)
    return lambda _, mapper: _of_names(mapper, pairs, where)


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    """Kind and name of each object meant by ``KIND NAME…`` or ``KIND/NAME…``."""
    if words and all("/" in word for word in words):
        pairs = [(kind, name) for kind, _, name in (word.partition("/") for word in words)]
    elif len(words) > 1 and not any("/" in word for word in words):
        pairs = [(words[0], name) for name in words[1:]]
    else:
        pairs = []
    if not pairs or not all(kind and name for kind, name in pairs):
        hint = "write KIND NAME, KIND/NAME, KIND --all, KIND -l LABEL=VALUE or -f FILE"
        raise roots.UsageError("delete what?", hint=hint)
    return pairs


async def _of_names(mapper: mapping.Mapper, pairs: Sequence[tuple[str, str]], namespace: str) -> list[Target]:
    kinds = [(await mapper.of_word(kind), name) for kind, name in pairs]
    return [Target(kind, namespace if kind.namespaced else "", name) for kind, name in kinds]


async def _of_query(client: rest.RestClient, mapper: mapping.Mapper, word: str, query: contract.Query) -> list[Target]:
    kind = await mapper.of_word(word)
    asked = query if kind.namespaced else dataclasses.replace(query, namespace="")
    found = (await client.list(kind, asked)).items
    return [Target(kind, meta.namespace(obj), meta.name(obj), meta.uid(obj)) for obj in found]


async def _of_manifests(mapper: mapping.Mapper, found: Sequence[resources.Object], namespace: str) -> list[Target]:
    targets = []
    for obj in found:
        kind = await mapper.of_kind(obj["apiVersion"], obj["kind"])
        targets.append(Target(kind, (meta.namespace(obj) or namespace) if kind.namespaced else "", meta.name(obj)))
    return targets


async def run(client: rest.RestClient, find: Finder, how: How) -> None:
    """Delete what ``find`` finds, say so line by line, and wait as ``how`` says.

    Raises:
        SomeRefused: not everything could be deleted.
        StillThere: something has not gone within ``how.timeout``.
        KubeError: there was one object, and it was refused.
    """
    targets = await find(client, mapping.Mapper(client))
    if not targets:
        print("Nothing to delete.")
    refused = refusals.Refusals(len(targets), "deleted")
    going: list[Target] = []
    for target in targets:
        with refused.told(str(target)):
            going += await _delete(client, target, how)
    if how.timeout is not None:
        await _gone(client, going, how.timeout)
    refused.check()


async def _delete(client: rest.RestClient, target: Target, how: How) -> list[Target]:
    """The target with its uid once the API has taken the deletion; nothing where it was not there and need not have been."""
    try:
        uid = target.uid or meta.uid(await client.get(target.kind, target.name, target.namespace))
        options = dataclasses.replace(how.options, uid=uid)
        await client.delete(target.kind, (target.namespace, target.name), options)
    except errors.NotFound:
        # What was found by label may have gone by itself since; that is what was wanted.
        if target.uid or how.ignore_not_found:
            return []
        raise
    print(f"{target} deleted", flush=True)
    return [dataclasses.replace(target, uid=uid)]


async def _gone(client: rest.RestClient, going: Sequence[Target], timeout: float) -> None:
    left = list(going)
    try:
        async with asyncio.timeout(timeout):
            looks = 0
            while left := [each for each in left if await _lives(client, each)]:
                looks += 1
                await asyncio.sleep(LOOK_AGAIN.delay(looks))
    except TimeoutError:
        names = ", ".join(map(str, left[:5])) + (", …" if len(left) > 5 else "")
        hint = "it ends in its grace period, or waits for its finalizers: `brickyard get KIND NAME -o yaml` shows both"
        raise StillThere(f"asked to go and still there after {timeout:g} s: {names}", hint=hint) from None


async def _lives(client: rest.RestClient, target: Target) -> bool:
    """Whether this very object is still there; another one of its name is none of our business."""
    try:
        return meta.uid(await client.get(target.kind, target.name, target.namespace)) == target.uid
    except errors.NotFound:
        return False
