"""Rules in schemas: where they stand, what they see, when they run, and what a definition is refused for."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.apiserver.structural import correlation, rules, shape, typing

INTEGER = {"type": "integer"}
STRING = {"type": "string"}


def ruled(spec: dict[str, Any], *texts: str, **more: Any) -> dict[str, Any]:
    return {**spec, rules.WORD: [{"rule": text, **more} for text in texts]}


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def array(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def judged(spec: Any, value: Any, old: Any = correlation.ABSENT) -> list[str]:
    found = rules.compiled(spec)
    assert found is not None
    return [f"{each.path}: {each.message}" for each in rules.violations(found, value, old)]


def failed(path: str, rule: str, form: str = "object") -> str:
    return f'{path}: Invalid value: "{form}": failed rule: {rule}'


ODD = "self % 2 == 1"
JUDGED: list[tuple[Any, Any, list[str]]] = [
    (ruled(obj(a=INTEGER), "self.a > 1"), {"a": 2}, []),
    (ruled(obj(a=INTEGER), "self.a > 1"), {"a": 1}, [failed("<nil>", "self.a > 1")]),
    (obj(a=ruled(INTEGER, ODD)), {"a": 2}, [failed("a", ODD, "integer")]),
    (obj(a=ruled(INTEGER, ODD)), {}, []),
    (obj(a=ruled({**INTEGER, "nullable": True}, ODD)), {"a": None}, []),
    (obj(a=array(ruled(INTEGER, ODD))), {"a": [1, 2, 4]}, [failed(f"a[{at}]", ODD, "integer") for at in (1, 2)]),
    (
        obj(a={"type": "object", "additionalProperties": ruled(INTEGER, ODD)}),
        {"a": {"x": 2}},
        [failed("a[x]", ODD, "integer")],
    ),
    (ruled(obj(), "self.metadata.name == 'n' && self.kind == 'K'"), {"kind": "K", "metadata": {"name": "n"}}, []),
    (ruled(obj(**{"a-b": INTEGER}), "self.a__dash__b == 1"), {"a-b": 1}, []),
    (ruled(obj(namespace=STRING), "self.__namespace__ == 'x'"), {"namespace": "x"}, []),
    (ruled(obj(a__b=STRING), "self.a__underscores__b == 'x'"), {"a__b": "x"}, []),
    (ruled(obj(a={shape.INT_OR_STRING: True}), "type(self.a) == int ? self.a > 0 : self.a == '5%'"), {"a": "5%"}, []),
    (ruled(obj(a={"type": "number"}), "self.a / 2.0 == 0.5"), {"a": 1}, []),
    (ruled(obj(a={**STRING, "format": "duration"}), "self.a > duration('1m')"), {"a": "2m"}, []),
    (
        ruled(obj(a={**STRING, "format": "date-time"}), "self.a.getFullYear() == 2024"),
        {"a": "2024-01-01T00:00:00Z"},
        [],
    ),
    (ruled(obj(a={**STRING, "format": "byte"}), "self.a == b'abc'"), {"a": "YWJj"}, []),
    (
        ruled(obj(a=array(STRING, **{"x-kubernetes-list-type": "set"})), "self.a == ['x', 'y']"),
        {"a": ["y", "x"]},
        [],
    ),
    (
        obj(
            a={
                "type": "object",
                shape.EMBEDDED: True,
                rules.WORD: [{"rule": "self.metadata.name.startsWith('p') && self.kind == 'Pod'"}],
            }
        ),
        {"a": {"kind": "Pod", "metadata": {"name": "p"}}},
        [],
    ),
    ({**obj(a=INTEGER), "allOf": [ruled({}, "self.a > 1")]}, {"a": 0}, [failed("<nil>", "self.a > 1")]),
    (
        ruled(obj(a=INTEGER), "self.a > 1 || self.b"),
        {"a": 2},
        ['<nil>: Invalid value: "object": rule compile error: compilation failed: …'],
    ),
    (
        ruled(obj(a=INTEGER), "1 / self.a > 0"),
        {"a": 0},
        ['<nil>: Invalid value: "object": division by zero evaluating rule: 1 / self.a > 0'],
    ),
    (
        ruled(obj(a={shape.INT_OR_STRING: True}), "self.a > 1"),
        {"a": "x"},
        [
            (
                "<nil>: Invalid value: \"object\": 'no such overload': call arguments did not match a supported operator, "
                "function or macro signature for rule: self.a > 1"
            )
        ],
    ),
]


@pytest.mark.parametrize(("spec", "value", "expected"), JUDGED, ids=range(len(JUDGED)))
def test_judging(spec: Any, value: Any, expected: list[str]) -> None:
    found = judged(spec, value)
    assert len(found) == len(expected), found
    for each, row in zip(found, expected, strict=True):
        assert each.startswith(row.removesuffix("…"))


SAID: list[tuple[dict[str, Any], str]] = [
    ({"message": " too small "}, 'a: Invalid value: "integer": too small'),
    ({"messageExpression": "'%d is small'.format([self])"}, 'a: Invalid value: "integer": 1 is small'),
    ({"messageExpression": "string(self / 0)", "message": "m"}, 'a: Invalid value: "integer": m'),
    ({"messageExpression": "'a\\nb'"}, 'a: Invalid value: "integer": failed rule: self > 1'),
    ({"messageExpression": "'  '", "message": "m"}, 'a: Invalid value: "integer": m'),
    ({"reason": "FieldValueForbidden", "message": "m"}, "a: Forbidden: m"),
    ({"reason": "FieldValueRequired", "message": "m"}, "a: Required value: m"),
    ({"reason": "FieldValueDuplicate"}, 'a: Duplicate value: "integer"'),
    ({"reason": "FieldValueInvalid", "message": "m"}, 'a: Invalid value: "integer": m'),
]


@pytest.mark.parametrize(("more", "expected"), SAID)
def test_what_a_rule_says(more: dict[str, Any], expected: str) -> None:
    assert judged(obj(a=ruled(INTEGER, "self > 1", **more)), {"a": 1}) == [expected]


def test_a_rule_names_the_field_that_it_is_about() -> None:
    spec = obj(a=ruled(obj(b=obj(**{"c-d": INTEGER})), "false", fieldPath=".b['c-d']"))
    assert judged(spec, {"a": {}}) == [failed("a.b.c-d", "false")]


GROW = ruled(INTEGER, "self >= oldSelf")
KEYED = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
CHANGES: list[tuple[Any, Any, Any, int]] = [
    # schema, before, after, faults
    (obj(a=GROW), {"a": 1}, {"a": 2}, 0),
    (obj(a=GROW), {"a": 2}, {"a": 1}, 1),
    (obj(a=GROW), correlation.ABSENT, {"a": 1}, 0),
    (obj(a=GROW), {}, {"a": 1}, 0),
    (obj(m={"type": "object", "additionalProperties": GROW}), {"m": {"x": 2, "y": 2}}, {"m": {"x": 1, "z": 0}}, 1),
    (obj(l=array(obj(k=STRING, n=GROW), **KEYED)), {"l": [{"k": "x", "n": 2}]}, {"l": [{"k": "x", "n": 1}]}, 1),
    (obj(l=array(obj(k=STRING, n=GROW), **KEYED)), {"l": [{"k": "x", "n": 2}]}, {"l": [{"k": "y", "n": 1}]}, 0),
    (obj(a=ruled(INTEGER, "self > 5")), {"a": 1}, {"a": 1, "b": 2}, 0),
    (obj(a=ruled(INTEGER, "self > 5")), {"a": 1}, {"a": 2}, 1),
    (obj(a=ruled(INTEGER, "self != oldSelf")), {"a": 1}, {"a": 1, "b": 2}, 1),
    (obj(a=ruled(INTEGER, "!oldSelf.hasValue() || oldSelf.value() < self", optionalOldSelf=True)), {}, {"a": 1}, 0),
    (obj(a=ruled(INTEGER, "oldSelf.hasValue()", optionalOldSelf=True)), correlation.ABSENT, {"a": 1}, 1),
    (obj(l=array(ruled(INTEGER, "self > 5"))), {"l": [1]}, {"l": [1], "b": 2}, 0),
    (obj(l=array(ruled(INTEGER, "self > 5"))), {"l": [1]}, {"l": [1, 7]}, 1),
]


@pytest.mark.parametrize(("spec", "before", "after", "count"), CHANGES, ids=range(len(CHANGES)))
def test_changes(spec: Any, before: Any, after: Any, count: int) -> None:
    assert len(judged(spec, after, before)) == count


def test_an_object_has_one_budget_for_all_its_rules() -> None:
    text = "self.all(x, self.all(y, x + y >= 0))"
    spec = obj(**{name: ruled(array(INTEGER), text) for name in "abcdefgh"})
    found = judged(spec, {name: list(range(300)) for name in "abcdefgh"})
    assert found[-1].endswith("running out of cost budget, no further validation rules will be run")
    assert len(found) == 1


def test_one_rule_has_a_bound_of_its_own() -> None:
    text = "self.all(x, self.all(y, x + y >= 0))"
    (found,) = judged(obj(a=ruled(array(INTEGER), text)), {"a": list(range(2000))})
    assert "no further validation rules will be run due to call cost exceeds limit for rule" in found


def test_rules_without_an_answer_are_paid_for_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "OBJECT_BUDGET", 200_000)
    text = "self.all(x, self.all(y, x + y < 0 || x / 0 == 1))"
    spec = obj(**{name: ruled(array(INTEGER), text) for name in "abcdefghijkl"})
    found = judged(spec, {name: list(range(100)) for name in "abcdefghijkl"})
    assert "division by zero" in found[0]
    assert found[-1].endswith("running out of cost budget, no further validation rules will be run")
    assert len(found) < 10


def test_messages_that_cannot_be_told_are_paid_for_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "OBJECT_BUDGET", 200_000)
    words = "self.map(x, self.map(y, 'a').join()).join()"
    spec = obj(**{name: ruled(array(INTEGER), "self.size() == 1", messageExpression=words) for name in "abcdefghijkl"})
    found = judged(spec, {name: list(range(1000)) for name in "abcdefghijkl"})
    assert 2 <= len(found) < 6


@pytest.mark.parametrize("read", ["duration(self) > duration('1s')", "timestamp(self) > timestamp(0)", "int(self) > 1"])
def test_reading_a_text_without_a_bound_is_one_step(read: str) -> None:
    # HTTPRoute has such a rule: its durations have a pattern and no maxLength, and stand in a list of sixteen.
    listed = array(ruled({"type": "string"}, f"{read} && {read} && {read}"))
    assert list(rules.faults_of(obj(a={**listed, "maxItems": 1000}), "S")) == []


def test_the_rules_of_a_schema_have_a_length_together() -> None:
    text = "true || '" + "a" * 30_000 + "' == ''"
    spec = obj(**{name: ruled(INTEGER, text, messageExpression=f"'{'a' * 20_000}'") for name in "abc"})
    (found,) = rules.faults_of(spec, "S")
    assert found.path == "S"
    assert found.message == (
        f"Forbidden: x-kubernetes-validations have 150054 characters in all: may not be more than {rules.MOST_TEXT}"
    )


R = f"S.properties[a].{rules.WORD}[0]"
FAULTS: list[tuple[Any, list[str]]] = [
    (obj(a=ruled(INTEGER, "self > 1")), []),
    (obj(a=ruled(INTEGER, " ")), [f"{R}.rule: Required value: rule is not specified"]),
    (obj(a=ruled(INTEGER, "self + 1")), [f"{R}.rule: Invalid value: …: cel expression must evaluate to a bool"]),
    (obj(a=ruled(INTEGER, "self.x")), [f"{R}.rule: Invalid value: …: compilation failed: ERROR: <input>:1:6: …"]),
    (
        obj(a=ruled(INTEGER, "self >\n1")),
        [f"{R}.message: Required value: message must be specified if rule contains …"],
    ),
    (
        obj(a=ruled(INTEGER, "true", message="a\nb")),
        [f"{R}.message: Invalid value: …: message must not contain line breaks"],
    ),
    (
        obj(a=ruled(INTEGER, "true", messageExpression="self")),
        [f"{R}.messageExpression: Invalid value: …: messageExpression must evaluate to a string"],
    ),
    (
        obj(a=ruled(INTEGER, "true", messageExpression="self +")),
        [f"{R}.messageExpression: Invalid value: …: messageExpression compilation failed: ERROR: …"],
    ),
    (obj(a=ruled(INTEGER, "true", reason="Because")), [f'{R}.reason: Unsupported value: "Because": …']),
    (
        obj(a=ruled(INTEGER, "true", fieldPath=".x")),
        [f'{R}.fieldPath: Invalid value: ".x": fieldPath must be a valid path: does not refer to a valid field'],
    ),
    (
        obj(a=ruled(INTEGER, "true", optionalOldSelf=True)),
        [f"{R}.optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule"],
    ),
    (
        obj(a=array(ruled(INTEGER, "self > oldSelf"))),
        [
            (
                f"S.properties[a].items.{rules.WORD}[0].rule: Invalid value: …: oldSelf cannot be used on the "
                "uncorrelatable portion of the schema within S.properties[a]"
            )
        ],
    ),
    (
        obj(a=ruled(array(array(STRING)), "self.all(x, self.all(y, x == y))")),
        [f"{R}.rule: Forbidden: estimated rule cost exceeds budget by factor of …"],
    ),
    (
        obj(a=ruled(array(array(STRING, maxItems=3), maxItems=5), "self.all(x, self.all(y, x == y))")),
        [],
    ),
    (obj(a={**INTEGER, rules.WORD: "x"}), [f"S.properties[a].{rules.WORD}: Invalid value: …: must be a list of rules"]),
    (obj(a=ruled({shape.PRESERVE: True}, "true")), [f"{R}.rule: Invalid value: …: rules need a schema that says …"]),
]


@pytest.mark.parametrize(("spec", "expected"), FAULTS, ids=range(len(FAULTS)))
def test_definitions(spec: Any, expected: list[str]) -> None:
    found = [f"{each.path}: {each.message}" for each in rules.faults_of(spec, "S")]
    assert len(found) >= len(expected), found
    assert bool(found) == bool(expected)
    for each, row in zip(found, expected, strict=False):
        start, _, end = row.partition("…")
        assert each.startswith(start)
        assert end.partition("…")[0] in each


NAMES = [
    ("a", "a"),
    ("a-b", "a__dash__b"),
    ("a.b/c", "a__dot__b__slash__c"),
    ("a__b", "a__underscores__b"),
    ("for", "__for__"),
    ("1a", None),
    ("ä", None),
    ("", None),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_names_of_fields_in_expressions(name: str, expected: str | None) -> None:
    assert typing.escaped(name) == expected
