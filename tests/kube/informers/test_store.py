from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import resources
from brickyard.kube.informers import store
from brickyard.kube.objects import meta


def obj(namespace: str, name: str, *owners: str) -> resources.Object:
    return {"metadata": {"namespace": namespace, "name": name}, "owners": list(owners)}


def by_owner(each: resources.Object) -> list[str]:
    return list(each["owners"])


def test_objects_are_found_by_key_namespace_and_index() -> None:
    held = store.Store({"owner": by_owner})
    for each in (obj("b", "2", "x"), obj("a", "1", "x", "y"), obj("a", "0")):
        assert held.put(each) is None
    assert held.get(meta.Key("a", "1")) == obj("a", "1", "x", "y")
    assert [meta.key(each) for each in held.list()] == [("a", "0"), ("a", "1"), ("b", "2")]
    assert [meta.name(each) for each in held.list("a")] == ["0", "1"]
    assert [meta.name(each) for each in held.indexed("owner", "x")] == ["1", "2"]
    assert held.indexed("owner", "z") == []
    assert held.list("z") == []
    assert len(held) == 3


def test_what_is_replaced_leaves_its_old_index_values() -> None:
    held = store.Store({"owner": by_owner})
    held.put(obj("a", "1", "x"))
    assert held.put(obj("a", "1", "y")) == obj("a", "1", "x")
    assert held.indexed("owner", "x") == []
    assert held.indexed("owner", "y") == [obj("a", "1", "y")]
    assert held.remove(meta.Key("a", "1")) == obj("a", "1", "y")
    assert held.remove(meta.Key("a", "1")) is None
    assert held.indexed("owner", "y") == []


def test_an_unknown_index_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        store.Store({}).indexed("owner", "x")


def test_an_indexer_that_fails_leaves_the_store_as_it_was() -> None:
    held = store.Store({"owner": by_owner})
    held.put(obj("a", "1", "x"))
    with pytest.raises(KeyError):
        held.put({"metadata": {"namespace": "a", "name": "1"}})
    assert held.indexed("owner", "x") == [obj("a", "1", "x")]


NAMES = st.sampled_from(["0", "1", "2"])
STEPS = st.lists(st.tuples(st.booleans(), NAMES, NAMES, st.lists(NAMES, max_size=3)), max_size=20)


@given(steps=STEPS)
def test_indexes_agree_with_the_objects(steps: list[tuple[bool, str, str, list[str]]]) -> None:
    held, model = store.Store({"owner": by_owner}), dict[meta.Key, resources.Object]()
    for adds, namespace, name, owners in steps:
        key = meta.Key(namespace, name)
        if adds:
            assert held.put(obj(namespace, name, *owners)) == model.get(key)
            model[key] = obj(namespace, name, *owners)
        else:
            assert held.remove(key) == model.pop(key, None)
    assert held.list() == [model[key] for key in sorted(model)]
    for value in "012":
        assert held.list(value) == [model[key] for key in sorted(model) if key.namespace == value]
        assert held.indexed("owner", value) == [model[key] for key in sorted(model) if value in model[key]["owners"]]
