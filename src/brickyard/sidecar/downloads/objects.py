"""Object stores: S3 and what speaks like it, Google Cloud Storage, TOS.

Credentials, signatures and regions are obstore's affair (an extra), so every way of being somebody that it knows works here: keys
in the environment, web identity of a cluster, a container's role, an instance's. A key of ``~/.aws/credentials`` is given to it.
Public buckets are read with ``AWS_SKIP_SIGNATURE=true`` or ``GOOGLE_SKIP_SIGNATURE=true``.
"""

from __future__ import annotations

import configparser
import contextlib
import dataclasses
import pathlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final

from brickyard.sidecar.downloads import errors, references, remote

INSTALL: Final = "pip install 'brickyard[s3]'"
_CHUNK: Final = 1 << 18
_LIMIT: Final = 100_000
"""Objects that a folder may have."""
_QUICK: Final[Any] = {"max_retries": 2}
_CLIENT: Final[Any] = {"connect_timeout": "15s", "timeout": "24h"}  # stalls are watched by whoever reads

Make = Callable[[references.ObjectPath], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class ObjectOrigin:
    """Fills ``remote.Origin``; ``store`` is obstore's, ``key`` the object's, ``reference`` what was asked for."""

    store: Any
    key: str
    reference: references.ObjectPath

    @property
    def label(self) -> str:
        return f"{self.reference.scheme}://{self.reference.bucket}/{self.key}"

    @contextlib.asynccontextmanager
    async def open(self, start: int, validator: str) -> AsyncIterator[remote.Answer]:
        import obstore  # noqa: PLC0415 - an optional wheel

        resumed = start > 0 and validator != ""
        options: Any = {"range": {"offset": start}, "if_match": validator} if resumed else None
        with _told(self.label, self.reference.scheme):
            try:
                found = await obstore.get_async(self.store, self.key, options=options)
            except obstore.exceptions.PreconditionError:
                found = await obstore.get_async(self.store, self.key)
            start, _ = found.range
            yield remote.Answer(start, found.meta["size"], found.meta["e_tag"] or "", _chunks(found))


class Objects:
    """Fills ``remote.Catalogue``."""

    def __init__(self, make: Make, suffixes: frozenset[str] = frozenset()) -> None:
        """``make`` opens a reference's bucket; ``suffixes`` are those that a folder may hold, all when empty."""
        self._make = make
        self._suffixes = suffixes

    async def contents(self, reference: references.ObjectPath) -> remote.Contents:
        try:
            import obstore  # noqa: PLC0415 - an optional wheel
        except ImportError as error:
            raise errors.CacheUnusableError(f"{reference.text}: object stores need obstore: run {INSTALL}") from error
        with _told(reference.text, reference.scheme):
            store = self._make(reference)
            with contextlib.suppress(FileNotFoundError):
                meta = await obstore.head_async(store, reference.key)
                name = pathlib.PurePosixPath(reference.key).name
                origin = ObjectOrigin(store, reference.key, reference)
                piece = remote.Piece(name, origin, meta["size"], reference.sha256, validator=meta["e_tag"] or "")
                return remote.Contents((piece,), name)
            return remote.Contents(await self._folder(obstore, store, reference))

    async def _folder(self, obstore: Any, store: Any, reference: references.ObjectPath) -> tuple[remote.Piece, ...]:
        pieces: list[remote.Piece] = []
        async for batch in obstore.list(store, prefix=f"{reference.key}/"):
            pieces += [_piece(store, reference, each) for each in batch if self._wanted(each)]
            if len(pieces) > _LIMIT:
                raise errors.InvalidReferenceError(
                    f"{reference.text} holds more than {_LIMIT} objects: name the model's folder"
                )
        if not pieces:
            kinds = f" of the allowed kinds {', '.join(sorted(self._suffixes))}" if self._suffixes else ""
            raise errors.ModelNotFoundError(
                f"there is no object {reference.text} and none below it{kinds}: correct the key"
            )
        if reference.sha256:
            raise errors.InvalidReferenceError(f"{reference.text} is a folder: a checksum is that of one object")
        return tuple(pieces)

    def _wanted(self, meta: Mapping[str, Any]) -> bool:
        suffix = pathlib.PurePosixPath(meta["path"]).suffix.lower()
        return not self._suffixes or suffix in self._suffixes


def _piece(store: Any, reference: references.ObjectPath, meta: Mapping[str, Any]) -> remote.Piece:
    path = str(meta["path"]).removeprefix(f"{reference.key}/")
    if not references.relative(path):
        raise errors.CorruptError(f"{reference.text} lists {path!r}, which leads out of its folder")
    origin = ObjectOrigin(store, str(meta["path"]), reference)
    return remote.Piece(path, origin, meta["size"], validator=meta["e_tag"] or "")


async def _chunks(found: Any) -> AsyncIterator[bytes]:
    async for chunk in found.stream(min_chunk_size=_CHUNK):
        yield bytes(chunk)


@contextlib.contextmanager
def _told(label: str, scheme: str) -> Iterator[None]:
    import obstore  # noqa: PLC0415 - an optional wheel

    kinds = obstore.exceptions
    try:
        yield
    except FileNotFoundError as error:
        raise errors.ModelNotFoundError(f"{label} is not there: correct bucket and key") from error
    except (kinds.PermissionDeniedError, kinds.UnauthenticatedError) as error:
        raise errors.AccessDeniedError(f"{label}: the store refuses: {_REMEDIES[scheme]}") from error
    except kinds.BaseError as error:
        said = " ".join(str(error).split("\n\nDebug source:")[0].split())[:300]
        if "redirect" in said.lower():
            raise errors.AccessDeniedError(
                f"{label}: the bucket is in another region: set AWS_REGION to its own"
            ) from error
        if "169.254.169.254" in said or "metadata" in said.lower():
            raise errors.AccessDeniedError(f"{label}: nobody says who asks: {_REMEDIES[scheme]}") from error
        raise errors.UnreachableError(f"{label} cannot be read: {said}. Check the network and the endpoint") from error


_REMEDIES: Final = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key that may read it, or AWS_SKIP_SIGNATURE=true for a public bucket",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS to a key file that may read it, or GOOGLE_SKIP_SIGNATURE=true for a public bucket",
    "tos": "set TOS_ACCESS_KEY and TOS_SECRET_KEY to a key that may read it",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Stores:
    """Opens buckets with the credentials of ``environ``."""

    environ: Mapping[str, str] = dataclasses.field(repr=False)

    def __call__(self, reference: references.ObjectPath) -> Any:
        """obstore's store of the reference's bucket.

        Raises:
            AccessDeniedError: half a key is given.
            BaseError (obstore): the environment says something impossible.
        """
        from obstore import store  # noqa: PLC0415 - an optional wheel

        if reference.scheme == "gs":
            return store.GCSStore(
                reference.bucket, config=google(self.environ), client_options=_CLIENT, retry_config=_QUICK
            )
        config: Any = amazon(self.environ) if reference.scheme == "s3" else tos(self.environ)
        plain = str(config.get("endpoint", "")).startswith("http://")
        options: Any = {**_CLIENT, "allow_http": plain}
        return store.S3Store(reference.bucket, config=config, client_options=options, retry_config=_QUICK)


def amazon(environ: Mapping[str, str]) -> dict[str, Any]:
    """obstore's settings of S3, by the variables and files that Amazon's own tools read.

    Raises:
        AccessDeniedError: one half of a key is there without the other.
    """
    config: dict[str, Any] = {"region": environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"}
    if endpoint := environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL"):
        config["endpoint"] = endpoint
    if _true(environ.get("AWS_SKIP_SIGNATURE", "")):
        return {**config, "skip_signature": True}
    key = _key(environ, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return {**config, **(key or _profile(environ))}


def tos(environ: Mapping[str, str]) -> dict[str, Any]:
    """obstore's settings of TOS, which speaks S3 at an address of its own and wants the bucket in the host's name.

    Raises:
        AccessDeniedError: a part of key or endpoint is missing.
    """
    endpoint, region = environ.get("TOS_ENDPOINT", ""), environ.get("TOS_REGION", "")
    key = _key(environ, "TOS_ACCESS_KEY", "TOS_SECRET_KEY", "TOS_SESSION_TOKEN")
    if not endpoint or not key:
        raise errors.AccessDeniedError("tos:// needs TOS_ENDPOINT, TOS_ACCESS_KEY and TOS_SECRET_KEY: set all three")
    address = endpoint if "://" in endpoint else f"https://{endpoint}"
    return {"endpoint": address, "region": region or "auto", "virtual_hosted_style_request": True, **key}


def google(environ: Mapping[str, str]) -> Any:
    """obstore's settings of Google Cloud Storage."""
    if _true(environ.get("GOOGLE_SKIP_SIGNATURE", "")):
        return {"skip_signature": True}
    path = environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    return {"application_credentials": path} if path else {}


def _true(text: str) -> bool:
    return text.strip().lower() in {"1", "true", "yes", "on"}


def _key(environ: Mapping[str, str], name: str, secret: str, token: str) -> dict[str, str]:
    values = (environ.get(name, ""), environ.get(secret, ""))
    if any(values) and not all(values):
        missing = secret if values[0] else name
        raise errors.AccessDeniedError(
            f"{missing} is missing beside {name if missing == secret else secret}: set both or neither"
        )
    if not all(values):
        return {}
    session = {"session_token": environ[token]} if environ.get(token) else {}
    return {"access_key_id": values[0], "secret_access_key": values[1], **session}


def _profile(environ: Mapping[str, str]) -> dict[str, str]:
    """The key of a profile in ``~/.aws/credentials``; none where the file or the profile has none."""
    place = environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    parser = configparser.RawConfigParser()
    try:
        parser.read(pathlib.Path(place).expanduser(), encoding="utf-8")
        section = dict(parser.items(environ.get("AWS_PROFILE") or "default"))
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    return _key(section, *names)
