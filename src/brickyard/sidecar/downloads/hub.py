"""Hugging Face by its HTTP interface: one request tells a repository's files, sizes and checksums, one per file brings it.

All files are asked for by the commit that the first request named, so that they belong together even while somebody pushes. Names
and checksums of contents are the hub's own: SHA-256 of large files, git's SHA-1 of small ones.
"""

from __future__ import annotations

import dataclasses
import pathlib
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

import httpx2
import orjson

from brickyard.sidecar.downloads import errors, hubfiles, references, remote, transfer, web

ENDPOINT: Final = "https://huggingface.co"
REVISION: Final = "main"
"""What is taken where neither reference nor settings name a revision."""
_LISTING: Final = 64 << 20
"""Bytes that a listing may have."""
_TRUE: Final = frozenset({"1", "true", "yes", "on"})


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """How the hub is asked.

    Attributes:
        endpoint: its address, or that of a mirror.
        token: says who asks; "" for nobody. Never printed.
        revision: taken where a reference names none.
        offline: it must not be asked at all.
    """

    endpoint: str = ENDPOINT
    token: str = dataclasses.field(default="", repr=False)
    revision: str = REVISION
    offline: bool = False

    @classmethod
    def configured(cls, environ: Mapping[str, str]) -> Access:
        """By the hub's own variables: HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_REVISION, HF_HUB_OFFLINE."""
        return cls(
            endpoint=(environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/"),
            token=_token(environ),
            revision=environ.get("HF_REVISION") or REVISION,
            offline=environ.get("HF_HUB_OFFLINE", "").lower() in _TRUE,
        )


def _token(environ: Mapping[str, str]) -> str:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if token := environ.get(name, "").strip():
            return token
    home = environ.get("HF_HOME") or "~/.cache/huggingface"
    path = pathlib.Path(environ.get("HF_TOKEN_PATH") or f"{home}/token").expanduser()
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


class Hub:
    """Fills ``remote.Catalogue``."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        access: Access,
        suffixes: frozenset[str] = frozenset(),
        patience: transfer.Patience = transfer.PATIENCE,
    ) -> None:
        """``suffixes`` are those that a folder may hold; all when empty."""
        self._client = http
        self._access = access
        self._suffixes = suffixes
        self._patience = patience
        self._headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}

    async def contents(self, reference: references.HubModel) -> remote.Contents:
        if self._access.offline:
            raise errors.UnreachableError(
                f"{reference.text} is not in the model cache, and HF_HUB_OFFLINE forbids to ask for it: unset it or fetch it before"
            )
        revision = reference.revision or self._access.revision
        commit, files = await self._listing(reference, revision)
        chosen = hubfiles.choose(reference, files, self._suffixes)
        return remote.Contents(tuple(self._piece(reference, commit, each) for each in chosen.files), chosen.entry)

    def _piece(self, reference: references.HubModel, commit: str, file: hubfiles.File) -> remote.Piece:
        place = f"{reference.repository}/resolve/{commit}/{urllib.parse.quote(file.path)}"
        label = f"hf://{reference.repository}/{file.path}"
        origin = web.WebOrigin(self._client, f"{self._access.endpoint}/{place}", label, self._headers, self._explain)
        given = reference.sha256 if file.path == reference.path else ""
        return remote.Piece(file.path, origin, file.size, given or file.sha256, file.git_oid)

    async def _listing(self, reference: references.HubModel, revision: str) -> tuple[str, list[hubfiles.File]]:
        quoted = urllib.parse.quote(revision, safe="")
        url = f"{self._access.endpoint}/api/models/{reference.repository}/revision/{quoted}?blobs=true"
        origin = web.WebOrigin(
            self._client, url, f"hf://{reference.repository}@{revision}", self._headers, self._explain
        )
        body = await transfer.whole(origin, _LISTING, self._patience)
        try:
            content = orjson.loads(body)
            return str(content["sha"]), [_file(each) for each in content["siblings"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise errors.UnreachableError(
                f"{self._access.endpoint} does not answer as a model hub: check HF_ENDPOINT and the proxy"
            ) from error

    def _explain(self, response: httpx2.Response) -> errors.DownloadError | None:
        """The hub's refusals; it says 401 of a repository that is not there to whoever may not know."""
        status, code = response.status_code, response.headers.get("x-error-code", "")
        address = urllib.parse.urlsplit(str(response.request.url)).path.strip("/").removeprefix("api/models/")
        name = "/".join(address.split("/")[:2])
        if code == "GatedRepo":
            return errors.AccessDeniedError(
                f"hf://{name} is given only to who accepts its terms: do so at {self._access.endpoint}/{name}, "
                "then set HF_TOKEN to a token of that account"
            )
        if status in {401, 403}:
            who = (
                "HF_TOKEN is refused, or may not read it"
                if self._headers
                else "set HF_TOKEN to a token that may read it"
            )
            return errors.AccessDeniedError(f"hf://{name} is private or not there: correct the name, or {who}")
        if status == 404:
            what = {"RevisionNotFound": "has no such revision", "EntryNotFound": "has no such file"}.get(
                code, "is not there"
            )
            return errors.ModelNotFoundError(f"hf://{name} {what}: see {self._access.endpoint}/{name}")
        if status == 429 and not self._headers:
            return errors.BusyError(
                f"{self._access.endpoint} asks for patience (429): set HF_TOKEN, known users may ask more",
                web.after(response),
            )
        return None


def _file(entry: Mapping[str, Any]) -> hubfiles.File:
    lfs = entry.get("lfs") or {}
    size = lfs.get("size", entry.get("size"))
    return hubfiles.File(
        str(entry["rfilename"]),
        size if isinstance(size, int) else None,
        str(lfs.get("sha256") or lfs.get("oid") or ""),
        "" if lfs else str(entry.get("blobId") or ""),
    )
