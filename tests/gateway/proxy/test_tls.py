"""The API over TLS, with real handshakes."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme
from tests.gateway.proxy.conftest import House, Start, until

from brickyard.gateway import errors, testing
from brickyard.gateway.proxy import tls

AUTHORITY = trustme.CA()


class Files:
    """A certificate and its key in files."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.cert, self.key = folder / "tls.crt", folder / "tls.key"

    def write(self, made: trustme.LeafCert, *, cert: bool = True, key: bool = True) -> None:
        if key:
            made.private_key_pem.write_to_path(self.key)
        if cert:
            self.cert.write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))


@pytest.fixture
def files(tmp_path: pathlib.Path) -> Files:
    found = Files(tmp_path)
    found.write(AUTHORITY.issue_cert("localhost"))
    return found


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


@contextlib.asynccontextmanager
async def connect(house: House, context: ssl.SSLContext | None = None) -> AsyncIterator[testing.RawClient]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", house.port, ssl=context or trusting(), server_hostname="localhost"
    )
    try:
        yield testing.RawClient(reader, writer)
    finally:
        writer.transport.abort()


async def begun(start: Start, files: Files, *scripts: testing.Script | None) -> House:
    return await start(*scripts, tls_cert=str(files.cert), tls_key=str(files.key))


async def serial(house: House) -> int:
    """The serial number of the certificate that a new connection sees."""
    async with connect(house) as client:
        shown = client.writer.get_extra_info("ssl_object").getpeercert()
        return int(shown["serialNumber"], 16)


async def test_requests_and_streams_over_one_connection(start: Start, files: Files) -> None:
    stream = [testing.EVENTS, testing.chunk(b"data: 1\n\n" * 9000), testing.LAST_CHUNK]
    house = await begun(start, files, lambda _: stream)
    async with connect(house) as client:
        for _ in range(3):
            client.send(testing.post())
            answer = await client.read()
            assert (answer.status, len(answer.body)) == (200, 81_000)
        assert client.writer.get_extra_info("ssl_object").version() == "TLSv1.3"
    await until(lambda: not house.plane.clients)


async def test_http_1_1_is_what_is_spoken(start: Start, files: Files) -> None:
    house = await begun(start, files)
    context = trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with connect(house, context) as client:
        assert client.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    await until(lambda: not house.plane.clients)


@pytest.mark.parametrize(
    ("version", "accepted"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
async def test_old_versions_are_refused(start: Start, files: Files, version: ssl.TLSVersion, accepted: bool) -> None:
    house = await begun(start, files)
    context = trusting()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    if accepted:
        async with connect(house, context) as client:
            client.send(testing.get("/healthz"))
            assert (await client.read()).status == 200
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with connect(house, context):
                pass
    await until(lambda: not house.plane.clients)


async def test_plain_http_gets_no_answer_and_harms_nobody(start: Start, files: Files) -> None:
    house = await begun(start, files)
    async with testing.connect(house.port) as plain:
        plain.send(testing.get("/healthz"))
        with contextlib.suppress(ConnectionError):
            assert not (await plain.reader.read()).startswith(b"HTTP/")
    async with connect(house) as client:
        client.send(testing.get("/healthz"))
        assert (await client.read()).status == 200
    await until(lambda: not house.plane.clients)


async def test_a_client_that_leaves_cancels(start: Start, files: Files) -> None:
    door = asyncio.Event()
    house = await begun(start, files, lambda _: [testing.Hold(door)])
    async with connect(house) as client:
        client.send(testing.post())
        await until(lambda: bool(house.director.open_leases))
        client.writer.close()
        await until(lambda: not house.director.open_leases)
    assert house.plane.metrics.cancelled == 1
    door.set()


async def test_a_refusal_in_the_middle_of_a_body_arrives(start: Start, files: Files) -> None:
    house = await start(tls_cert=str(files.cert), tls_key=str(files.key), max_body_bytes=1000)
    async with connect(house) as client:
        client.send(testing.post(b"x" * 200_000))
        assert (await client.read()).status == 413
    await until(lambda: not house.plane.clients)


async def test_a_changed_certificate_is_shown_to_new_connections(start: Start, files: Files) -> None:
    house = await begun(start, files)
    before = await serial(house)
    async with connect(house) as kept:
        files.write(AUTHORITY.issue_cert("localhost"))
        certificate = house.running.certificate
        assert certificate is not None
        certificate.look()
        assert await serial(house) != before
        kept.send(testing.get("/healthz"))
        assert (await kept.read()).status == 200
    await until(lambda: not house.plane.clients)


async def test_half_a_change_changes_nothing(start: Start, files: Files) -> None:
    house = await begun(start, files)
    certificate = house.running.certificate
    assert certificate is not None
    before, other = await serial(house), AUTHORITY.issue_cert("localhost")
    files.write(other, key=False)
    certificate.look()
    assert await serial(house) == before
    files.write(other, cert=False)
    certificate.look()
    assert await serial(house) != before
    files.cert.unlink()
    certificate.look()
    assert await serial(house) != before
    await until(lambda: not house.plane.clients)


@pytest.mark.parametrize("what", ["no key", "missing", "no pem", "another's key", "encrypted"])
def test_files_that_cannot_be_used_stop_the_start(files: Files, what: str) -> None:
    cert, key = str(files.cert), str(files.key)
    if what == "no key":
        key = ""
    elif what == "missing":
        files.key.unlink()
    elif what == "no pem":
        files.cert.write_text("hello")
    elif what == "another's key":
        files.write(AUTHORITY.issue_cert("localhost"), cert=False)
    else:
        text = files.key.read_text().replace(
            "PRIVATE KEY-----\n",
            "PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n",
            1,
        )
        files.key.write_text(text)
    with pytest.raises(errors.CertificateError):
        tls.Certificate(cert, key)
