from __future__ import annotations

import base64
import pathlib
from typing import Any

import httpx2
import pytest
import trustme
import yaml

from brickyard.kube.client import errors, kubeconfig, plugins
from brickyard.lib import errors as roots

AUTHORITY = trustme.CA()


def cluster(**fields: Any) -> dict[str, Any]:
    return {"server": "https://cluster:6443", **fields}


def document(**user: Any) -> dict[str, Any]:
    return {
        "clusters": [{"name": "c", "cluster": cluster()}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }


def write(path: pathlib.Path, content: object) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(autouse=True)
def nowhere(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeconfig, "DEFAULT_PATH", tmp_path / "home" / "config")
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", tmp_path / "account")


def headers(auth: httpx2.Auth | None) -> httpx2.Headers:
    assert auth is not None
    request = httpx2.Request("GET", "https://cluster:6443/api")
    return next(auth.sync_auth_flow(request)).headers


def test_a_token(tmp_path: pathlib.Path) -> None:
    access = kubeconfig.load(write(tmp_path / "k", document(token="secret")))
    assert (access.server, access.namespace) == ("https://cluster:6443", "default")
    assert headers(access.auth)["Authorization"] == "Bearer secret"


def test_a_name_and_a_password(tmp_path: pathlib.Path) -> None:
    access = kubeconfig.load(write(tmp_path / "k", document(username="me", password="pw")))
    assert headers(access.auth)["Authorization"] == "Basic " + base64.b64encode(b"me:pw").decode()


def test_a_token_file_is_read_again_when_it_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "token").write_text("old\n")
    access = kubeconfig.load(write(tmp_path / "k", document(tokenFile="token")))
    assert access.auth is not None
    flow = access.auth.sync_auth_flow(httpx2.Request("GET", "https://cluster:6443/api"))
    assert next(flow).headers["Authorization"] == "Bearer old"
    (tmp_path / "token").write_text("new\n")
    assert flow.send(httpx2.Response(401)).headers["Authorization"] == "Bearer new"


def test_a_client_certificate_in_files_beside_the_kubeconfig(tmp_path: pathlib.Path) -> None:
    leaf = AUTHORITY.issue_cert("me")
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    content = document(**{"client-certificate": "cert.pem", "client-key": "key.pem"})
    content["clusters"][0]["cluster"]["certificate-authority"] = "ca.pem"
    access = kubeconfig.load(write(tmp_path / "k", content))
    assert access.auth is None
    assert access.tls.get_ca_certs()


def test_a_client_certificate_inside_the_kubeconfig(tmp_path: pathlib.Path) -> None:
    leaf = AUTHORITY.issue_cert("me")
    certificate = base64.b64encode(leaf.cert_chain_pems[0].bytes()).decode()
    key = base64.b64encode(leaf.private_key_pem.bytes()).decode()
    content = document(**{"client-certificate-data": certificate, "client-key-data": key})
    assert kubeconfig.load(write(tmp_path / "k", content)).auth is None


def test_verification_can_be_turned_off(tmp_path: pathlib.Path) -> None:
    content = document(token="t")
    content["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
    assert not kubeconfig.load(write(tmp_path / "k", content)).tls.check_hostname


def test_the_contexts_namespace(tmp_path: pathlib.Path) -> None:
    content = document(token="t")
    content["contexts"][0]["context"]["namespace"] = "mine"
    assert kubeconfig.load(write(tmp_path / "k", content)).namespace == "mine"


def test_files_of_the_variable_are_merged_and_the_first_wins(tmp_path: pathlib.Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "token").write_text("from-b")
    first = {"clusters": [{"name": "c", "cluster": cluster(server="https://first:1/")}], "current-context": "x"}
    second = {**document(tokenFile="token"), "current-context": "other"}
    paths = [write(tmp_path / "a" / "k", first), tmp_path / "absent", write(tmp_path / "b" / "k", second)]
    access = kubeconfig.load(environ={"KUBECONFIG": ":".join(map(str, paths))})
    assert access.server == "https://first:1"
    assert headers(access.auth)["Authorization"] == "Bearer from-b"


def test_a_path_comes_before_the_variable_and_that_before_the_home(tmp_path: pathlib.Path) -> None:
    def at(server: str) -> dict[str, Any]:
        return {**document(token="t"), "clusters": [{"name": "c", "cluster": cluster(server=server)}]}

    home = write(tmp_path / "home" / "config", at("https://home"))
    variable = write(tmp_path / "variable", at("https://variable"))
    path = write(tmp_path / "path", at("https://path"))
    environ = {"KUBECONFIG": str(variable)}
    assert kubeconfig.load(path, environ).server == "https://path"
    assert kubeconfig.load(None, environ).server == "https://variable"
    assert kubeconfig.load(None, {}).server == "https://home"
    assert home.is_file()


def test_inside_a_pod_its_service_account_is_used(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("rotating")
    (account / "namespace").write_text("mine")
    AUTHORITY.cert_pem.write_to_path(str(account / "ca.crt"))
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    access = kubeconfig.load(None, environ)
    assert (access.server, access.namespace) == ("https://[fd00::1]:443", "mine")
    assert headers(access.auth)["Authorization"] == "Bearer rotating"


@pytest.mark.parametrize(
    ("server", "loopback"),
    [
        ("https://127.0.0.1:6443", True),
        ("https://127.8.9.1", True),
        ("https://[::1]:6443", True),
        ("https://localhost:6443", True),
        ("https://10.0.0.1", False),
        ("https://cluster.example", False),
    ],
)
def test_no_proxy_stands_before_this_machine(tmp_path: pathlib.Path, server: str, loopback: bool) -> None:
    content = {**document(token="t"), "clusters": [{"name": "c", "cluster": cluster(server=server)}]}
    assert kubeconfig.load(write(tmp_path / "k", content)).is_loopback is loopback


def test_without_any_the_next_step_is_told() -> None:
    with pytest.raises(errors.NoCluster, match="no cluster to talk to") as failed:
        kubeconfig.load(None, {})
    assert "--kubeconfig" in failed.value.hint
    assert isinstance(failed.value, roots.UsageError)


@pytest.mark.parametrize(
    "content",
    [
        "text",
        [],
        {},
        {"contexts": []},
        {**document(token="t"), "current-context": "absent"},
        {**document(token="t"), "users": []},
        {**document(token="t"), "clusters": [{"cluster": {}}]},
        {**document(token="t"), "clusters": [{"name": "c", "cluster": {"server": 7}}]},
        {**document(token="t"), "clusters": [{"name": "c", "cluster": cluster(**{"certificate-authority": "absent"})}]},
        document(**{"auth-provider": {"name": "gcp"}}),
        document(**{"client-certificate-data": "AAAA", "client-key-data": "AAAA"}),
        document(exec={"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}),
    ],
)
def test_a_broken_file_is_told_by_name(tmp_path: pathlib.Path, content: object) -> None:
    with pytest.raises(errors.KubeconfigError):
        kubeconfig.load(write(tmp_path / "broken", content))


def test_a_file_that_is_no_yaml(tmp_path: pathlib.Path) -> None:
    (tmp_path / "broken").write_text("{")
    with pytest.raises(errors.KubeconfigError, match="broken"):
        kubeconfig.load(tmp_path / "broken")


def test_a_file_that_is_not_there(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.KubeconfigError, match="absent"):
        kubeconfig.load(tmp_path / "absent")
    with pytest.raises(errors.KubeconfigError, match="absent"):
        kubeconfig.load(None, {"KUBECONFIG": str(tmp_path / "absent")})


def test_a_plug_in_is_taken(tmp_path: pathlib.Path) -> None:
    content = document(exec={"apiVersion": "client.authentication.k8s.io/v1", "command": "login"})
    assert isinstance(kubeconfig.load(write(tmp_path / "k", content)).auth, plugins.ExecAuth)


# What lightkube's types leave out.


def test_a_plug_in_given_by_a_path_is_found_beside_the_file(tmp_path: pathlib.Path) -> None:
    def command(given: str) -> str:
        content = document(exec={"apiVersion": plugins.VERSIONS[0], "command": given})
        auth = kubeconfig.load(write(tmp_path / "k", content)).auth
        assert isinstance(auth, plugins.ExecAuth)
        return auth.plugin.command

    assert command("login") == "login"
    assert command("./bin/login") == str(tmp_path / "bin" / "login")
    assert command("/usr/bin/login") == "/usr/bin/login"


def test_a_plug_in_that_asks_is_told_of_the_cluster(tmp_path: pathlib.Path) -> None:
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    asks = {"apiVersion": plugins.VERSIONS[0], "command": "login", "provideClusterInfo": True}
    content = document(exec=asks)
    content["clusters"][0]["cluster"] |= {
        "certificate-authority": "ca.pem",
        "tls-server-name": "inner",
        "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}],
    }
    access = kubeconfig.load(write(tmp_path / "k", content))
    assert isinstance(access.auth, plugins.ExecAuth)
    assert access.auth.plugin.cluster == {
        "server": "https://cluster:6443",
        "tls-server-name": "inner",
        "certificate-authority-data": base64.b64encode(AUTHORITY.cert_pem.bytes()).decode(),
        "config": {"audience": "a"},
    }


def test_another_context_can_be_asked_for(tmp_path: pathlib.Path) -> None:
    content = document(token="t")
    content["clusters"].append({"name": "d", "cluster": cluster(server="https://other")})
    content["contexts"].append({"name": "y", "context": {"cluster": "d", "user": "u", "namespace": "n"}})
    path = write(tmp_path / "k", content)
    access = kubeconfig.load(path, context="y")
    assert (access.server, access.namespace) == ("https://other", "n")
    with pytest.raises(errors.KubeconfigError, match="'z' not found"):
        kubeconfig.load(path, context="z")


def test_whom_to_act_as(tmp_path: pathlib.Path) -> None:
    user = {"as": "jane", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": {"x/y": ["1", "2"]}}
    access = kubeconfig.load(write(tmp_path / "k", document(token="t", **user)))
    assert access.headers == (
        ("Impersonate-User", "jane"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-x%2Fy", "1"),
        ("Impersonate-Extra-x%2Fy", "2"),
    )
    with pytest.raises(errors.KubeconfigError, match="want as"):
        kubeconfig.load(write(tmp_path / "k", document(token="t", **{"as-groups": ["a"]})))


def test_the_kubeconfigs_proxy_comes_before_that_of_the_environment(tmp_path: pathlib.Path) -> None:
    content = document(token="t")
    path = write(tmp_path / "k", content)
    environ = {"HTTPS_PROXY": "http://env:1"}
    assert kubeconfig.load(path, {}).proxy == ""
    assert kubeconfig.load(path, environ).proxy == "http://env:1"
    content["clusters"][0]["cluster"]["proxy-url"] = "http://own:2"
    assert kubeconfig.load(write(tmp_path / "k", content), environ).proxy == "http://own:2"
    content["clusters"][0]["cluster"]["proxy-url"] = "socks5://own:2"
    with pytest.raises(errors.KubeconfigError, match="socks5"):
        kubeconfig.load(write(tmp_path / "k", content))
    content["clusters"][0]["cluster"] |= {"proxy-url": "http://own:2", "tls-server-name": "x"}
    with pytest.raises(errors.KubeconfigError, match="behind a proxy"):
        kubeconfig.load(write(tmp_path / "k", content))


@pytest.mark.parametrize(
    ("server", "without", "proxied"),
    [
        ("https://api.example.com", "", True),
        ("https://api.example.com", "example.com", False),
        ("https://api.example.com", "a.com, .example.com", False),
        ("https://api.example.com", "*.example.com", False),
        ("https://notexample.com", "example.com", True),
        ("https://api.example.com", "*", False),
        ("https://10.1.2.3", "10.0.0.0/8", False),
        ("https://11.1.2.3", "10.0.0.0/8", True),
        ("https://[fd00::1]", "fd00::/8", False),
        ("https://127.0.0.1:6443", "", False),
    ],
)
def test_whom_no_proxy_stands_before(tmp_path: pathlib.Path, server: str, without: str, proxied: bool) -> None:
    content = {**document(token="t"), "clusters": [{"name": "c", "cluster": cluster(server=server)}]}
    access = kubeconfig.load(write(tmp_path / "k", content), {"https_proxy": "http://p:1", "NO_PROXY": without})
    assert bool(access.proxy) is proxied


def test_trust_cannot_be_given_and_turned_off(tmp_path: pathlib.Path) -> None:
    content = document(token="t")
    content["clusters"][0]["cluster"] |= {
        "insecure-skip-tls-verify": True,
        "certificate-authority-data": base64.b64encode(AUTHORITY.cert_pem.bytes()).decode(),
    }
    with pytest.raises(errors.KubeconfigError, match="exclude each other"):
        kubeconfig.load(write(tmp_path / "k", content))
