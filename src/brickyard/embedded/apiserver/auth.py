"""Who may speak to the API server: whoever knows its token, which lies in the data directory and in the kubeconfig, both 0600."""

from __future__ import annotations

import hmac
import os
import pathlib
import secrets
from collections.abc import Iterable

from brickyard.embedded.apiserver import errors

_OPEN_PATHS = frozenset({"/healthz", "/livez", "/readyz", "/version"})


def token(data_dir: pathlib.Path) -> str:
    """The token of this data directory, made at the first asking. It outlives restarts, and so do kubeconfigs.

    Raises:
        OSError: the directory cannot be written.
    """
    path = data_dir / "token"
    if path.is_file() and (found := path.read_text().strip()):
        return found
    made = secrets.token_urlsafe(32)
    write_private(path, made)
    return made


def write_private(path: pathlib.Path, text: str) -> None:
    """Write a file that only its owner reads, at once: a reader sees the old text or the new."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    temporary.replace(path)


def same(shown: str, expected: str) -> bool:
    """Whether two tokens are one; takes the same time for all."""
    return hmac.compare_digest(shown.encode(), expected.encode())


def check(path: str, authorization: str, expected: str) -> None:
    """Let a request pass: to the open paths always, to the rest with the token. The comparison takes the same time for all.

    Raises:
        UnauthorizedError: no token, or another one.
    """
    if path in _OPEN_PATHS or path.startswith(("/livez/", "/readyz/", "/healthz/")):
        return
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "bearer" or not same(credentials.strip(), expected):
        raise errors.UnauthorizedError("Unauthorized")


def refuse_disguise(headers: Iterable[str]) -> None:
    """Refuse a request that shall be carried out as somebody else. There is one identity here, and it may do everything: what
    somebody else would be refused would succeed.

    Raises:
        ForbiddenError: ``headers`` (names in lower case) ask for impersonation.
    """
    if any(name.startswith("impersonate-") for name in headers):
        raise errors.ForbiddenError(
            "impersonation is not served by this API server, which knows one identity: "
            "send the request without Impersonate-* headers (kubectl: without --as)"
        )
