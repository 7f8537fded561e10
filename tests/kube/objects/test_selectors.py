from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.objects import errors, selectors

# selector, labels, selected
ROWS: list[tuple[str, dict[str, str], bool]] = [
    ("", {}, True),
    ("", {"a": "1"}, True),
    ("  ", {"a": "1"}, True),
    ("a=1", {"a": "1"}, True),
    ("a==1", {"a": "1"}, True),
    ("a = 1", {"a": "1"}, True),
    ("a=1", {"a": "2"}, False),
    ("a=1", {}, False),
    ("a=", {"a": ""}, True),
    ("a=", {}, False),
    ("a!=1", {"a": "2"}, True),
    ("a!=1", {}, True),
    ("a!=1", {"a": "1"}, False),
    ("a in (1,2)", {"a": "2"}, True),
    ("a in (1, 2 )", {"a": "3"}, False),
    ("a in (1)", {}, False),
    ("a in (,1)", {"a": ""}, True),
    ("a notin (1,2)", {"a": "3"}, True),
    ("a notin (1,2)", {}, True),
    ("a notin (1,2)", {"a": "2"}, False),
    ("a", {"a": ""}, True),
    ("a", {}, False),
    ("!a", {}, True),
    ("! a", {"a": "1"}, False),
    ("a>5", {"a": "6"}, True),
    ("a>5", {"a": "5"}, False),
    ("a<5", {"a": "4"}, True),
    ("a<5", {"a": "many"}, False),
    ("a>5", {}, False),
    ("a=1,b!=2", {"a": "1", "b": "3"}, True),
    ("a=1,b!=2", {"a": "1", "b": "2"}, False),
    ("a in (x,y),b notin (z),c,!d", {"a": "y", "c": "1"}, True),
    ("model.aibrix.ai/name=qwen", {"model.aibrix.ai/name": "qwen"}, True),
    ("in=1", {"in": "1"}, True),
    ("in in (in,notin)", {"in": "notin"}, True),
]


@pytest.mark.parametrize(("text", "labels", "selected"), ROWS)
def test_labels_are_matched(text: str, labels: dict[str, str], selected: bool) -> None:
    selector = selectors.parse_labels(text)
    assert selector.matches(labels) is selected
    assert selectors.parse_labels(str(selector)) == selector


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "a,",
        ",a",
        "a=1,,b",
        "=1",
        "a=1=2",
        "a b",
        "a in",
        "a in 1",
        "a in (1",
        "a in (1 2)",
        "a in (1,(2))",
        "a in (1))",
        "!a=1",
        "!",
        "!!a",
        "a!1",
        "a>x",
        "a>",
        "a=ä",
        "ä=a",
        "-a=1",
        "a=" + "x" * 64,
        "x" * 64,
        "Not.A.Domain/a=1",
        "a/b/c=1",
        "a=" + "x" * 70_000,
    ],
)
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(errors.SelectorError):
        selectors.parse_labels(text)


KEYS = st.sampled_from(["a", "b", "app.kubernetes.io/name"])
VALUES = st.sampled_from(["", "1", "2", "x"])
REQUIREMENTS = st.one_of(
    st.tuples(
        KEYS,
        st.sampled_from([selectors.Operator.IN, selectors.Operator.NOT_IN]),
        st.sets(VALUES, min_size=1).map(lambda found: tuple(sorted(found))),
    ),
    st.tuples(KEYS, st.sampled_from([selectors.Operator.EQUALS, selectors.Operator.NOT_EQUALS]), st.tuples(VALUES)),
    st.tuples(KEYS, st.sampled_from([selectors.Operator.EXISTS, selectors.Operator.ABSENT]), st.just(())),
    st.tuples(
        KEYS,
        st.sampled_from([selectors.Operator.GREATER, selectors.Operator.LESS]),
        st.tuples(st.sampled_from(["-1", "2"])),
    ),
).map(lambda row: selectors.LabelRequirement(*row))


@given(requirements=st.lists(REQUIREMENTS, min_size=1, max_size=4))
def test_a_selector_survives_its_text(requirements: list[selectors.LabelRequirement]) -> None:
    selector = selectors.LabelSelector(tuple(requirements))
    assert selectors.parse_labels(str(selector)) == selector


@given(requirements=st.lists(REQUIREMENTS, max_size=4), labels=st.dictionaries(KEYS, VALUES))
def test_all_requirements_must_hold(requirements: list[selectors.LabelRequirement], labels: dict[str, str]) -> None:
    selector = selectors.LabelSelector(tuple(requirements))
    assert selector.matches(labels) == all(selectors.LabelSelector((each,)).matches(labels) for each in requirements)


@given(key=KEYS, values=st.sets(VALUES, min_size=1), labels=st.dictionaries(KEYS, VALUES))
def test_in_and_notin_are_opposites(key: str, values: set[str], labels: dict[str, str]) -> None:
    listed = ",".join(sorted(values))
    inside, outside = selectors.parse_labels(f"{key} in ({listed})"), selectors.parse_labels(f"{key} notin ({listed})")
    assert inside.matches(labels) != outside.matches(labels)


@given(text=st.text(alphabet="ab1 ,=!()<>in\\ä\n", max_size=20))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        selector = selectors.parse_labels(text)
    except errors.SelectorError:
        return
    assert selectors.parse_labels(str(selector)) == selector


def test_the_selector_of_a_spec() -> None:
    selector = selectors.from_label_selector(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["b", "a"]},
                {"key": "old", "operator": "DoesNotExist"},
                {"key": "zone", "operator": "NotIn", "values": ["x"]},
                {"key": "name", "operator": "Exists"},
            ],
        }
    )
    assert selector == selectors.parse_labels("app=web,tier in (a,b),!old,zone notin (x),name")
    assert selector.matches({"app": "web", "tier": "a", "name": ""})


def test_an_absent_selector_selects_nothing_and_an_empty_one_everything() -> None:
    assert not selectors.from_label_selector(None).matches({"a": "1"})
    assert not selectors.from_label_selector(None).is_everything
    assert selectors.from_label_selector({}).matches({"a": "1"})
    assert selectors.from_label_selector({}).is_everything
    assert not selectors.parse_labels("a").is_everything


@pytest.mark.parametrize(
    "expression",
    [
        {"key": "a", "operator": "Like", "values": ["b"]},
        {"key": "a"},
        {"operator": "Exists"},
        {"key": "a", "operator": "In"},
        {"key": "a", "operator": "Exists", "values": ["b"]},
        {"key": "a", "operator": "In", "values": ["b c"]},
        {"key": "a b", "operator": "Exists"},
    ],
)
def test_malformed_expressions_are_refused(expression: dict[str, object]) -> None:
    with pytest.raises(errors.SelectorError):
        selectors.from_label_selector({"matchExpressions": [expression]})


def test_the_selector_of_a_service() -> None:
    assert selectors.from_map({"b": "2", "a": "1"}) == selectors.parse_labels("a=1,b=2")
    with pytest.raises(errors.SelectorError):
        selectors.from_map({"a": "no value"})


# selector, values by path, selected
FIELD_ROWS: list[tuple[str, dict[str, str], bool]] = [
    ("", {}, True),
    ("metadata.name=a", {"metadata.name": "a"}, True),
    ("metadata.name==a", {"metadata.name": "a"}, True),
    ("metadata.name=a", {"metadata.name": "b"}, False),
    ("metadata.name!=a", {"metadata.name": "b"}, True),
    ("spec.nodeName=", {}, True),
    ("spec.nodeName!=", {}, False),
    ("status.phase!=Running,metadata.namespace=d", {"status.phase": "Failed", "metadata.namespace": "d"}, True),
    ("status.phase!=Running,metadata.namespace=d", {"status.phase": "Running", "metadata.namespace": "d"}, False),
    (r"x=a\,b\=c\\d", {"x": r"a,b=c\d"}, True),
]


@pytest.mark.parametrize(("text", "values", "selected"), FIELD_ROWS)
def test_fields_are_matched(text: str, values: dict[str, str], selected: bool) -> None:
    selector = selectors.parse_fields(text)
    assert selector.matches(lambda path: values.get(path, "")) is selected
    assert selectors.parse_fields(str(selector)) == selector


def test_field_requirements_are_told() -> None:
    assert selectors.parse_fields("a.b=c,d!=e").requirements == (("a.b", "=", "c"), ("d", "!=", "e"))


@pytest.mark.parametrize("text", ["a", "=b", "a=b=c", "a!b", "a=b,c", "a=b\\", "x" * 70_000])
def test_what_is_no_field_selector_is_refused(text: str) -> None:
    with pytest.raises(errors.SelectorError):
        selectors.parse_fields(text)


@given(text=st.text(alphabet="ab.,=!\\\n ", max_size=15))
def test_any_field_text_parses_or_is_refused(text: str) -> None:
    try:
        selector = selectors.parse_fields(text)
    except errors.SelectorError:
        return
    assert selectors.parse_fields(str(selector)) == selector
