"""Sequences of applies and updates whose outcome Kubernetes' own merge library fixes, as a table: who does what, what comes out."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import yaml

from brickyard.kube.objects import errors, fieldsets, managedfields, merging, structure

LEAF = structure.LEAF
ROOT = structure.Node(
    "object",
    {
        "alone": LEAF,
        "struct": structure.Node(
            "object", {"name": LEAF, "value": LEAF, "inner": structure.Node("object", {"name": LEAF})}
        ),
        "list": structure.Node(
            "keyed",
            items=structure.Node(
                "object", {"name": LEAF, "value": LEAF, "more": LEAF, "set": structure.Node("set", items=LEAF)}
            ),
            keys=("name",),
        ),
        "ports": structure.Node(
            "keyed",
            items=structure.Node("object", {"port": LEAF, "protocol": LEAF, "name": LEAF}),
            keys=("port", "protocol"),
            defaults={"protocol": "TCP"},
        ),
        "set": structure.Node("set", items=LEAF),
        "map": structure.Node("object", items=LEAF),
        "maps": structure.Node("object", items=structure.Node("object", items=LEAF)),
        "any": structure.DEDUCED,
    },
)


@dataclasses.dataclass(frozen=True)
class Case:
    """``steps``: ``apply|force|update MANAGER: object`` or ``conflict MANAGER: object -> path, …``; the outcome: object, owners."""

    steps: list[str]
    obj: str
    owners: dict[str, str]


CASES = {
    "one applier takes an element back": Case(
        [
            "apply one: {list: [{name: a}, {name: b}]}",
            "apply two: {list: [{name: c}]}",
            "apply one: {list: [{name: a}]}",
        ],
        "{list: [{name: a}, {name: c}]}",
        {"one": '.list[name="a"] .list[name="a"].name', "two": '.list[name="c"] .list[name="c"].name'},
    ),
    "the same value is no conflict": Case(
        ["apply one: {list: [{name: a, value: 0}]}", "apply two: {list: [{name: a, value: 0}]}"],
        "{list: [{name: a, value: 0}]}",
        dict.fromkeys(("one", "two"), '.list[name="a"] .list[name="a"].name .list[name="a"].value'),
    ),
    "another value is": Case(
        [
            "apply one: {list: [{name: a, value: 0}]}",
            'conflict two: {list: [{name: a, value: 1}]} -> .list[name="a"].value',
        ],
        "{list: [{name: a, value: 0}]}",
        {"one": '.list[name="a"] .list[name="a"].name .list[name="a"].value'},
    ),
    "an element that another wants stays": Case(
        [
            "apply one: {list: [{name: a}, {name: b}, {name: c}]}",
            "apply two: {list: [{name: c}, {name: d}]}",
            "apply one: {list: [{name: a}]}",
        ],
        "{list: [{name: a}, {name: c}, {name: d}]}",
        {
            "one": '.list[name="a"] .list[name="a"].name',
            "two": '.list[name="c"] .list[name="c"].name .list[name="d"] .list[name="d"].name',
        },
    ),
    "an element that another wants loses what only I wanted in it": Case(
        [
            "apply one: {list: [{name: a}, {name: b, set: [c]}]}",
            "apply two: {list: [{name: b, set: [d]}]}",
            "apply one: {list: [{name: a}]}",
        ],
        "{list: [{name: a}, {name: b, set: [d]}]}",
        {
            "one": '.list[name="a"] .list[name="a"].name',
            "two": '.list[name="b"] .list[name="b"].name .list[name="b"].set[="d"]',
        },
    ),
    "… and keeps what an updater put there": Case(
        [
            "apply one: {list: [{name: a}, {name: b, set: [c]}]}",
            "apply two: {list: [{name: b, set: [d]}]}",
            "update controller: {list: [{name: a}, {name: b, set: [c, d, e]}]}",
            "apply one: {list: [{name: a}]}",
        ],
        "{list: [{name: a}, {name: b, set: [d, e]}]}",
        {
            "one": '.list[name="a"] .list[name="a"].name',
            "two": '.list[name="b"] .list[name="b"].name .list[name="b"].set[="d"]',
            "controller": '.list[name="b"].set[="e"]',
        },
    ),
    "an element that nobody else wants goes with what an updater put there": Case(
        [
            "apply one: {list: [{name: a}, {name: b, set: [c]}]}",
            "apply two: {list: [{name: a, set: [b]}]}",
            "update controller: {list: [{name: a, set: [b]}, {name: b, set: [c, d]}]}",
            "apply one: {list: [{name: a}]}",
        ],
        "{list: [{name: a, set: [b]}]}",
        {
            "one": '.list[name="a"] .list[name="a"].name',
            "two": '.list[name="a"] .list[name="a"].name .list[name="a"].set[="b"]',
        },
    ),
    "a field that was mine alone goes": Case(
        ["apply one: {struct: {name: a, value: b}}", "apply one: {struct: {name: a}}"],
        "{struct: {name: a}}",
        {"one": ".struct.name"},
    ),
    "a field that is shared with an applier stays": Case(
        [
            "apply one: {struct: {name: a, value: b}}",
            "apply two: {struct: {value: b}}",
            "apply one: {struct: {name: a}}",
        ],
        "{struct: {name: a, value: b}}",
        {"one": ".struct.name", "two": ".struct.value"},
    ),
    "a field that is shared with an updater stays": Case(
        [
            "update u: {struct: {name: a, value: b}}",
            "apply one: {struct: {name: a, value: b}}",
            "apply one: {struct: {name: a}}",
        ],
        "{struct: {name: a, value: b}}",
        {"u": ".struct.name .struct.value", "one": ".struct.name"},
    ),
    "an updater takes a field over": Case(
        ["apply one: {struct: {name: a, value: a}}", "update u: {struct: {name: a, value: b}}"],
        "{struct: {name: a, value: b}}",
        {"one": ".struct.name", "u": ".struct.value"},
    ),
    "a struct in a struct goes": Case(
        ["apply one: {struct: {name: a, inner: {name: b}}}", "apply one: {struct: {name: a}}"],
        "{struct: {name: a}}",
        {"one": ".struct.name"},
    ),
    "a struct in a struct is shared": Case(
        [
            "apply one: {struct: {name: a, inner: {name: b}}}",
            "apply two: {struct: {inner: {name: b}}}",
            "apply one: {struct: {name: a}}",
        ],
        "{struct: {name: a, inner: {name: b}}}",
        {"one": ".struct.name", "two": ".struct.inner.name"},
    ),
    "nested entries change their key": Case(
        ["apply one: {maps: {a: {b: x, c: y}}}", "apply one: {maps: {b: {a: x, c: z}}}"],
        "{maps: {b: {a: x, c: z}}}",
        {"one": ".maps.b .maps.b.a .maps.b.c"},
    ),
    "keys that are left out have their default": Case(
        [
            "apply one: {ports: [{port: 1, name: a}, {port: 1, protocol: UDP}]}",
            "apply two: {ports: [{port: 1, protocol: TCP}]}",
            "apply one: {ports: [{port: 1, protocol: UDP}]}",
        ],
        "{ports: [{port: 1, protocol: TCP}, {port: 1, protocol: UDP}]}",
        {
            "one": '.ports[port=1,protocol="UDP"] .ports[port=1,protocol="UDP"].port .ports[port=1,protocol="UDP"].protocol',
            "two": '.ports[port=1,protocol="TCP"] .ports[port=1,protocol="TCP"].port .ports[port=1,protocol="TCP"].protocol',
        },
    ),
    "what has no type is taken apart by field, lists are not": Case(
        [
            "apply one: {any: {a: 1, l: [1], o: {x: 1}}}",
            "apply two: {any: {b: 2, o: {y: 1}}}",
            "conflict two: {any: {l: [1, 2]}} -> .any.l",
            "apply one: {any: {a: 1}}",
        ],
        "{any: {a: 1, b: 2, o: {y: 1}}}",
        {"one": ".any.a", "two": ".any.b .any.o .any.o.y"},
    ),
    "repeats in a set are one to their owner": Case(
        ["update u: {set: [1, 1, 3, 4]}"],
        "{set: [1, 1, 3, 4]}",
        {"u": ".set .set[=1] .set[=3] .set[=4]"},
    ),
    "who adds a repeat takes the value over": Case(
        ["update u: {set: [1, 3, 4]}", "update v: {set: [1, 1, 3, 4]}"],
        "{set: [1, 1, 3, 4]}",
        {"u": ".set .set[=3] .set[=4]", "v": ".set[=1]"},
    ),
    "who removes a repeat does too": Case(
        ["update u: {set: [1, 1, 3, 4]}", "update v: {set: [1, 3, 4]}"],
        "{set: [1, 3, 4]}",
        {"u": ".set .set[=3] .set[=4]", "v": ".set[=1]"},
    ),
    "an apply of a repeated value is a conflict": Case(
        ["update u: {set: [1, 1, 3, 4]}", "conflict one: {set: [1]} -> .set[=1]", "force one: {set: [1]}"],
        "{set: [1, 3, 4]}",
        {"u": ".set .set[=3] .set[=4]", "one": ".set[=1]"},
    ),
    "repeats that are not spoken of stay": Case(
        ["update u: {set: [1, 1, 3, 4]}", "apply one: {set: [5]}"],
        "{set: [1, 1, 3, 4, 5]}",
        {"u": ".set .set[=1] .set[=3] .set[=4]", "one": ".set[=5]"},
    ),
    "elements of one key are owned together": Case(
        ["update u: {list: [{name: a, value: 1}, {name: a, value: 2}, {name: b, value: 3}]}"],
        "{list: [{name: a, value: 1}, {name: a, value: 2}, {name: b, value: 3}]}",
        {"u": '.list .list[name="a"] .list[name="b"] .list[name="b"].name .list[name="b"].value'},
    ),
    "who changes one of them owns them": Case(
        [
            "update u: {list: [{name: a, value: 1}, {name: a, value: 2}, {name: b}]}",
            "update v: {list: [{name: a, value: 1}, {name: a, value: 2, more: 3}, {name: b}]}",
        ],
        "{list: [{name: a, value: 1}, {name: a, value: 2, more: 3}, {name: b}]}",
        {"u": '.list .list[name="b"] .list[name="b"].name', "v": '.list[name="a"]'},
    ),
    "who makes one element two owns them": Case(
        [
            "update u: {list: [{name: a, value: 1}, {name: b}]}",
            "update v: {list: [{name: a, value: 1}, {name: a, more: 3}, {name: b}]}",
        ],
        "{list: [{name: a, value: 1}, {name: a, more: 3}, {name: b}]}",
        {"u": '.list .list[name="b"] .list[name="b"].name', "v": '.list[name="a"]'},
    ),
    "an element beside repeats is its writer's": Case(
        [
            "update u: {list: [{name: a, value: 1}, {name: a, value: 2}]}",
            "update v: {list: [{name: a, value: 1}, {name: a, value: 2}, {name: b}]}",
        ],
        "{list: [{name: a, value: 1}, {name: a, value: 2}, {name: b}]}",
        {"u": '.list .list[name="a"]', "v": '.list[name="b"] .list[name="b"].name'},
    ),
    "repeats do not disturb an apply of something else": Case(
        ["update u: {list: [{name: a, value: 1}, {name: a, value: 2}]}", "apply one: {alone: 5}"],
        "{list: [{name: a, value: 1}, {name: a, value: 2}], alone: 5}",
        {"u": '.list .list[name="a"]', "one": ".alone"},
    ),
    "one applied element stands for its repeats": Case(
        [
            "update u: {list: [{name: a, value: 1}, {name: a, value: 2}, {name: b}]}",
            'conflict one: {list: [{name: a, value: 2}]} -> .list[name="a"]',
            "force one: {list: [{name: a, value: 3}]}",
        ],
        "{list: [{name: a, value: 3}, {name: b}]}",
        {
            "u": '.list .list[name="b"] .list[name="b"].name',
            "one": '.list[name="a"] .list[name="a"].name .list[name="a"].value',
        },
    ),
    "an element beside repeats is applied": Case(
        [
            "update u: {list: [{name: a, value: 1}, {name: a, value: 2}, {name: b, value: 3}]}",
            "force one: {list: [{name: b, value: 4}]}",
        ],
        "{list: [{name: a, value: 1}, {name: a, value: 2}, {name: b, value: 4}]}",
        {
            "u": '.list .list[name="a"] .list[name="b"] .list[name="b"].name',
            "one": '.list[name="b"] .list[name="b"].name .list[name="b"].value',
        },
    ),
    "repeats that an updater made of mine are its": Case(
        [
            "apply one: {list: [{name: a, value: 1}, {name: b}]}",
            "update u: {list: [{name: a, value: 1}, {name: a, value: 2}, {name: b}]}",
            "apply one: {list: [{name: b}]}",
        ],
        "{list: [{name: a, value: 1}, {name: a, value: 2}, {name: b}]}",
        {"one": '.list[name="b"] .list[name="b"].name', "u": '.list[name="a"]'},
    ),
}


def play(step: str, obj: dict[str, Any], entries: list[managedfields.Entry]) -> managedfields.Application:
    head, _, text = step.partition(": ")
    verb, manager = head.split()
    body, _, paths = text.partition(" -> ")
    value: dict[str, Any] = yaml.safe_load(body)
    author = managedfields.Author(manager, "Update" if verb == "update" else "Apply", "v1", "t")
    if verb == "update":
        return managedfields.Application(
            value, managedfields.updated(entries, structure.compare(ROOT, obj, value), author)
        )
    merging.check(ROOT, value)
    scene = managedfields.Scene(ROOT, obj, entries)
    if verb == "conflict":
        with pytest.raises(errors.ApplyConflictError) as caught:
            managedfields.applied(scene, value, author, force=False)
        assert [path for _, path in caught.value.conflicts] == paths.split(", ")
        return managedfields.Application(obj, entries)
    return managedfields.applied(scene, value, author, force=verb == "force")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_outcome_is_that_of_kubernetes(case: Case) -> None:
    obj: dict[str, Any] = {}
    entries: list[managedfields.Entry] = []
    for step in case.steps:
        result = play(step, obj, entries)
        obj, entries = result.obj, result.entries
    owners = {
        each["manager"]: " ".join(fieldsets.text(path) for path in fieldsets.paths(managedfields.owned(each)))
        for each in entries
    }
    assert obj == yaml.safe_load(case.obj)
    assert owners == case.owners
