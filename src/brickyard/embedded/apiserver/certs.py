"""The API server's certificate authority, its certificate and the kubeconfig that trusts it.

Lives in ``<data_dir>/pki``: ``ca.crt``, ``ca.key``, ``server.crt``, ``server.key``, each 0600. Every start checks them and renews
what is missing, unreadable, near its end or made for other names; a kubeconfig stays good as long as the authority lives.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime
import ipaddress
import os
import pathlib
import tempfile
from collections.abc import Sequence

import yaml
from cryptography import exceptions, x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

from brickyard.lib import certificates, clock, logs

log = logs.get(__name__)

_AUTHORITY_LIFE = datetime.timedelta(days=3650)
_SERVER_LIFE = datetime.timedelta(days=365)
_RENEW_BEFORE = datetime.timedelta(days=30)
_BACKDATE = datetime.timedelta(minutes=5)
"""How far before ``now`` a certificate starts, for clients whose clock is behind."""

_DNS_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
_ADDRESSES = ("127.0.0.1", "::1")


@dataclasses.dataclass(frozen=True, slots=True)
class Certificates:
    """What a TLS listener and its clients need: the authority as PEM text, the server's certificate and key as files."""

    ca_pem: str
    cert_file: pathlib.Path
    key_file: pathlib.Path


def ensure(data_dir: pathlib.Path, now: float | None = None) -> Certificates:
    """The certificates under ``data_dir``, made or renewed where needed. ``now`` in Unix seconds, by default the machine's.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = data_dir / "pki"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    moment = datetime.datetime.fromtimestamp(clock.SystemClock().wall() if now is None else now, datetime.UTC)
    authority = _load(folder, "ca")
    if authority is None or not _fresh(authority, moment):
        authority = _authority(moment)
        _store(folder, "ca", authority)
        log.info("made a certificate authority", folder=folder)
    server = _load(folder, "server")
    if server is None or not _fresh(server, moment) or not _serves(server, authority):
        server = _server(authority, moment)
        _store(folder, "server", server)
        log.info("made a server certificate", folder=folder, until=server.certificate.not_valid_after_utc)
    return Certificates(authority.pem.decode(), folder / "server.crt", folder / "server.key")


def kubeconfig(server_url: str, ca_pem: str, token: str) -> str:
    """A kubeconfig (YAML) with one cluster, user and context, all called ``brickyard``. It holds ``token``: keep it 0600."""
    name = "brickyard"
    authority = base64.b64encode(ca_pem.encode()).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server_url, "certificate-authority-data": authority}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
        "current-context": name,
        "preferences": {},
    }
    return yaml.safe_dump(document, sort_keys=False)


def _fresh(pair: certificates.Pair, moment: datetime.datetime) -> bool:
    certificate = pair.certificate
    return certificate.not_valid_before_utc <= moment < certificate.not_valid_after_utc - _RENEW_BEFORE


def _serves(server: certificates.Pair, authority: certificates.Pair) -> bool:
    """Whether ``authority`` signed the server's certificate and every name we answer to is in it."""
    try:
        server.certificate.verify_directly_issued_by(authority.certificate)
        found = server.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, exceptions.InvalidSignature, x509.ExtensionNotFound):
        return False
    return set(_alternative_names()) <= set(found)


def _alternative_names() -> Sequence[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in _DNS_NAMES]
    return names + [x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES]


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, common_name)])


def _authority(moment: datetime.datetime) -> certificates.Pair:
    name = _name(f"brickyard-ca-{int(moment.timestamp())}")
    return certificates.make_authority(name, (moment - _BACKDATE, moment + _AUTHORITY_LIFE))


def _server(authority: certificates.Pair, moment: datetime.datetime) -> certificates.Pair:
    valid = (moment - _BACKDATE, moment + _SERVER_LIFE)
    return certificates.make_serving(authority, _name("kube-apiserver"), _alternative_names(), valid)


def _load(folder: pathlib.Path, stem: str) -> certificates.Pair | None:
    """The pair on disk; None where it is missing, unreadable as PEM, or where key and certificate do not belong together."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / f"{stem}.crt").read_bytes())
        key = serialization.load_pem_private_key((folder / f"{stem}.key").read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        return None
    return certificates.Pair(certificate, key)


def _store(folder: pathlib.Path, stem: str, pair: certificates.Pair) -> None:
    # A crash between the two leaves a pair that does not match; the next start sees it and makes a new one.
    _write(folder / f"{stem}.key", pair.key_pem)
    _write(folder / f"{stem}.crt", pair.pem)


def _write(path: pathlib.Path, data: bytes) -> None:
    """Replace ``path`` at once, readable by its owner only (``mkstemp`` makes files 0600)."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        pathlib.Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            pathlib.Path(temporary).unlink()
        raise
