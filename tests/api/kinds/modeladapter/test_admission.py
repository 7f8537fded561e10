"""The rules of a ModelAdapter and its legacy forms, row by row."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import resources
from brickyard.api.kinds.modeladapter import admission

RULES = admission.Rules()


def adapter(**fields: Any) -> resources.Object:
    spec = {"podSelector": {"matchLabels": {"a": "b"}}, "artifactURL": "s3://bucket/adapter", **fields}
    return {"metadata": {"name": "a"}, "spec": {key: each for key, each in spec.items() if each is not None}}


def messages(obj: resources.Object) -> list[tuple[str, str]]:
    return [(each.path, each.message) for each in RULES.validate(obj, None)]


class TestArtifact:
    @pytest.mark.parametrize(
        "url",
        [
            "s3://bucket/adapter",
            "gcs://bucket/a/b",
            "tos://bucket/a?x=%",
            "huggingface://org/name",
            "hf://org/name",
            "/models/adapter",
            "/",
            "s3://user:secret@host:9000/a%20b",
            "s3://[::1]:9000/a",
            "s3://bucket/a b",
            "s3://",
        ],
    )
    def test_sound(self, url: str) -> None:
        assert messages(adapter(artifactURL=url)) == []

    @pytest.mark.parametrize(
        "url", ["ms://x", "ms://", "hugingface://org/name", "http://host/a", "S3://b/a", "s3:/b/a"]
    )
    def test_an_unsupported_scheme(self, url: str) -> None:
        supported = "[s3:// gcs:// tos:// huggingface:// hf:// /]"
        text = f'Invalid value: "{url}": unsupported schema "{url}", supported schemas are {supported}'
        assert messages(adapter(artifactURL=url)) == [("spec.artifactURL", text)]

    @pytest.mark.parametrize(
        ("url", "fault"),
        [
            ("s3://buc ket/a", "'buc ket' is no host"),
            ("s3://host:port/a", "'host:port' is no host"),
            ("s3://a<b/c", "'a<b' is no host"),
            ("s3://bucket/%zz", "'%zz' is no escape"),
            ("s3://bucket/%zzz/a", "'%zz' is no escape"),
            ("s3://bucket/%4", "'%4' is no escape"),
            ("/a%", "'%' is no escape"),
            ("/a\nb", "it holds a control character"),
            ("/a\x7f", "it holds a control character"),
        ],
    )
    def test_no_uri(self, url: str, fault: str) -> None:
        ((path, message),) = messages(adapter(artifactURL=url))
        assert path == "spec.artifactURL"
        assert message.endswith(f"artifactURL is invalid: {fault}")

    @pytest.mark.parametrize(
        ("url", "fault"),
        [
            ("aabbcc", "it needs a scheme such as s3:// or a leading /"),
            ("1s3://x", "it needs a scheme such as s3:// or a leading /"),
            ("://x", "it needs a scheme such as s3:// or a leading /"),
            ("", "it is empty"),
        ],
    )
    def test_neither_uri_nor_supported(self, url: str, fault: str) -> None:
        first, second = messages(adapter(artifactURL=url))
        assert first[1].endswith(f"artifactURL is invalid: {fault}")
        assert "unsupported schema" in second[1]

    def test_none_at_all(self) -> None:
        assert len(messages(adapter(artifactURL=None))) == 2

    def test_another_type_is_the_schema_s_to_refuse(self) -> None:
        assert messages(adapter(artifactURL=7)) == []

    @given(st.text())
    def test_any_text(self, url: str) -> None:
        assert isinstance(admission.url_fault(url), str)


class TestRules:
    @pytest.mark.parametrize("replicas", [0, -1])
    def test_replicas(self, replicas: int) -> None:
        assert messages(adapter(replicas=replicas)) == [
            ("spec.replicas", f"Invalid value: {replicas}: replicas must be greater than 0")
        ]

    def test_a_selector_is_needed(self) -> None:
        assert messages(adapter(podSelector=None)) == [
            ("spec.podSelector", "Required value: which pods get the adapter; {} means all")
        ]
        assert messages(adapter(podSelector={})) == []

    def test_everything_at_once(self) -> None:
        assert [path for path, _ in messages({"spec": {"replicas": 0}})] == [
            "spec.artifactURL",
            "spec.artifactURL",
            "spec.replicas",
            "spec.podSelector",
        ]

    @pytest.mark.parametrize("obj", [{}, {"spec": None}])
    def test_without_a_spec_nothing_is_wrong(self, obj: resources.Object) -> None:
        assert messages(obj) == []

    def test_updates_are_not_judged(self) -> None:
        assert list(RULES.validate(adapter(artifactURL="ms://x", replicas=0), adapter())) == []


class TestLegacy:
    @pytest.mark.parametrize("replicas", [2, 3])
    def test_several_replicas_are_all_pods(self, replicas: int) -> None:
        old = adapter(replicas=replicas)
        before = copy.deepcopy(old)
        found = RULES.convert(old)
        assert old == before
        assert found.obj == adapter()
        (warning,) = found.warnings
        assert warning.startswith(f"spec.replicas {replicas} is taken for every matching pod")
        assert warning.endswith("leave replicas out, or write 1 for one pod")
        assert RULES.convert(found.obj).obj == found.obj

    @pytest.mark.parametrize(
        "obj",
        [
            adapter(),
            adapter(replicas=1),
            adapter(replicas=0),
            adapter(replicas="3"),
            adapter(replicas=True),
            adapter(baseModel="base", schedulerName="default"),
            adapter(schedulerName="default-model-adapter-scheduler"),
            adapter(additionalConfig={"model-artifact": "x", "rank": "8", "alpha": "16", "timeout": "1"}),
            {"spec": None},
            {},
        ],
    )
    def test_today_s_forms_stay(self, obj: resources.Object) -> None:
        found = RULES.convert(obj)
        assert (found.obj, found.warnings) == (obj, ())
