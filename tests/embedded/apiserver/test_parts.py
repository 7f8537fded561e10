"""The pure parts: requests, media types, pages, deletion, ownership."""

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from brickyard.embedded.apiserver import (
    deletion,
    errors,
    media,
    ownership,
    paging,
    pieces,
    records,
    requests,
    strategies,
)
from brickyard.lib import timestamps

NOW = 1_700_000_000.0


class TestTarget:
    @pytest.mark.parametrize(
        ("path", "found"),
        [
            ("/api/v1/pods", requests.Target("", "v1", "pods")),
            ("/api/v1/namespaces", requests.Target("", "v1", "namespaces")),
            ("/api/v1/namespaces/a", requests.Target("", "v1", "namespaces", name="a")),
            ("/api/v1/namespaces/a/status", requests.Target("", "v1", "namespaces", "", "a", "status")),
            ("/api/v1/namespaces/a/finalize", requests.Target("", "v1", "namespaces", "", "a", "finalize")),
            ("/api/v1/namespaces/a/pods", requests.Target("", "v1", "pods", "a")),
            ("/api/v1/namespaces/a/pods/p/log", requests.Target("", "v1", "pods", "a", "p", "log")),
            ("/api/v1/namespaces/a/pods/p/proxy/x/y", requests.Target("", "v1", "pods", "a", "p", "proxy", "x/y")),
            ("/apis/apps/v1/deployments/", requests.Target("apps", "v1", "deployments")),
            ("/apis/apps/v1/namespaces/a/deployments/d", requests.Target("apps", "v1", "deployments", "a", "d")),
            ("/apis/apps/v1", None),
            ("/apis//v1/pods", None),
            ("/api/v1", None),
            ("/api/v1/namespaces//pods", None),
            ("/", None),
            ("/metrics", None),
        ],
    )
    def test_paths(self, path: str, found: requests.Target | None) -> None:
        assert requests.target(path) == found


class TestQuery:
    def test_the_first_of_repeated_parameters_counts(self) -> None:
        assert requests.Query("limit=1&limit=2").number("limit") == 1

    @pytest.mark.parametrize(
        ("text", "on"), [("", False), ("x", True), ("x=1", True), ("x=false", False), ("x=T", True)]
    )
    def test_flags(self, text: str, on: bool) -> None:
        assert requests.Query(text).flag("x") is on

    @pytest.mark.parametrize("value", ["-1", "1.5", "\u0663", "9" * 30, "x"])
    def test_numbers_are_plain(self, value: str) -> None:
        with pytest.raises(errors.BadRequestError, match="write a whole number"):
            requests.Query(f"limit={value}").number("limit")

    @pytest.mark.parametrize(
        ("query", "body", "found"),
        [
            ("", None, deletion.Options()),
            ("gracePeriodSeconds=5&propagationPolicy=Orphan", None, deletion.Options(5, "Orphan")),
            ("gracePeriodSeconds=5", {"gracePeriodSeconds": 0}, deletion.Options(0)),
            ("", {"orphanDependents": True}, deletion.Options(policy="Orphan")),
            ("", {"orphanDependents": False}, deletion.Options(policy="Background")),
            ("", {"preconditions": {"uid": "u", "resourceVersion": "7"}}, deletion.Options(None, "", "u", "7")),
            ("dryRun=All", {}, deletion.Options(dry_run=True)),
            ("", {"dryRun": ["All"]}, deletion.Options(dry_run=True)),
        ],
    )
    def test_delete_options(self, query: str, body: Any, found: deletion.Options) -> None:
        assert requests.delete_options(requests.Query(query), body) == found


class TestMedia:
    @pytest.mark.parametrize(
        ("header", "shape", "yaml"),
        [
            ("", "Object", False),
            ("*/*", "Object", False),
            ("application/json;charset=utf-8", "Object", False),
            ("application/vnd.kubernetes.protobuf, application/json", "Object", False),
            ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "Table", False),
            ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", "Object", False),
            ("application/json; as=PartialObjectMetadataList; g=meta.k8s.io; v=v1", "PartialObjectMetadata", False),
            ("application/yaml", "Object", True),
            ("text/html, application/json;q=0.9", "Object", False),
        ],
    )
    def test_accepted(self, header: str, shape: media.Shape, yaml: bool) -> None:
        assert media.accepted(header) == media.Accepted(shape, yaml)

    @pytest.mark.parametrize("header", ["text/html", "application/vnd.kubernetes.protobuf", "application/json;as=Poem"])
    def test_not_acceptable(self, header: str) -> None:
        with pytest.raises(errors.NotAcceptableError):
            media.accepted(header)

    @pytest.mark.parametrize(
        ("body", "value"),
        [
            (b"a: 1", {"a": 1}),
            (b"a: 2020-01-01", {"a": "2020-01-01"}),
            (b"a: 0x10\nb: 1e3\nc: ~", {"a": 16, "b": "1e3", "c": None}),
            (b"1: x\ntrue: y", {"1": "x", "true": "y"}),
            (b"", None),
        ],
    )
    def test_yaml(self, body: bytes, value: Any) -> None:
        assert media.decode("application/yaml", body) == value

    @pytest.mark.parametrize(
        "body",
        [b"a: &x 1\nb: *x", b"a: [", b"a: !!python/name:os.system", b"a: .nan", b"a: 1\n---\nb: 2", b'"\\ud800"'],
    )
    def test_yaml_that_is_refused(self, body: bytes) -> None:
        try:
            value = media.decode("application/yaml", body)
        except errors.BadRequestError:
            return
        assert value == {"a": None}  # what JSON makes of a number that is none

    def test_other_media_types(self) -> None:
        with pytest.raises(errors.UnsupportedMediaError):
            media.decode("text/plain", b"{}")


def record(name: str, revision: int = 1, **metadata: Any) -> records.Record:
    namespace = metadata.pop("namespace", "default")
    body = {"metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", **metadata}}
    return records.make(records.Key("/configmaps", namespace, name), revision, body)


class TestPages:
    items = tuple(record(f"c{number}") for number in range(5))

    def test_everything_fits(self) -> None:
        page = paging.Pages().first("s", self.items, 7, 5, NOW)
        assert page == paging.Page(self.items, 7)

    def test_all_pages_add_up(self) -> None:
        pages = paging.Pages()
        page = pages.first("s", self.items, 7, 2, NOW)
        seen = list(page.items)
        while page.continue_token:
            assert page.remaining == len(self.items) - len(seen)
            page = pages.next("s", page.continue_token, 2, NOW)
            seen += page.items
            assert page.revision == 7
        assert tuple(seen) == self.items

    def test_the_last_page_may_be_asked_for_without_a_limit(self) -> None:
        pages = paging.Pages()
        token = pages.first("s", self.items, 7, 1, NOW).continue_token
        assert pages.next("s", token, 0, NOW) == paging.Page(self.items[1:], 7)

    def test_a_list_is_forgotten_after_a_while(self) -> None:
        pages = paging.Pages()
        token = pages.first("s", self.items, 7, 2, NOW).continue_token
        pages.next("s", token, 2, NOW + 299)
        with pytest.raises(errors.ExpiredError, match="too old to display a consistent list"):
            pages.next("s", token, 2, NOW + 301)

    def test_so_many_lists_and_no_more(self) -> None:
        pages = paging.Pages()
        tokens = [pages.first("s", self.items, 7, 2, NOW).continue_token for _ in range(65)]
        with pytest.raises(errors.ExpiredError):
            pages.next("s", tokens[0], 2, NOW)
        assert pages.next("s", tokens[1], 2, NOW).items == self.items[2:4]

    @pytest.mark.parametrize("token", ["x", "!!!!", "bm9uZQ", "bm9uZTp4", "\u00e9"])
    def test_tokens_that_are_none(self, token: str) -> None:
        with pytest.raises((errors.BadRequestError, errors.ExpiredError)):
            paging.Pages().next("s", token, 2, NOW)


class TestPieces:
    @hypothesis.given(st.lists(st.integers(0, 2 * pieces.LARGEST), max_size=40))
    def test_nothing_is_lost_and_no_piece_is_empty_or_too_large(self, sizes: list[int]) -> None:
        cut = list(pieces.cut(sizes, lambda size: size))
        assert [size for piece in cut for size in piece] == sizes
        assert all(cut)
        assert all(sum(piece[:-1]) < pieces.LARGEST for piece in cut)

    def test_so_many_and_no_more(self) -> None:
        assert [len(piece) for piece in pieces.cut(range(600), lambda _: 1)] == [250, 250, 100]


POD = strategies.of("/pods")
RULE = strategies.RULE


def pod(**metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "generation": 1, **metadata}, "spec": {"nodeName": "n"}, "status": {}}


def at(seconds: float) -> str:
    return timestamps.rfc3339(NOW + seconds)


class TestDeletion:
    @pytest.mark.parametrize(
        ("metadata", "options", "outcome"),
        [
            # what holds the object            asked                            comes to (seconds of grace; None: removed)
            ({}, deletion.Options(), 30),
            ({}, deletion.Options(grace=5), 5),
            ({}, deletion.Options(grace=0), None),
            ({}, deletion.Options(grace=-1), 1),
            ({"finalizers": ["x/y"]}, deletion.Options(grace=0), 0),
            ({}, deletion.Options(grace=0, policy="Foreground"), 0),
        ],
    )
    def test_pods(self, metadata: dict[str, Any], options: deletion.Options, outcome: int | None) -> None:
        plan = deletion.plan(pod(**metadata), POD, options, NOW)
        if outcome is None:
            assert isinstance(plan, deletion.Remove)
            return
        assert isinstance(plan, deletion.Keep)
        assert plan.changed
        assert plan.obj["metadata"]["deletionGracePeriodSeconds"] == outcome
        assert plan.obj["metadata"]["deletionTimestamp"] == at(outcome)
        assert plan.obj["metadata"]["generation"] == 2

    @pytest.mark.parametrize(
        ("change", "grace"),
        [({"spec": {}}, 0), ({"status": {"phase": "Succeeded"}}, 0), ({"status": {"phase": "Failed"}}, 0), ({}, 30)],
    )
    def test_pods_that_have_nothing_to_say_goodbye_to(self, change: dict[str, Any], grace: int) -> None:
        plan = deletion.plan({**pod(), **change}, POD, deletion.Options(), NOW)
        assert isinstance(plan, deletion.Keep if grace else deletion.Remove)

    @pytest.mark.parametrize(
        ("asked", "changed", "grace", "timestamp"),
        [(None, False, 20, 20), (60, False, 20, 20), (20, False, 20, 20), (5, True, 5, 8), (30, False, 20, 20)],
    )
    def test_grace_only_shrinks(self, asked: int | None, changed: bool, grace: int, timestamp: int) -> None:
        going = pod(deletionTimestamp=at(20), deletionGracePeriodSeconds=20)
        plan = deletion.plan(going, POD, deletion.Options(grace=asked), NOW + 3)
        assert isinstance(plan, deletion.Keep)
        assert plan.changed is changed
        assert plan.obj["metadata"]["deletionGracePeriodSeconds"] == grace
        assert plan.obj["metadata"]["deletionTimestamp"] == at(timestamp)

    @pytest.mark.parametrize(
        ("before", "policy", "after"),
        [
            ([], "", None),
            ([], "Background", None),
            ([], "Foreground", ["foregroundDeletion"]),
            ([], "Orphan", ["orphan"]),
            (["x/y"], "", ["x/y"]),
            (["x/y"], "Foreground", ["x/y", "foregroundDeletion"]),
            (["foregroundDeletion"], "Background", None),
            (["orphan", "x/y"], "Foreground", ["x/y", "foregroundDeletion"]),
            (["orphan"], "Orphan", ["orphan"]),
            (["orphan"], "", ["orphan"]),
        ],
    )
    def test_policies_and_finalizers(self, before: list[str], policy: deletion.Policy, after: list[str] | None) -> None:
        obj = {"metadata": {"name": "a", "finalizers": before}}
        plan = deletion.plan(obj, RULE, deletion.Options(policy=policy), NOW)
        if after is None:
            assert isinstance(plan, deletion.Remove)
        else:
            assert isinstance(plan, deletion.Keep)
            assert plan.obj["metadata"]["finalizers"] == after
            assert plan.obj["metadata"]["deletionTimestamp"] == at(0)
        assert obj == {"metadata": {"name": "a", "finalizers": before}}

    @pytest.mark.parametrize(
        ("metadata", "released"),
        [
            ({}, False),
            ({"deletionTimestamp": at(0), "deletionGracePeriodSeconds": 0}, True),
            ({"deletionTimestamp": at(0)}, True),
            ({"deletionTimestamp": at(0), "finalizers": ["x/y"]}, False),
            ({"deletionTimestamp": at(30), "deletionGracePeriodSeconds": 30}, False),
        ],
    )
    def test_released(self, metadata: dict[str, Any], released: bool) -> None:
        assert deletion.released(pod(**metadata), POD) is released

    def test_a_full_namespace_is_held(self) -> None:
        strategy = strategies.of("/namespaces")
        full = {"metadata": {"name": "n"}, "spec": {"finalizers": ["kubernetes"]}}
        plan = deletion.plan(full, strategy, deletion.Options(), NOW)
        assert isinstance(plan, deletion.Keep)
        assert plan.obj["status"] == {"phase": "Terminating"}
        assert not deletion.released(plan.obj, strategy)
        assert deletion.released({**plan.obj, "spec": {"finalizers": []}}, strategy)


class TestOwnership:
    @pytest.mark.parametrize(
        ("owner", "known", "tie"),
        [
            # owner                                                                       known   tie
            (record("o"), True, ownership.Tie.SOLID),
            (record("o", namespace=""), True, ownership.Tie.SOLID),
            (record("o", namespace="other"), True, ownership.Tie.DANGLING),
            (record("o", deletionTimestamp="x"), True, ownership.Tie.SOLID),
            (record("o", finalizers=["foregroundDeletion"], deletionTimestamp="x"), True, ownership.Tie.WAITING),
            (None, True, ownership.Tie.DANGLING),
            (None, False, ownership.Tie.SOLID),
        ],
    )
    def test_ties(self, owner: records.Record | None, known: bool, tie: ownership.Tie) -> None:
        assert ownership.tie(owner, record("d"), known=known) is tie

    S, W, D = ownership.Tie.SOLID, ownership.Tie.WAITING, ownership.Tie.DANGLING

    @pytest.mark.parametrize(
        ("ties", "has_dependents", "finalizers", "ruling"),
        [
            # solid   dangling or waiting   verdict
            ([], False, [], ownership.Ruling(ownership.Verdict.LEAVE)),
            ([S], False, [], ownership.Ruling(ownership.Verdict.LEAVE)),
            ([S, D], False, [], ownership.Ruling(ownership.Verdict.UNTIE, frozenset({"1"}))),
            ([S, W, D], True, [], ownership.Ruling(ownership.Verdict.UNTIE, frozenset({"1", "2"}))),
            ([W], True, [], ownership.Ruling(ownership.Verdict.DELETE, policy="Foreground")),
            ([W], False, [], ownership.Ruling(ownership.Verdict.DELETE, policy="Background")),
            ([W, D], True, [], ownership.Ruling(ownership.Verdict.DELETE, policy="Foreground")),
            ([D], True, [], ownership.Ruling(ownership.Verdict.DELETE, policy="Background")),
            ([D], False, ["orphan"], ownership.Ruling(ownership.Verdict.DELETE, policy="Orphan")),
            ([D], False, ["foregroundDeletion"], ownership.Ruling(ownership.Verdict.DELETE, policy="Foreground")),
        ],
    )
    def test_verdicts(
        self, ties: list[ownership.Tie], has_dependents: bool, finalizers: list[str], ruling: ownership.Ruling
    ) -> None:
        numbered = [(str(number), each) for number, each in enumerate(ties)]
        found = ownership.rule(record("d", finalizers=finalizers), numbered, has_dependents=has_dependents)
        assert found == ruling
