"""From a kubeconfig, or from inside a cluster, to what a connection needs: server, TLS and credentials.

Types of the file's parts and TLS are lightkube's; what its types leave out is read here beside them: plug-ins of today's protocol
(``plugins``), tokens that rotate in a file (``tokens``), ``proxy-url``, ``tls-server-name``, impersonation.
"""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
import os
import pathlib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib import parse

import httpx2
import yaml
from lightkube.config import client_adapter, kubeconfig, models
from lightkube.core import exceptions

from brickyard.kube.client import errors, plugins, tokens

DEFAULT_PATH = pathlib.Path("~/.kube/config")
SERVICE_ACCOUNT = pathlib.Path(kubeconfig.SERVICE_ACCOUNT)

# Fields of a kubeconfig that name files, relative to the file that has them.
_FILE_FIELDS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_PLUGIN_EXTENSION = "client.authentication.k8s.io/exec"


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API.

    Attributes:
        server: base URL, without a slash at the end.
        tls: trust and client certificate.
        auth: what adds credentials to a request, None when the certificate says it all.
        namespace: the context's default namespace.
        proxy: URL of the HTTP proxy in between, "" for none.
        server_name: what the server's certificate must say, "" for the host of ``server``.
        headers: sent with every request: whom to act as.
    """

    server: str
    tls: ssl.SSLContext
    auth: httpx2.Auth | None
    namespace: str
    proxy: str = ""
    server_name: str = ""
    headers: Sequence[tuple[str, str]] = ()

    @property
    def is_loopback(self) -> bool:
        """Whether the API is on this machine; no proxy stands in between then."""
        return _is_loopback(self.server)


def load(
    path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None, *, context: str = ""
) -> Access:
    """Access as kubectl would find it, through ``context`` or else the current one.

    ``path``, else ``$KUBECONFIG`` (several files are merged, the first to name a thing wins), else ``~/.kube/config``, else the
    service account of the pod that this runs in.

    Raises:
        KubeconfigError: none of these is there, or what is there is not valid; the message says which.
    """
    environ = os.environ if environ is None else environ
    try:
        return _access(_find(path, environ), context, environ)
    except (exceptions.ConfigError, ssl.SSLError, OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        where = path or environ.get("KUBECONFIG") or DEFAULT_PATH
        raise errors.KubeconfigError(
            f"cannot read the kubeconfig {where}: {error}",
            hint="try it with: kubectl --kubeconfig FILE version",
        ) from error


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """lightkube's reading of the files, and the files' own words."""

    config: kubeconfig.KubeConfig
    raw: Mapping[str, Any]

    def cluster(self, name: str) -> Mapping[str, Any]:
        return self._entry("clusters", name, "cluster")

    def user(self, name: str | None) -> Mapping[str, Any]:
        return self._entry("users", name, "user") if name else {}

    def _entry(self, section: str, name: str, part: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = next((each for each in self.raw.get(section) or () if each["name"] == name), {})
        return found.get(part) or {}


def _find(path: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> _Found:
    if path is not None:
        return _from_files([pathlib.Path(path).expanduser()])
    if environ.get("KUBECONFIG"):
        given = [pathlib.Path(each).expanduser() for each in environ["KUBECONFIG"].split(os.pathsep) if each]
        present = [each for each in given if each.is_file()]
        return _from_files(present or given)
    if (default := DEFAULT_PATH.expanduser()).is_file():
        return _from_files([default])
    if environ.get("KUBERNETES_SERVICE_HOST") and SERVICE_ACCOUNT.joinpath("token").is_file():
        return _Found(kubeconfig.KubeConfig.from_service_account(SERVICE_ACCOUNT), {})
    raise errors.NoCluster(
        f"there is no cluster to talk to: {default} does not exist and this is no pod",
        hint="name a kubeconfig with --kubeconfig FILE or KUBECONFIG=FILE",
    )


def _from_files(files: list[pathlib.Path]) -> _Found:
    merged: dict[str, Any] = {"clusters": [], "contexts": [], "users": []}
    for file in files:
        document = yaml.safe_load(file.read_text())
        if not isinstance(document, dict):
            raise TypeError(f"{file} is no kubeconfig")
        if document.get("current-context"):
            merged.setdefault("current-context", document["current-context"])
        for section in ("clusters", "contexts", "users"):
            known = {each["name"] for each in merged[section]}
            found = [_anchored(each, file.parent) for each in document.get(section) or ()]
            merged[section] += [each for each in found if each["name"] not in known]
    return _Found(kubeconfig.KubeConfig.from_dict(merged), merged)


def _anchored(entry: dict[str, Any], folder: pathlib.Path) -> dict[str, Any]:
    """``entry`` with the files it names made absolute."""
    return {
        key: {name: _located(name, each, folder) for name, each in value.items()} if isinstance(value, dict) else value
        for key, value in entry.items()
    }


def _located(name: str, value: Any, folder: pathlib.Path) -> Any:
    if name in _FILE_FIELDS and value:
        return str(folder / value)
    # A program given by a path is found as a file is, one given by a bare name on the PATH.
    if name == "exec" and isinstance(value, dict) and os.sep in str(value.get("command") or ""):
        return {**value, "command": str(folder / value["command"])}
    return value


def _access(found: _Found, context: str, environ: Mapping[str, str]) -> Access:
    single = found.config.get(context or None)
    if single is None:
        raise exceptions.ConfigError("it has no current-context")
    raw_cluster, raw_user = found.cluster(single.context.cluster), found.user(single.context.user)
    if single.cluster.insecure and (single.cluster.certificate_auth or single.cluster.certificate_auth_data):
        raise exceptions.ConfigError("certificate-authority and insecure-skip-tls-verify exclude each other")
    server, user = single.cluster.server.rstrip("/"), single.user or models.User()
    tls = client_adapter.verify_cluster(single.cluster, user, single.abs_file)
    proxy, server_name = _proxy(server, raw_cluster, environ), str(raw_cluster.get("tls-server-name") or "")
    if proxy and server_name:
        raise exceptions.ConfigError("tls-server-name behind a proxy is not supported: use a server URL with that name")
    auth: httpx2.Auth | None
    if raw_user.get("exec"):
        auth = plugins.ExecAuth(plugins.Plugin.parse(raw_user["exec"], _told(single.cluster, raw_cluster)), tls)
    elif user.token_file:
        auth = tokens.TokenFileAuth(user.token_file, first=user.token or "")
    else:
        auth = client_adapter.user_auth(user)
    return Access(server, tls, auth, single.namespace, proxy, server_name, tuple(_impersonation(raw_user)))


def _impersonation(user: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Headers that ask the API to act as somebody else."""
    groups, extra = user.get("as-groups") or (), user.get("as-user-extra") or {}
    if not user.get("as"):
        if groups or extra or user.get("as-uid"):
            raise exceptions.ConfigError("as-groups, as-uid and as-user-extra want as: whose groups are they?")
        return
    yield "Impersonate-User", str(user["as"])
    if user.get("as-uid"):
        yield "Impersonate-Uid", str(user["as-uid"])
    for group in groups:
        yield "Impersonate-Group", str(group)
    for key, values in extra.items():
        for value in values:
            yield f"Impersonate-Extra-{parse.quote(key, safe='')}", str(value)


def _told(cluster: models.Cluster, raw: Mapping[str, Any]) -> dict[str, Any]:
    """What a plug-in learns of the cluster when it asks."""
    authority = cluster.certificate_auth_data
    if cluster.certificate_auth:
        authority = base64.b64encode(pathlib.Path(cluster.certificate_auth).read_bytes()).decode()
    extension: Mapping[str, Any] = next(
        (each for each in raw.get("extensions") or () if each.get("name") == _PLUGIN_EXTENSION), {}
    )
    told = {
        "server": cluster.server,
        "tls-server-name": raw.get("tls-server-name"),
        "insecure-skip-tls-verify": cluster.insecure,
        "certificate-authority-data": authority,
        "proxy-url": raw.get("proxy-url"),
        "config": extension.get("extension"),
    }
    return {key: value for key, value in told.items() if value}


def _proxy(server: str, cluster: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """The kubeconfig's proxy, else that of the environment; none before this machine unless the kubeconfig says so."""
    url = str(cluster.get("proxy-url") or "")
    if not url and not _is_loopback(server):
        lowered = {key.lower(): value for key, value in environ.items()}
        parts = parse.urlsplit(server)
        bypassed = _bypassed(parts.hostname or "", lowered.get("no_proxy", ""))
        url = "" if bypassed else lowered.get(f"{parts.scheme}_proxy") or lowered.get("all_proxy") or ""
    if url and parse.urlsplit(url).scheme not in ("http", "https"):
        raise exceptions.ConfigError(f"the proxy {url!r} is neither http:// nor https://")
    return url


def _bypassed(host: str, without: str) -> bool:
    """Whether ``NO_PROXY`` = ``without`` names ``host``: by a name, the end of a name, an address or a network."""
    for entry in (each.strip().lower() for each in without.split(",")):
        if entry == "*" or (entry and f".{host.lower()}".endswith(f".{entry.lstrip('*.')}")):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False


def _is_loopback(server: str) -> bool:
    host = parse.urlsplit(server).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
