"""Redirects, credentials and what is said of a refusal."""

import email.utils

import httpx2
import pytest

from brickyard.sidecar.downloads import errors, references, testing_server, web

File, Reply, Server = testing_server.File, testing_server.Reply, testing_server.Server
TOKEN = {"Authorization": "Bearer t0k3n"}


async def read(url: str) -> bytes:
    async with web.client() as http, web.WebOrigin(http, url, "it", TOKEN).open(0, "") as answer:
        return b"".join([chunk async for chunk in answer.chunks])


async def test_redirects_on_the_same_server_keep_the_token() -> None:
    async with Server() as server:
        server.files["/b"] = File(b"content")
        server.answer = lambda ask: Reply(302, {"location": "/b"}) if ask.path == "/a" else None
        assert await read(f"{server.url}/a") == b"content"
        assert [ask.headers.get("authorization") for ask in server.asked] == ["Bearer t0k3n"] * 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_token_stays_where_it_belongs(status: int) -> None:
    async with Server() as server, Server() as other:
        other.files["/b"] = File(b"content")
        server.answer = lambda _: Reply(status, {"location": f"{other.url}/b?signed=1"})
        assert await read(f"{server.url}/a") == b"content"
        assert server.asked[0].headers["authorization"] == "Bearer t0k3n"
        assert "authorization" not in other.asked[0].headers
        assert "cookie" not in other.asked[0].headers
        assert other.asked[0].query == "signed=1"


async def test_a_password_of_the_address_stays_too() -> None:
    async with Server() as server, Server() as other:
        other.files["/b"] = File(b"content")
        server.answer = lambda _: Reply(302, {"location": f"{other.url}/b", "set-cookie": "a=b"})
        url = server.url.replace("http://", "http://user:secret@")
        async with web.client() as http:
            found = await web.Web(http).contents(references.WebFile(f"{url}/a"))
            async with found.pieces[0].origin.open(0, "") as answer:
                assert b"".join([chunk async for chunk in answer.chunks]) == b"content"
        assert server.asked[0].headers["authorization"].startswith("Basic ")
        assert not {"authorization", "cookie"} & other.asked[0].headers.keys()
        assert "secret" not in found.pieces[0].origin.label


async def test_ranges_travel_with_a_redirect() -> None:
    async with Server() as server, Server() as other:
        other.files["/b"] = File(b"0123456789", etag='"x"')
        server.answer = lambda _: Reply(302, {"location": f"{other.url}/b"})
        async with web.client() as http, web.WebOrigin(http, f"{server.url}/a", "it").open(4, '"x"') as answer:
            assert (answer.start, answer.total) == (4, 10)
            assert b"".join([chunk async for chunk in answer.chunks]) == b"456789"


async def test_a_circle_ends() -> None:
    async with Server(lambda _: Reply(302, {"location": "/a"})) as server:
        with pytest.raises(errors.DownloadError, match="redirects more than 10 times"):
            await read(f"{server.url}/a")
        assert len(server.asked) == 10


@pytest.mark.parametrize("location", ["ftp://elsewhere/b", "file:///etc/passwd"])
async def test_other_schemes_are_not_followed(location: str) -> None:
    async with Server(lambda _: Reply(302, {"location": location})) as server:
        with pytest.raises(errors.DownloadError, match=r"redirects to (ftp|file)://, which is not followed"):
            await read(f"{server.url}/a")


async def test_https_does_not_become_http() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(302, headers={"location": "http://plain.example/b"}, request=request)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        with pytest.raises(errors.DownloadError, match="redirects to http://"):
            async with web.followed(http, "https://safe.example/a", {}):
                pytest.fail("it was followed")


async def test_what_comes_compressed_all_the_same() -> None:
    import gzip  # noqa: PLC0415 - here only

    body = gzip.compress(b"content")
    async with Server(lambda _: Reply(200, {"content-encoding": "gzip", "etag": '"x"'}, body)) as server:
        async with web.client() as http, web.WebOrigin(http, f"{server.url}/a", "it").open(0, "") as answer:
            assert (answer.total, answer.validator) == (None, "")
            assert b"".join([chunk async for chunk in answer.chunks]) == b"content"
        assert server.asked[0].headers["accept-encoding"] == "identity"


async def test_an_impossible_address() -> None:
    with pytest.raises(errors.InvalidReferenceError, match="it is no address"):
        await read("nowhere:/x")


NOW = 1_700_000_000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": email.utils.formatdate(NOW + 9), "date": email.utils.formatdate(NOW)}, 9.0),
        ({"retry-after": email.utils.formatdate(NOW - 9), "date": email.utils.formatdate(NOW)}, 0.0),
        ({"retry-after": email.utils.formatdate(NOW)}, 0.0),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float) -> None:
    assert web.after(httpx2.Response(503, headers=headers)) == seconds
