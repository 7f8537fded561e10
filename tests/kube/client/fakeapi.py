"""A ``MemoryClient`` behind HTTPS: what ``RestClient`` is tested against without the embedded API server.

``FakeApi`` speaks the wire format of the verbs and refuses as Kubernetes refuses; ``answers`` holds canned responses that are given
first, whatever is asked.
"""

from __future__ import annotations

import base64
import contextlib
import pathlib
import ssl
from collections.abc import AsyncIterator

import orjson
import trustme
import yaml
from starlette import applications, requests, responses, routing

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors, testing
from brickyard.lib import listening

TOKEN = "let-me-in"
KINDS = {each.plural: each for each in (resources.POD, resources.CONFIG_MAP, resources.DEPLOYMENT, resources.NODE)}


class FakeApi:
    """State and knobs of the server; ``seen`` lists (method, path, query, headers) of every request."""

    def __init__(self, client: testing.MemoryClient) -> None:
        self.client = client
        self.answers: list[responses.Response] = []
        self.seen: list[requests.Request] = []
        self.url = ""
        self.kubeconfig = pathlib.Path()
        self.token = TOKEN

    async def handle(self, request: requests.Request) -> responses.Response:
        self.seen.append(request)
        if self.answers:
            return self.answers.pop(0)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return refusal(errors.Unauthorized("Unauthorized", reason="Unauthorized"))
        try:
            return await self.answer(request)
        except errors.KubeError as error:
            return refusal(error)

    async def answer(self, request: requests.Request) -> responses.Response:
        """The verb that the request asks for, done on the memory client."""
        parts = request.url.path.strip("/").split("/")
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = rest[1] if rest[0] == "namespaces" and len(rest) > 2 else ""
        rest = rest[2:] if namespace else rest
        if rest[-1] == "log":
            stream = await self.client.stream(request.url.path, dict(request.query_params))
            return responses.StreamingResponse(stream, media_type="text/plain")
        kind = KINDS.get(rest[0])
        if kind is None:
            raise errors.NotFound("the server could not find the requested resource", reason="NotFound")
        if len(rest) == 1:
            return await self.collection(request, kind, namespace)
        return await self.single(request, kind, (namespace, rest[1]), rest[2] if len(rest) > 2 else "")

    async def collection(
        self, request: requests.Request, kind: resources.ResourceType, namespace: str
    ) -> responses.Response:
        """Verbs on a collection."""
        query = contract.Query(
            namespace=namespace,
            label_selector=request.query_params.get("labelSelector", ""),
            field_selector=request.query_params.get("fieldSelector", ""),
            limit=int(request.query_params.get("limit", "0")),
            continue_token=request.query_params.get("continue", ""),
            resource_version=request.query_params.get("resourceVersion", ""),
            initial_events=request.query_params.get("sendInitialEvents") == "true",
        )
        if request.method == "POST":
            obj = orjson.loads(await request.body())
            return reply(await self.client.create(kind, obj), 201)
        if request.query_params.get("watch") == "true":
            return responses.StreamingResponse(self.lines(kind, query), media_type="application/json")
        page = await self.client.list(kind, query)
        items = [
            {key: value for key, value in each.items() if key not in ("apiVersion", "kind")} for each in page.items
        ]
        meta = {"resourceVersion": page.resource_version, "continue": page.continue_token}
        return reply({"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": items})

    async def lines(self, kind: resources.ResourceType, query: contract.Query) -> AsyncIterator[bytes]:
        """A watch's events, one a line; an error is an event too."""
        try:
            async for event in self.client.watch(kind, query):
                yield orjson.dumps({"type": event.type.value, "object": event.object}) + b"\n"
        except errors.Unreachable:
            return
        except errors.KubeError as error:
            yield orjson.dumps({"type": "ERROR", "object": status(error)}) + b"\n"

    async def single(
        self, request: requests.Request, kind: resources.ResourceType, target: tuple[str, str], subresource: str
    ) -> responses.Response:
        """Verbs on one object."""
        body = await request.body()
        if request.method == "GET":
            return reply(await self.client.get(kind, target[1], target[0]))
        if request.method == "PUT":
            return reply(await self.client.update(kind, orjson.loads(body), subresource))
        if request.method == "PATCH":
            patch_kind = contract.PatchKind(request.headers["content-type"])
            if patch_kind is contract.PatchKind.APPLY:
                params = request.query_params
                how = contract.ApplyOptions(params["fieldManager"], params.get("force") == "true", subresource)
                return reply(await self.client.apply(kind, orjson.loads(body), how))
            return reply(await self.client.patch(kind, target, orjson.loads(body), patch_kind, subresource))
        raw = orjson.loads(body)
        options = contract.DeleteOptions(
            grace_period_seconds=raw.get("gracePeriodSeconds"),
            propagation_policy=raw["propagationPolicy"],
            uid=raw.get("preconditions", {}).get("uid", ""),
        )
        return reply(await self.client.delete(kind, target, options))


def reply(obj: object, code: int = 200) -> responses.Response:
    return responses.Response(orjson.dumps(obj), code, media_type="application/json")


def status(error: errors.KubeError) -> dict[str, object]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": str(error),
        "reason": error.reason,
        "code": error.status,
        "details": error.details,
    }


def refusal(error: errors.KubeError) -> responses.Response:
    answer = reply(status(error), error.status)
    if error.retry_after is not None:
        answer.headers["Retry-After"] = f"{error.retry_after:g}"
    return answer


@contextlib.asynccontextmanager
async def serving(folder: pathlib.Path, name: str = "127.0.0.1") -> AsyncIterator[FakeApi]:
    """The fake API on a free loopback port, with a kubeconfig for it in ``folder``; its certificate is for ``name``."""
    api = FakeApi(testing.MemoryClient())
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app = applications.Starlette(routes=[routing.Route("/{path:path}", api.handle, methods=methods)])
    config = listening.configuration(app, grace=1)
    config.load()
    config.ssl = context
    with contextlib.closing(listening.bind("127.0.0.1", 0)) as listener:
        api.url = listening.url(listener, "https")
        api.kubeconfig = write_kubeconfig(folder, api.url, authority.cert_pem.bytes())
        async with listening.listening(config, listener, "fakeapi"):
            try:
                yield api
            finally:
                api.client.break_watches(errors.Unreachable("the server stops"))


def write_kubeconfig(folder: pathlib.Path, url: str, authority: bytes) -> pathlib.Path:
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(authority).decode()}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fake", "cluster": cluster}],
        "users": [{"name": "me", "user": {"token": TOKEN}}],
        "contexts": [{"name": "here", "context": {"cluster": "fake", "user": "me", "namespace": "mine"}}],
        "current-context": "here",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path
