"""The listener's certificate, read again when its files change.

A file's content counts, looked at every few seconds: mounted Secrets, links and certbot all replace files in ways of their own. A pair
that does not fit together (one file was replaced, the other not yet) changes nothing; connections that are open keep what they began with.
"""

from __future__ import annotations

import asyncio
import pathlib
import ssl
from typing import Final, NoReturn

from brickyard.gateway import errors
from brickyard.lib import logs

log = logs.get(__name__)

LOOK_EVERY: Final = 2.0


class Certificate:
    """A certificate and its key.

    Attributes:
        context: for the listener; new connections get what was last read.

    Raises:
        CertificateError: the files cannot be used.
    """

    def __init__(self, cert: str, key: str) -> None:
        if not cert or not key:
            raise errors.CertificateError(
                "TLS needs a certificate and a key",
                hint="set both BRICKYARD_GATEWAY_TLS_CERT and BRICKYARD_GATEWAY_TLS_KEY",
            )
        self._cert, self._key = pathlib.Path(cert), pathlib.Path(key)
        self._content = self._read()
        self._told = ""
        self.context = _context()
        self._load(self.context)

    async def follow(self) -> None:
        """Look at the files until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.look()

    def look(self) -> None:
        """Take over what changed, or say what is wrong with it, once."""
        try:
            content = self._read()
            if content == self._content:
                return
            self._load(_context())  # a pair that does not fit would leave half of it in the live context
            self._load(self.context)
        except errors.CertificateError as error:
            if str(error) != self._told:
                log.warning("the certificate stays as it was", error=error)
            self._told = str(error)
            return
        self._content, self._told = content, ""
        log.info("certificate read", file=str(self._cert))

    def _read(self) -> tuple[bytes, bytes]:
        try:
            return self._cert.read_bytes(), self._key.read_bytes()
        except OSError as error:
            raise errors.CertificateError(f"{error.filename} cannot be read: {error.strerror or error}") from error

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self._cert, self._key, password=_no_password)
        except (OSError, ValueError) as error:  # SSLError is an OSError
            raise errors.CertificateError(
                f"{self._cert} and {self._key} are no certificate and key: {error}",
                hint="both are PEM files; the key belongs to the first certificate and is not encrypted",
            ) from error


def _no_password() -> NoReturn:
    """Instead of asking at the terminal."""
    raise ValueError("the key is encrypted")


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    return context
