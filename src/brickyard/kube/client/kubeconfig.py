"""From a kubeconfig, or from inside a cluster, to what a connection needs: server, TLS and credentials.

Reading contexts and most kinds of credentials is lightkube's; exec plug-ins are ours (``plugins``), because today's plug-ins speak
a version of the protocol that lightkube does not.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import pathlib
import ssl
from collections.abc import Mapping
from typing import Any
from urllib import parse

import httpx2
import yaml
from lightkube.config import client_adapter, kubeconfig, models
from lightkube.core import exceptions

from brickyard.kube.client import errors, plugins

DEFAULT_PATH = pathlib.Path("~/.kube/config")
SERVICE_ACCOUNT = pathlib.Path(kubeconfig.SERVICE_ACCOUNT)

# Fields of a kubeconfig that name files, relative to the file that has them.
_FILE_FIELDS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API.

    Attributes:
        server: base URL, without a slash at the end.
        tls: trust and client certificate.
        auth: what adds credentials to a request, None when the certificate says it all.
        namespace: the context's default namespace.
    """

    server: str
    tls: ssl.SSLContext
    auth: httpx2.Auth | None
    namespace: str

    @property
    def is_loopback(self) -> bool:
        """Whether the API is on this machine; no proxy stands in between then."""
        host = parse.urlsplit(self.server).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def load(path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None) -> Access:
    """Access as kubectl would find it.

    ``path``, else ``$KUBECONFIG`` (several files are merged, the first to name a thing wins), else ``~/.kube/config``, else the
    service account of the pod that this runs in.

    Raises:
        KubeconfigError: none of these is there, or what is there is not valid; the message says which.
    """
    environ = os.environ if environ is None else environ
    try:
        return _access(_find(path, environ))
    except (exceptions.ConfigError, ssl.SSLError, OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        where = path or environ.get("KUBECONFIG") or DEFAULT_PATH
        raise errors.KubeconfigError(
            f"cannot read the kubeconfig {where}: {error}",
            hint="try it with: kubectl --kubeconfig FILE version",
        ) from error


def _find(path: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> kubeconfig.KubeConfig:
    if path is not None:
        return _from_files([pathlib.Path(path).expanduser()])
    if environ.get("KUBECONFIG"):
        given = [pathlib.Path(each).expanduser() for each in environ["KUBECONFIG"].split(os.pathsep) if each]
        present = [each for each in given if each.is_file()]
        return _from_files(present or given)
    if (default := DEFAULT_PATH.expanduser()).is_file():
        return _from_files([default])
    if environ.get("KUBERNETES_SERVICE_HOST") and SERVICE_ACCOUNT.joinpath("token").is_file():
        return kubeconfig.KubeConfig.from_service_account(SERVICE_ACCOUNT)
    raise errors.KubeconfigError(
        f"there is no cluster to talk to: {default} does not exist and this is no pod",
        hint="name a kubeconfig with --kubeconfig FILE or KUBECONFIG=FILE",
    )


def _from_files(files: list[pathlib.Path]) -> kubeconfig.KubeConfig:
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
    return kubeconfig.KubeConfig.from_dict(merged)


def _anchored(entry: dict[str, Any], folder: pathlib.Path) -> dict[str, Any]:
    """``entry`` with the files it names made absolute."""
    return {
        key: {name: str(folder / each) if name in _FILE_FIELDS and each else each for name, each in value.items()}
        if isinstance(value, dict)
        else value
        for key, value in entry.items()
    }


def _access(config: kubeconfig.KubeConfig) -> Access:
    single = config.get()
    if single is None:
        raise exceptions.ConfigError("it has no current-context")
    user = single.user or models.User()
    auth = plugins.ExecAuth(user.exec) if user.exec else client_adapter.user_auth(user)
    tls = client_adapter.verify_cluster(single.cluster, user, single.abs_file)
    return Access(single.cluster.server.rstrip("/"), tls, auth, single.namespace)
