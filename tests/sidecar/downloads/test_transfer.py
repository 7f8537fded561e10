import asyncio
import hashlib
import os
import pathlib

import pytest

from brickyard.lib import backoff
from brickyard.sidecar.downloads import errors, remote, testing_server, transfer, web

CONTENT = os.urandom(3_000_000)
SHA = hashlib.sha256(CONTENT).hexdigest()
QUICK = transfer.Patience(stall=5, failures=3, pause=backoff.Backoff(0.001, 1, 0.001), longest=0.01)
Fault, File, Reply = testing_server.Fault, testing_server.File, testing_server.Reply


class Case:
    """One file of one server, fetched to one place."""

    def __init__(self, server: testing_server.Server, target: pathlib.Path) -> None:
        self.server = server
        self.target = target
        self.moves: list[int] = []
        self.patience = QUICK

    async def fetch(self, size: int | None = None, sha256: str = "", git_oid: str = "") -> bytes:
        async with web.client() as http:
            origin = web.WebOrigin(http, f"{self.server.url}/a.bin", "a.bin")
            piece = remote.Piece("a.bin", origin, size, sha256, git_oid)
            found = await transfer.download(piece, self.target, self.moves.append, self.patience)
        content = found.path.read_bytes()
        assert (found.size, found.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert sum(self.moves) == len(content)
        return content


@pytest.fixture
async def case(tmp_path: pathlib.Path):  # type: ignore[no-untyped-def]  # noqa: ANN201 - an async generator of Case
    async with testing_server.Server() as server:
        server.files["/a.bin"] = File(CONTENT)
        async with asyncio.timeout(60):
            yield Case(server, tmp_path / "draft")


async def test_a_file_arrives(case: Case) -> None:
    assert await case.fetch(len(CONTENT), SHA) == CONTENT
    assert case.server.ranges() == [""]


async def test_an_empty_file_is_one(case: Case) -> None:
    case.server.files["/a.bin"] = File(b"")
    assert await case.fetch() == b""


async def test_a_cut_goes_on_where_it_was(case: Case) -> None:
    case.server.faults += [Fault(cut=1_000_000), Fault(cut=500_000)]
    assert await case.fetch(None, SHA) == CONTENT
    assert case.server.ranges() == ["", "bytes=1000000-", "bytes=1500000-"]
    assert case.server.sent == len(CONTENT)


async def test_a_stall_is_a_cut(case: Case) -> None:
    case.patience = transfer.Patience(stall=0.2, failures=2, pause=QUICK.pause)
    case.server.faults.append(Fault(stall=1_200_000))
    assert await case.fetch() == CONTENT
    assert case.server.ranges() == ["", "bytes=1200000-"]


async def test_a_silent_server_is_given_up(case: Case) -> None:
    case.patience = transfer.Patience(stall=0.05, failures=2, pause=QUICK.pause)
    case.server.faults += [Fault(stall=0)] * 3
    with pytest.raises(errors.UnreachableError, match=r"a\.bin: nothing came for 0\.05 s"):
        await case.fetch()
    assert len(case.server.asked) == 3


async def test_progress_renews_patience(case: Case) -> None:
    case.server.faults += [Fault(cut=100_000)] * 20
    assert await case.fetch() == CONTENT
    assert len(case.server.asked) == 21


async def test_content_that_changed_is_begun_anew(case: Case) -> None:
    case.server.faults.append(Fault(cut=1_000_000))
    other = CONTENT[::-1]

    def changed(ask: testing_server.Ask) -> None:
        if len(case.server.asked) == 2:
            case.server.files["/a.bin"] = File(other)

    case.server.answer = changed
    assert await case.fetch() == other
    assert case.server.ranges() == ["", "bytes=1000000-"]
    assert -1_000_000 in case.moves


@pytest.mark.parametrize("file", [File(CONTENT, etag=""), File(CONTENT, etag='W/"weak"'), File(CONTENT, ranges=False)])
async def test_without_a_strong_name_or_ranges_it_begins_anew(case: Case, file: testing_server.File) -> None:
    case.server.files["/a.bin"] = file
    case.server.faults.append(Fault(cut=1_000_000))
    assert await case.fetch() == CONTENT
    assert case.server.sent == len(CONTENT) + 1_000_000


async def test_a_later_process_goes_on(case: Case) -> None:
    case.server.faults += [Fault(cut=2_000_000), *[Fault(cut=0)] * 3]
    with pytest.raises(errors.UnreachableError):
        await case.fetch()
    case.server.asked.clear()
    case.moves.clear()
    assert await case.fetch() == CONTENT
    assert case.server.ranges() == ["bytes=2000000-"]
    assert case.moves[0] == 2_000_000


async def test_a_complete_draft_needs_no_server(case: Case) -> None:
    await case.fetch()
    case.server.asked.clear()
    case.moves.clear()
    assert await case.fetch(len(CONTENT), SHA) == CONTENT
    assert case.server.asked == []


async def test_a_draft_without_its_state_is_worth_nothing(case: Case) -> None:
    case.target.write_bytes(b"x" * 1000)
    assert await case.fetch() == CONTENT
    assert case.server.ranges() == [""]


async def test_a_draft_that_is_too_long_is_worth_nothing(case: Case) -> None:
    await case.fetch()
    with case.target.open("ab") as file:
        file.write(b"more")
    case.moves.clear()
    assert await case.fetch() == CONTENT


async def test_a_damaged_state_is_none(case: Case) -> None:
    await case.fetch()
    state = case.target.with_name("draft.state")
    state.write_bytes(b'{"validator": 5, "total": "x"}')
    case.moves.clear()
    assert await case.fetch() == CONTENT


async def test_a_draft_of_another_content_is_fetched_anew(case: Case) -> None:
    await case.fetch()
    case.moves.clear()
    async with web.client() as http:
        origin = web.WebOrigin(http, f"{case.server.url}/a.bin", "a.bin")
        case.server.files["/a.bin"] = File(b"new", etag='"new"')
        piece = remote.Piece("a.bin", origin, 3, validator='"new"')
        found = await transfer.download(piece, case.target, case.moves.append, QUICK)
    assert found.path.read_bytes() == b"new"


async def test_more_than_announced_is_refused(case: Case) -> None:
    with pytest.raises(errors.CorruptError, match=r"has 3000000 bytes where 1000 were announced"):
        await case.fetch(1000)


async def test_more_than_the_length_without_a_length(case: Case) -> None:
    case.server.faults += [Fault(length=-1)] * 4
    with pytest.raises(errors.CorruptError, match="more than the announced 1000 bytes came"):
        await case.fetch(1000)


async def test_a_length_that_promises_too_much(case: Case) -> None:
    case.server.faults += [Fault(length=4_000_000)] * 20
    with pytest.raises(errors.DownloadError) as caught:
        await case.fetch()
    assert caught.value.passing
    assert len(case.server.asked) < 8


async def test_a_wrong_checksum_leaves_nothing(case: Case) -> None:
    with pytest.raises(errors.CorruptError, match=f"has the checksum {SHA} where {'0' * 64} was announced"):
        await case.fetch(None, "0" * 64)
    assert case.target.stat().st_size == 0
    assert len(case.server.asked) == 4


async def test_damage_on_the_way_is_mended_by_another_try(case: Case) -> None:
    case.server.faults.append(Fault(reply=Reply(200, {"etag": '"a"'}, CONTENT[::-1])))
    assert await case.fetch(len(CONTENT), SHA) == CONTENT


async def test_gits_own_checksum(case: Case) -> None:
    name = hashlib.sha1(b"blob 3000000\0" + CONTENT).hexdigest()
    assert await case.fetch(len(CONTENT), git_oid=name) == CONTENT
    case.target.unlink()
    with pytest.raises(errors.CorruptError, match="is not the file that its repository names"):
        await case.fetch(len(CONTENT), git_oid="0" * 40)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_busy_server_is_asked_again(case: Case, status: int) -> None:
    case.server.faults.append(Fault(reply=Reply(status, {"retry-after": "1000000"})))
    assert await case.fetch() == CONTENT
    assert len(case.server.asked) == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.AccessDeniedError),
        (403, errors.AccessDeniedError),
        (404, errors.ModelNotFoundError),
        (410, errors.ModelNotFoundError),
        (204, errors.DownloadError),
        (418, errors.DownloadError),
    ],
)
async def test_a_refusal_is_final(case: Case, status: int, kind: type[errors.DownloadError]) -> None:
    case.server.faults.append(Fault(reply=Reply(status)))
    with pytest.raises(kind, match=str(status)) as caught:
        await case.fetch()
    assert type(caught.value) is kind
    assert len(case.server.asked) == 1


async def test_a_server_with_less_than_before(case: Case) -> None:
    case.server.faults += [Fault(cut=1_000_000), Fault(reply=Reply(416))]
    assert await case.fetch() == CONTENT


async def test_another_part_than_asked_for(case: Case) -> None:
    wrong = Reply(206, {"content-range": "bytes 5-9/3000000", "etag": '"x"'}, b"56789")
    case.server.faults += [Fault(cut=1_000_000), Fault(reply=wrong)]
    assert await case.fetch(None, SHA) == CONTENT


async def test_nobody_there(tmp_path: pathlib.Path) -> None:
    async with testing_server.Server() as server:
        url = server.url
    case = Case(server, tmp_path / "draft")
    with pytest.raises(errors.UnreachableError, match=r"a\.bin cannot be reached: .*Check the network and the proxy"):
        await case.fetch()
    assert url.startswith("http://127.0.0.1:")


async def test_cancelling_keeps_what_came(case: Case) -> None:
    case.server.faults.append(Fault(stall=2_500_000))
    work = asyncio.create_task(case.fetch())
    while sum(case.moves) < 2_000_000:
        await asyncio.sleep(0.005)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    case.server.asked.clear()
    case.moves.clear()
    assert await case.fetch() == CONTENT
    assert case.server.ranges()[0].startswith("bytes=2")


async def test_a_small_file_in_memory(case: Case) -> None:
    async with web.client() as http:
        origin = web.WebOrigin(http, f"{case.server.url}/a.bin", "a.bin")
        case.server.faults += [Fault(cut=10), Fault(reply=Reply(503))]
        assert await transfer.whole(origin, 4_000_000, QUICK) == CONTENT
        with pytest.raises(errors.DownloadError, match="more than 1 MiB came"):
            await transfer.whole(origin, 1 << 20, QUICK)
        case.server.faults += [Fault(reply=Reply(503))] * 4
        with pytest.raises(errors.BusyError):
            await transfer.whole(origin, 4_000_000, QUICK)
