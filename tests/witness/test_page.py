"""``docs/apiserver.md`` cannot lie: every row of its tables is asked of a running server."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from brickyard.embedded.apiserver import testing

pytestmark = pytest.mark.slow

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "apiserver.md"
ALL = "create delete deletecollection get list patch update watch"
SECTIONS = ("What works", "What is refused because it is wrong", "What Kubernetes has and this server has not")


def table(title: str) -> list[list[str]]:
    """The cells of the first table under a heading, its head left out."""
    lines = PAGE.read_text().split(f"# {title}\n", 1)[1].splitlines()
    rows = itertools.takewhile(
        lambda line: line.startswith("|"), itertools.dropwhile(lambda line: not line.startswith("|"), lines)
    )
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in rows][2:]


@dataclasses.dataclass(frozen=True)
class Row:
    what: str
    method: str
    path: str
    media: str
    body: str
    code: int
    says: str

    @classmethod
    def of(cls, cells: list[str]) -> Row:
        what, request, media, body, code, says = cells
        method, path = request.strip("`").split(" ", 1)
        return cls(
            what, method, path.replace("…", "/api/v1/namespaces/default"), media, body.strip("`"), int(code), says
        )

    def headers(self) -> dict[str, str]:
        name, _, value = self.media.partition(" ")
        if name in ("accept", "authorization", "impersonate-user"):
            return {name: value}
        return {"content_type": self.media} if self.media else {}


def test_the_tables_are_read() -> None:
    assert len(table("Kinds")) > 40
    assert [len(table(title)) > 10 for title in SECTIONS] == [True] * 3


async def test_kinds(tmp_path: pathlib.Path) -> None:
    async with testing.running(tmp_path) as server, testing.connect(server) as api:
        served = sorted([row async for row in discovered(api)])
    assert sorted(table("Kinds")) == served


async def discovered(api: testing.Api) -> Any:
    """What discovery tells, as rows of the page."""
    groups = (await api.get("/apis")).body["groups"]
    for version in ["v1", *(each["groupVersion"] for group in groups for each in group["versions"])]:
        base = "/api/v1" if version == "v1" else f"/apis/{version}"
        for row in rows(version, (await api.get(base)).body["resources"]):
            yield row


def rows(version: str, found: list[dict[str, Any]]) -> Iterator[list[str]]:
    for each in found:
        if "/" in each["name"]:
            continue
        parts = sorted(
            part for kind, _, part in (other["name"].partition("/") for other in found) if part and kind == each["name"]
        )
        verbs = " ".join(sorted(each["verbs"]))
        scope = "namespace" if each["namespaced"] else "cluster"
        yield [version, each["name"], each["kind"], scope, "all" if verbs == ALL else verbs, " ".join(parts)]


async def test_every_listed_kind_answers(tmp_path: pathlib.Path) -> None:
    async with testing.running(tmp_path) as server, testing.connect(server) as api:
        for version, name, kind, scope, verbs, _ in table("Kinds"):
            namespace = "namespaces/default/" if scope == "namespace" else ""
            path = f"{'/api' if version == 'v1' else '/apis'}/{version}/{namespace}{name}"
            reply = await api.get(path)
            if verbs == "all":
                assert (reply.code, reply.body["kind"]) == (200, f"{kind}List"), path
            else:
                # What is posted cannot be read; what is measured needs a node agent, which this server has not.
                assert reply.code == (503 if verbs == "get list" else 405), path


@pytest.mark.parametrize("section", SECTIONS)
async def test_answers(tmp_path: pathlib.Path, section: str) -> None:
    async with testing.running(tmp_path) as server, testing.connect(server) as api:
        await api.created(
            "/api/v1/namespaces/default/pods",
            {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        )
        wrong = []
        for row in map(Row.of, table(section)):
            reply = await api.client.request(
                row.method,
                row.path,
                content=row.body.encode() or None,
                headers={name.replace("_", "-"): value for name, value in row.headers().items()},
            )
            if reply.status_code != row.code or row.says not in said(reply):
                wrong.append((row.what, reply.status_code, said(reply)[:200]))
    assert wrong == []


def said(reply: Any) -> str:
    """The message of a refusal; the text of everything else."""
    text: str = reply.text
    if reply.status_code >= 400:
        text = reply.json()["message"]
    return text
