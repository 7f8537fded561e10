"""A web server on loopback that misbehaves on demand, and on it a model hub and an object store that check who asks.

async with testing_server.Server() as server:
    server.files["/a.gguf"] = testing_server.File(content)
    server.faults.append(testing_server.Fault(cut=1000))     # the next answer with a body breaks off after 1000 bytes
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import hmac
import re
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Self

import orjson


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """A request: method, path, query as written, headers by small letters."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``length`` is what its head says of the body instead of the truth; -1 leaves it out."""

    status: int = 200
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    length: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one answer.

    Attributes:
        reply: answered instead.
        cut: bytes of the body after which the connection is closed.
        stall: bytes of the body after which nothing comes any more, until the server ends.
        length: what the head says of the body's length; -1 leaves it out.
        path: the end of the path that it befalls; "" for any.
    """

    reply: Reply | None = None
    cut: int | None = None
    stall: int | None = None
    length: int | None = None
    path: str = ""


@dataclasses.dataclass(slots=True)
class File:
    """A file that is served with ranges. ``etag`` as it stands in the head, made of the content unless given; ``ranges``: it has them."""

    content: bytes
    etag: str | None = None
    ranges: bool = True

    def reply(self, ask: Ask) -> Reply:
        """The whole, or the part that is asked for and still the same."""
        tag = f'"{hashlib.md5(self.content).hexdigest()}"' if self.etag is None else self.etag  # noqa: S324 - a name
        headers = {"etag": tag} if tag else {}
        matched = re.fullmatch(r"bytes=(\d+)-(\d*)", ask.headers.get("range", ""))
        if matched is None or not self.ranges or ask.headers.get("if-range", tag) != tag:
            return Reply(200, headers, self.content)
        start, size = int(matched[1]), len(self.content)
        if start >= size:
            return Reply(416, {**headers, "content-range": f"bytes */{size}"})
        return Reply(206, {**headers, "content-range": f"bytes {start}-{size - 1}/{size}"}, self.content[start:])


class Server:
    """Serves ``files`` by path, or what ``answer`` says.

    Attributes:
        files: by path.
        answer: asked first; None from it means the files.
        faults: taken by the answers in their order, each once.
        asked: every request.
        sent: bytes of bodies so far.
    """

    def __init__(self, answer: Callable[[Ask], Reply | None] = lambda _: None) -> None:
        self.files: dict[str, File] = {}
        self.answer = answer
        self.faults: list[Fault] = []
        self.asked: list[Ask] = []
        self.sent = 0
        self.url = ""
        self._ended = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def ranges(self) -> list[str]:
        """The ranges asked for, "" for a whole file."""
        return [ask.headers.get("range", "") for ask in self.asked]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a callback of a server runs in a task
        self._open.add(task)
        try:
            while await self._serve(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self._open.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection goes on."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        fields = (line.partition(":") for line in lines[1:] if line)
        path, _, query = target.partition("?")
        ask = Ask(method, path, query, {name.lower(): value.strip() for name, _, value in fields})
        self.asked.append(ask)
        reply, fault = self._decided(ask)
        body = b"" if method == "HEAD" else reply.body
        given = fault.length if fault.length is not None else reply.length
        length = len(reply.body) if given is None else given
        head = {**({} if length < 0 else {"content-length": str(length)}), **reply.headers}
        text = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"HTTP/1.1 {reply.status} -\r\n{text}\r\n".encode("latin-1"))
        stop = min(len(body), *(each for each in (fault.cut, fault.stall) if each is not None), len(body))
        writer.write(body[:stop])
        self.sent += stop
        await writer.drain()
        if fault.stall is not None:
            await self._ended.wait()
        return fault.cut is None and length == len(reply.body)

    def _decided(self, ask: Ask) -> tuple[Reply, Fault]:
        first = next((each for each in self.faults if ask.path.endswith(each.path)), None)
        if first is not None:
            self.faults.remove(first)
        fault = first or Fault()
        plain = self.answer(ask)
        if plain is None:
            file = self.files.get(urllib.parse.unquote(ask.path))
            plain = file.reply(ask) if file else Reply(404, body=b"not here")
        return fault.reply or plain, fault


class FakeHub:
    """Answers as a hub does for the repositories in ``files``: ``{"org/model": {"config.json": b"…"}}``.

    Attributes:
        files: contents by repository and path.
        token: who asks must say it; "" lets everybody in.
        gated: repositories that are given to nobody.
        storage: another server's address, to which large files redirect; "" for none.
        commit: the one revision there is beside ``main``.
    """

    def __init__(self, files: dict[str, dict[str, bytes]]) -> None:
        self.files = files
        self.token = ""
        self.gated: set[str] = set()
        self.storage = ""
        self.commit = "c0ffee" + "0" * 34

    def __call__(self, ask: Ask) -> Reply | None:
        """As ``Server.answer``."""
        parts = urllib.parse.unquote(ask.path).strip("/").removeprefix("api/models/").split("/")
        repository, kind, revision, path = "/".join(parts[:2]), parts[2], parts[3], "/".join(parts[4:])
        refusals = (
            (401, "RepoNotFound", self.token and ask.headers.get("authorization") != f"Bearer {self.token}"),
            (403, "GatedRepo", repository in self.gated),
            (404, "RepoNotFound", repository not in self.files),
            (404, "RevisionNotFound", revision not in {"main", self.commit}),
        )
        if refused := next(((status, code) for status, code, true in refusals if true), None):
            return Reply(refused[0], {"x-error-code": refused[1]})
        if kind == "revision":
            return self._listing(repository)
        content = self.files[repository].get(path)
        if content is None:
            return Reply(404, {"x-error-code": "EntryNotFound"})
        if self.storage and large(path):
            return Reply(302, {"location": f"{self.storage}/{hashlib.sha256(content).hexdigest()}?signed=yes"})
        return File(content).reply(ask)

    def _listing(self, repository: str) -> Reply:
        files = [_sibling(path, content) for path, content in self.files[repository].items()]
        return Reply(body=orjson.dumps({"id": repository, "sha": self.commit, "siblings": files}))


def large(path: str) -> bool:
    """Whether a hub keeps the file outside git."""
    return path.endswith((".gguf", ".safetensors", ".bin"))


def _sibling(path: str, content: bytes) -> dict[str, object]:
    entry: dict[str, object] = {"rfilename": path, "size": len(content)}
    if large(path):
        return {**entry, "lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}}
    return {**entry, "blobId": hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()}  # noqa: S324 - git's


class FakeStore:
    """Answers as S3 does, and checks the signature of every request.

    Attributes:
        objects: contents by ``bucket/key``.
        key: who may ask, and the secret.
        open: buckets that anybody may read.
    """

    def __init__(self, objects: dict[str, bytes], key: tuple[str, str] = ("AKIDEXAMPLE", "s3cr3t")) -> None:
        self.objects = objects
        self.key = key
        self.open: set[str] = set()

    def __call__(self, ask: Ask) -> Reply | None:
        """As ``Server.answer``."""
        path = urllib.parse.unquote(ask.path).strip("/")
        bucket = path.partition("/")[0]
        if bucket not in self.open and not self._signed(ask):
            return Reply(403, body=b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        query = dict(urllib.parse.parse_qsl(ask.query))
        if query.get("list-type") == "2":
            return self._listing(bucket, query.get("prefix", ""))
        content = self.objects.get(path)
        if content is None:
            return Reply(404, body=b"<Error><Code>NoSuchKey</Code></Error>")
        file = File(content)
        tag = file.reply(Ask("GET", "", "", {})).headers["etag"]
        if ask.headers.get("if-match", tag) != tag:
            return Reply(412)
        reply = file.reply(ask)
        date = {"last-modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        return dataclasses.replace(reply, headers={**reply.headers, **date})

    def _listing(self, bucket: str, prefix: str) -> Reply:
        found = {
            path.removeprefix(f"{bucket}/"): content
            for path, content in sorted(self.objects.items())
            if path.startswith(f"{bucket}/{prefix}")
        }
        items = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f'<ETag>"{hashlib.md5(content).hexdigest()}"</ETag><Size>{len(content)}</Size></Contents>'  # noqa: S324 - a name
            for key, content in found.items()
        )
        return Reply(body=f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>".encode())

    def _signed(self, ask: Ask) -> bool:
        """Signature version 4, as Amazon describes it."""
        matched = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})",
            ask.headers.get("authorization", ""),
        )
        if matched is None or matched[1] != self.key[0]:
            return False
        scope, names = matched[2], matched[3].split(";")
        query = "&".join(sorted(ask.query.split("&")))
        headers = "".join(f"{name}:{ask.headers.get(name, '')}\n" for name in names)
        payload = ask.headers.get("x-amz-content-sha256", "")
        request = f"{ask.method}\n{ask.path}\n{query}\n{headers}\n{';'.join(names)}\n{payload}"
        date = ask.headers.get("x-amz-date", "")
        text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        secret = f"AWS4{self.key[1]}".encode()
        for part in scope.split("/"):
            secret = hmac.digest(secret, part.encode(), "sha256")
        return hmac.compare_digest(hmac.digest(secret, text.encode(), "sha256").hex(), matched[4])
