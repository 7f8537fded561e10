from __future__ import annotations

import base64
import pathlib
import socket
import ssl
import threading

import pytest
import yaml

from brickyard.embedded.apiserver import certs

NOW = 1_800_000_000.0
DAY = 86400.0


def test_a_client_that_trusts_the_authority_completes_a_handshake(tmp_path: pathlib.Path) -> None:
    made = certs.ensure(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.cert_file, made.key_file)
    client = ssl.create_default_context(cadata=made.ca_pem)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_once, args=(listener, server))
        thread.start()
        try:
            with (
                socket.create_connection(listener.getsockname(), timeout=5) as raw,
                client.wrap_socket(raw, server_hostname="127.0.0.1") as wrapped,
            ):
                assert wrapped.recv(2) == b"ok"
        finally:
            thread.join(timeout=5)
    assert not thread.is_alive()


def _answer_once(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    with context.wrap_socket(connection, server_side=True) as wrapped:
        wrapped.sendall(b"ok")


def test_files_are_the_owners_alone(tmp_path: pathlib.Path) -> None:
    certs.ensure(tmp_path)
    files = sorted((tmp_path / "pki").iterdir())
    assert [file.name for file in files] == ["ca.crt", "ca.key", "server.crt", "server.key"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_second_start_keeps_everything(tmp_path: pathlib.Path) -> None:
    first = certs.ensure(tmp_path, NOW)
    before = first.cert_file.read_bytes()
    second = certs.ensure(tmp_path, NOW + 300 * DAY)
    assert second == first
    assert second.cert_file.read_bytes() == before


@pytest.mark.parametrize(
    ("days", "same_authority"),
    [(336, True), (400, True), (3649, False), (-1, False)],
    ids=["server near its end", "server expired", "authority near its end", "clock went back"],
)
def test_what_nears_its_end_is_renewed(tmp_path: pathlib.Path, days: int, same_authority: bool) -> None:
    first = certs.ensure(tmp_path, NOW)
    before = first.cert_file.read_bytes()
    second = certs.ensure(tmp_path, NOW + days * DAY)
    assert second.cert_file.read_bytes() != before
    assert (second.ca_pem == first.ca_pem) is same_authority


@pytest.mark.parametrize("damage", ["server.crt", "server.key"])
def test_a_damaged_server_pair_is_replaced(tmp_path: pathlib.Path, damage: str) -> None:
    first = certs.ensure(tmp_path, NOW)
    (tmp_path / "pki" / damage).write_text("not a pem")
    second = certs.ensure(tmp_path, NOW)
    assert second.ca_pem == first.ca_pem
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(second.cert_file, second.key_file)


def test_a_key_that_is_not_the_certificates_is_replaced(tmp_path: pathlib.Path) -> None:
    certs.ensure(tmp_path / "a", NOW)
    other = certs.ensure(tmp_path / "b", NOW)
    (tmp_path / "a" / "pki" / "server.key").write_bytes(other.key_file.read_bytes())
    again = certs.ensure(tmp_path / "a", NOW)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(again.cert_file, again.key_file)


def test_a_new_authority_brings_a_new_server_certificate(tmp_path: pathlib.Path) -> None:
    first = certs.ensure(tmp_path, NOW)
    before = first.cert_file.read_bytes()
    (tmp_path / "pki" / "ca.key").unlink()
    second = certs.ensure(tmp_path, NOW)
    assert second.ca_pem != first.ca_pem
    assert second.cert_file.read_bytes() != before


def test_the_kubeconfig_names_the_server_and_carries_authority_and_token(tmp_path: pathlib.Path) -> None:
    made = certs.ensure(tmp_path)
    document = yaml.safe_load(certs.kubeconfig("https://127.0.0.1:6443", made.ca_pem, "secret-token"))
    (cluster,) = document["clusters"]
    assert cluster["cluster"]["server"] == "https://127.0.0.1:6443"
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode() == made.ca_pem
    assert document["users"] == [{"name": "brickyard", "user": {"token": "secret-token"}}]
    assert document["current-context"] == document["contexts"][0]["name"]
    assert document["contexts"][0]["context"]["namespace"] == "default"
