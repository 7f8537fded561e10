"""From a request to a verb: which object or collection, which subresource, which method.

path                       GET             POST      PUT       PATCH     DELETE
…/PLURAL                   list, watch     create    405       405       delete each
…/PLURAL/NAME              get, watch      405       replace   patch     delete
…/PLURAL/NAME/status       get             405       replace   patch     405
…/PLURAL/NAME/scale        get             405       replace   patch     405
…/pods/NAME/log            stream          405       405       405       405
…/namespaces/NAME/finalize 405             405       replace   405       405
a review (never stored)    405             answer    -         -         -
a measurement (likewise)   get, list       405       405       405       405
…/pods/NAME/binding        405             give node 405       405       405
…/pods/NAME/eviction       405             delete    405       405       405
…/pods/NAME/exec           WebSocket       400       405       405       405     likewise attach, portforward
proxy, ephemeralcontainers, resize, token: 501, and what to use instead
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

import orjson

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver import (
    answers,
    applying,
    contract,
    drafts,
    duplicates,
    errors,
    measures,
    media,
    patching,
    podactions,
    podlog,
    reads,
    requests,
    scale,
    selection,
    shapes,
    streams,
    writes,
)
from brickyard.embedded.apiserver.context import Context
from brickyard.embedded.apiserver.podstreams import judging

_UNSERVED: Final[Mapping[str, str]] = {
    "proxy": "a pod's address (status.podIP) is reachable on this machine",
    "ephemeralcontainers": "a container is a process of this machine: enter it with `kubectl exec`, all of the machine's tools are there",
    "resize": "nothing on this machine enforces resources: delete the pod and create it anew",
    "token": "the one token of this server lies in the kubeconfig",
}

_WARNINGS_LIMIT = 4096
_SHOWN: Final = 1000
"""Bytes of a patch that are repeated when it is refused."""
_NO_KIND: Final = resources.ResourceType("", "", "", "")

Reply = answers.Answer | answers.Stream


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """An authenticated request for a resource. Header values are the client's own text."""

    method: str
    target: requests.Target
    query: requests.Query
    accept: str
    content_type: str
    body: bytes
    agent: str = ""
    """``User-Agent``: whose write it is where the query names no ``fieldManager``."""

    def decoded(self) -> Any:
        """The body's value. Raises as ``media.decode``."""
        return media.decode(self.content_type, self.body)

    def options(self, verb: requests.Verb, part: str = "") -> writes.Options:
        """How to write. Raises as ``Query.write_options``."""
        return self.query.write_options(verb, part, self.agent)

    @property
    def applies(self) -> bool:
        """Whether the body is an apply rather than another kind of patch."""
        return media.essence(self.content_type) == patching.APPLY


Verb = Callable[[Context, Request, drafts.Place], Awaitable[Reply]]


async def open_stream(context: Context, request: Request, offered: Sequence[str]) -> judging.Accepted:
    """Judge a request that wants to become a WebSocket; ``offered`` are its subprotocols.

    Raises:
        ApiError: it is refused.
    """
    target = request.target
    resource = context.catalog.find(target.group, target.version, target.plural)
    if resource is None or target.rest:
        raise errors.no_such_path()
    if target.subresource not in judging.PARTS or target.subresource not in resource.subresources:
        raise errors.BadRequestError("this path is not served over WebSocket: send a plain HTTP request")
    return await judging.judge(context, _place(resource, target), target.subresource, request.query, offered)


async def answer(context: Context, request: Request) -> Reply:
    """Carry out ``request``.

    Raises:
        ApiError: it is refused.
    """
    target = request.target
    resource = context.catalog.find(target.group, target.version, target.plural)
    if resource is None:
        raise errors.no_such_path()
    place = _place(resource, target)
    verbs = _verbs(resource, target)
    verb = verbs.get("GET" if request.method == "HEAD" else request.method)
    if verb is None:
        raise errors.MethodNotAllowedError(
            "the server does not allow this method on the requested resource", errors.details(place.kind, place.name)
        )
    reply = await verb(context, request, place)
    if not resource.deprecation:
        return reply
    return dataclasses.replace(reply, headers=[*_warnings([resource.deprecation]), *reply.headers])


def _place(resource: contract.Resource, target: requests.Target) -> drafts.Place:
    """Cluster-wide kinds have no namespace; a named object of a namespaced kind has one."""
    if target.namespace and not resource.type.namespaced:
        raise errors.no_such_path()
    if target.name and not target.namespace and resource.type.namespaced:
        raise errors.no_such_path()
    return drafts.Place(resource, target.namespace, target.name)


def _verbs(resource: contract.Resource, target: requests.Target) -> Mapping[str, Verb]:
    if resource.review is not None:
        return _reviewed(resource, target)
    return _measured(target) if resource.measured else _stored(resource, target)


def _stored(resource: contract.Resource, target: requests.Target) -> Mapping[str, Verb]:
    part = target.subresource
    if part == "finalize" and resource.type == resources.NAMESPACE and not target.rest:
        return {"PUT": _finalize}
    if part in _UNSERVED:
        why = f"{resource.type.plural}/{part} is not served by this API server: {_UNSERVED[part]}"
        raise errors.NotServedError(why, errors.details(resource.type, target.name))
    if target.rest or (part and part not in resource.subresources):
        raise errors.no_such_path()
    if part:
        return _PARTS[part]
    if target.name:
        return _OBJECT
    if resource.type.namespaced and not target.namespace:
        return {"GET": _list}
    if resource.type == resources.NAMESPACE:
        # Too easily meant otherwise: namespaces go one by one.
        return {"GET": _list, "POST": _create}
    return _COLLECTION


def _reviewed(resource: contract.Resource, target: requests.Target) -> Mapping[str, Verb]:
    """A question has no name to ask by and lies in a namespace if its kind does."""
    if target.name or (resource.type.namespaced and not target.namespace):
        raise errors.no_such_path()
    return {"POST": _review}


def _measured(target: requests.Target) -> Mapping[str, Verb]:
    if target.subresource or target.rest:
        raise errors.no_such_path()
    return {"GET": _measure}


def _view(request: Request, place: drafts.Place) -> shapes.View:
    include = request.query.text("includeObject") or "Metadata"
    if include not in ("None", "Metadata", "Object"):
        raise errors.BadRequestError(f'includeObject: Unsupported value: "{include}"')
    return shapes.View(place.resource, media.accepted(request.accept).shape, include)


def _selection(request: Request, place: drafts.Place) -> selection.Selection:
    query = request.query
    fields = query.text("fieldSelector")
    if place.name:
        fields = f"{fields},metadata.name={place.name}" if fields else f"metadata.name={place.name}"
    return selection.parse(place.resource, place.namespace, query.text("labelSelector"), fields)


def _written(
    context: Context, request: Request, place: drafts.Place, written: writes.Written, code: int = 200
) -> Reply:
    body = _view(request, place).one(written.raw, context.now())
    return answers.Answer(body, code, headers=list(_warnings(written.warnings)))


def _warnings(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    return (("warning", f'299 - "{each}"') for each in _quoted(texts))


def _quoted(warnings: Sequence[str]) -> Iterator[str]:
    """Warnings as quoted strings of a header: plain ASCII, and no more than a header should hold."""
    left = _WARNINGS_LIMIT
    for each in warnings:
        plain = "".join(letter if " " <= letter <= "~" else "?" for letter in each)
        text = plain.replace("\\", "\\\\").replace('"', '\\"')
        left -= len(text)
        if left < 0:
            return
        yield text


async def _list(context: Context, request: Request, place: drafts.Place) -> Reply:
    view, wanted = _view(request, place), _selection(request, place)
    if request.query.flag("watch"):
        return answers.Stream(streams.lines(context, view, wanted, streams.watch_query(request.query)))
    return reads.collection(context, view, wanted, reads.list_query(request.query))


async def _get(context: Context, request: Request, place: drafts.Place) -> Reply:
    if request.query.flag("watch"):
        return await _list(context, request, place)
    return await _get_state(context, request, place)


def _twice(request: Request, body: Any, options: writes.Options) -> Sequence[str]:
    """A warning for each key of the ``body`` that stands there twice."""
    media_type = media.essence(request.content_type)
    if options.strictness == "Ignore":
        return ()
    if media.is_yaml(media_type):
        return duplicates.find_yaml(request.body, body)
    if media_type not in ("", "application/json") and not media_type.endswith("+json"):
        return ()
    of = "json patch " if media_type == patching.JSON else ""
    return [f'{of}duplicate field "{path}"' for path in duplicates.find(request.body, body)]


def _strictly(request: Request, twice: Sequence[str]) -> str:
    """What a strict decoder says of a body with these duplicates."""
    if media.is_yaml(media.essence(request.content_type)):
        return "\n  ".join(["yaml: unmarshal errors:", *twice])
    return ", ".join(twice)


def _whole(request: Request, place: drafts.Place, options: writes.Options) -> tuple[Any, Sequence[str]]:
    """An object sent as a whole, and a warning for each of its fields that stands there twice."""
    body = request.decoded()
    twice = _twice(request, body, options)
    if twice and options.strictness == "Strict":
        raise drafts.undecodable(place.kind, f"strict decoding error: {_strictly(request, twice)}")
    return body, twice


def _patched(request: Request, options: writes.Options) -> tuple[Any, Sequence[str]]:
    """The same of a patch, which is refused in other words."""
    body = request.decoded()
    twice = _twice(request, body, options)
    if not twice or options.strictness != "Strict":
        return body, twice
    if request.applies:
        raise errors.BadRequestError(f"error strict decoding patch: {_strictly(request, twice)}")
    text = request.body[:_SHOWN].decode(errors="replace")
    wrong = faults.invalid("patch", text, f"strict decoding error: {_strictly(request, twice)}")
    raise errors.invalid(_NO_KIND, "", [wrong])


async def _create(context: Context, request: Request, place: drafts.Place) -> Reply:
    options = request.options("CreateOptions")
    body, twice = _whole(request, place, options)
    written = await writes.create(context, place, body, options)
    return _written(context, request, place, _warned(written, twice), 201)


def _warned(written: writes.Written, more: Sequence[str]) -> writes.Written:
    return dataclasses.replace(written, warnings=[*more, *written.warnings]) if more else written


async def _review(context: Context, request: Request, place: drafts.Place) -> Reply:
    answered = writes.review(context, place, request.decoded(), request.options("CreateOptions"))
    return _written(context, request, place, answered, 201)


async def _replace(context: Context, request: Request, place: drafts.Place, part: str = "") -> Reply:
    options = request.options("UpdateOptions", part)
    body, twice = _whole(request, place, options)
    written = await writes.change(context, place, lambda _: body, options)
    return _written(context, request, place, _warned(written, twice))


async def _patch(context: Context, request: Request, place: drafts.Place, part: str = "") -> Reply:
    if request.applies:
        options = request.query.apply_options(part)
        body, twice = _patched(request, options)
        outcome = await applying.apply(context, place, body, options)
        return _written(context, request, place, _warned(outcome.written, twice), 201 if outcome.created else 200)
    options = request.query.patch_options(part, request.agent)
    body, twice = _patched(request, options)
    compute = patching.compute(media.essence(request.content_type), body, place.kind)
    written = await writes.change(context, place, compute, options)
    return _written(context, request, place, _warned(written, twice))


async def _delete(context: Context, request: Request, place: drafts.Place) -> Reply:
    body = request.decoded() if request.body else None
    written = await writes.delete(context, place, requests.delete_options(request.query, body))
    return _written(context, request, place, written)


async def _delete_collection(context: Context, request: Request, place: drafts.Place) -> Reply:
    body = request.decoded() if request.body else None
    options = requests.delete_options(request.query, body)
    wanted, asked = _selection(request, place), reads.list_query(request.query)
    deleted = []
    found = reads.page(context, place.key.resource, wanted, asked, exact=True)
    for record in found.items:
        try:
            target = drafts.Place(place.resource, record.key.namespace, record.key.name)
            await writes.delete(context, target, options)
        except errors.NotFoundError:
            continue
        deleted.append(record)
    meta = {"resourceVersion": str(context.store.revision), **found.more(counted=wanted.whole)}
    head = shapes.View(place.resource).list_head(meta, context.now())
    return answers.Answer(b"%s%s]}" % (head, b",".join(writes.served(record, place.resource) for record in deleted)))


async def _get_state(context: Context, request: Request, place: drafts.Place) -> Reply:
    since = reads.revision_of(request.query.text("resourceVersion"))
    return answers.Answer(reads.get(context, place, _view(request, place), since))


async def _replace_status(context: Context, request: Request, place: drafts.Place) -> Reply:
    return await _replace(context, request, place, "status")


async def _patch_status(context: Context, request: Request, place: drafts.Place) -> Reply:
    return await _patch(context, request, place, "status")


def _scale_paths(place: drafts.Place) -> contract.ScalePaths:
    return place.resource.scale or contract.ScalePaths()


async def _get_scale(context: Context, request: Request, place: drafts.Place) -> Reply:
    del request
    obj = orjson.loads(reads.get(context, place, shapes.View(place.resource)))
    where = _scale_paths(place)
    scale.check_told(obj, where)
    return answers.of_json(scale.view(obj, where))


async def _change_scale(
    context: Context, place: drafts.Place, compute: Callable[[resources.Object], Any], options: writes.Options
) -> Reply:
    """Let ``compute`` make a new Scale of the old one."""
    where = _scale_paths(place)

    def changed(obj: resources.Object) -> Any:
        return scale.applied(obj, compute(scale.view(obj, where)), where)

    return _scaled(place, await writes.change(context, place, changed, options))


def _scaled(place: drafts.Place, written: writes.Written) -> Reply:
    return answers.of_json(scale.view(orjson.loads(written.raw), _scale_paths(place)))


async def _replace_scale(context: Context, request: Request, place: drafts.Place) -> Reply:
    body = request.decoded()
    return await _change_scale(context, place, lambda _: body, request.options("UpdateOptions", "scale"))


async def _patch_scale(context: Context, request: Request, place: drafts.Place) -> Reply:
    if request.applies:
        options = request.query.apply_options("scale")
        return _scaled(place, await applying.apply_scale(context, place, request.decoded(), options))
    compute = patching.compute(media.essence(request.content_type), request.decoded(), scale.SCALE)
    return await _change_scale(context, place, compute, request.query.patch_options("scale", request.agent))


async def _measure(context: Context, request: Request, place: drafts.Place) -> Reply:
    if request.query.flag("watch"):
        raise errors.MethodNotAllowedError("measurements are not watched: ask again", errors.details(place.kind))
    return await measures.answer(context, place, _view(request, place), _selection(request, place))


async def _log(context: Context, request: Request, place: drafts.Place) -> Reply:
    return await podlog.open_log(context, place, request.query)


async def _stream(context: Context, request: Request, place: drafts.Place) -> NoReturn:
    """A stream is asked for in a way in which it cannot be had: SPDY, or HTTP without an upgrade."""
    await judging.judge(context, place, request.target.subresource, request.query, ())
    raise errors.InternalError("a stream without a protocol was accepted")


async def _bind(context: Context, request: Request, place: drafts.Place) -> Reply:
    dry_run = request.options("CreateOptions").dry_run
    status = await podactions.bind(context, place, request.decoded(), dry_run=dry_run)
    return answers.of_json(status, 201)


async def _evict(context: Context, request: Request, place: drafts.Place) -> Reply:
    return answers.of_json(await podactions.evict(context, place, request.decoded(), request.query), 201)


async def _finalize(context: Context, request: Request, place: drafts.Place) -> Reply:
    """Take ``spec.finalizers`` of a namespace from the body: the one field an ordinary update leaves alone."""
    options = request.options("UpdateOptions")
    body = drafts.identified(place, request.decoded())
    place.resource.admission.check_types(body)
    record = writes.current(context, place)
    if body["metadata"].get("resourceVersion") not in (None, "", str(record.revision)):
        raise errors.conflict(place.kind, place.name)
    finalizers = (body.get("spec") or {}).get("finalizers") or []

    def mutate(obj: resources.Object) -> None:
        obj["spec"] = {**(obj.get("spec") or {}), "finalizers": finalizers}

    if options.dry_run:
        rehearsed = record.decode()
        mutate(rehearsed)
        return answers.of_json(rehearsed)
    amended = await writes.amend(context, record, mutate)
    return answers.Answer(amended.raw)


_COLLECTION: Mapping[str, Verb] = {"GET": _list, "POST": _create, "DELETE": _delete_collection}
_OBJECT: Mapping[str, Verb] = {"GET": _get, "PUT": _replace, "PATCH": _patch, "DELETE": _delete}
_PARTS: Mapping[str, Mapping[str, Verb]] = {
    "status": {"GET": _get_state, "PUT": _replace_status, "PATCH": _patch_status},
    "scale": {"GET": _get_scale, "PUT": _replace_scale, "PATCH": _patch_scale},
    "log": {"GET": _log},
    "binding": {"POST": _bind},
    "eviction": {"POST": _evict},
    **{part: {"GET": _stream, "POST": _stream} for part in judging.PARTS},
}
