import pytest

from brickyard.sim.engine.core import errors, lora

BASE = frozenset({"tiny"})


def test_load_and_unload() -> None:
    adapters = lora.Adapters(BASE)
    assert adapters.load("a", "/loras/a", 7) == lora.Adapter("a", "/loras/a", 7)
    adapters.load("b", "hf://b", 8)
    assert "a" in adapters
    assert [each.name for each in adapters] == ["a", "b"]
    adapters.unload("a")
    assert "a" not in adapters
    assert len(adapters) == 1
    adapters.load("a", "/loras/a", 9)


def test_replacing_in_place() -> None:
    adapters = lora.Adapters(BASE)
    adapters.load("a", "/old", 7)
    assert adapters.load("a", "/new", 8, replace=True).path == "/new"
    assert len(adapters) == 1


@pytest.mark.parametrize(
    ("name", "path", "status", "kind", "said"),
    [
        # what AIBrix' controller and its tests tell apart
        (None, "/a", 400, "InvalidUserInput", "must be provided"),
        ("x", None, 400, "InvalidUserInput", "must be provided"),
        ("", "/a", 400, "InvalidUserInput", "must be provided"),
        (3, "/a", 400, "InvalidUserInput", "must be provided"),
        ("taken", "/a", 400, "InvalidUserInput", "already been loaded"),
        ("tiny", "/a", 400, "InvalidUserInput", "base model"),
        ("x", "/models/nonexistent", 404, "NotFoundError", "No adapter found"),
        ("x", "/invalid/x", 404, "NotFoundError", "No adapter found"),
    ],
)
def test_what_cannot_be_loaded(name: object, path: object, status: int, kind: str, said: str) -> None:
    adapters = lora.Adapters(BASE)
    adapters.load("taken", "/b", 0)
    with pytest.raises(errors.AdapterError, match=said) as caught:
        adapters.load(name, path, 0)
    assert (caught.value.status, caught.value.kind) == (status, kind)
    assert len(adapters) == 1


@pytest.mark.parametrize(
    ("name", "kind"), [(None, "InvalidUserInput"), ("", "InvalidUserInput"), ("x", "NotFoundError")]
)
def test_what_cannot_be_unloaded(name: object, kind: str) -> None:
    with pytest.raises(errors.AdapterError) as caught:
        lora.Adapters(BASE).unload(name)
    assert (caught.value.status, caught.value.kind) == (400, kind)


def test_as_many_as_may_be() -> None:
    adapters = lora.Adapters(BASE, limit=1)
    adapters.load("a", "/a", 0)
    adapters.load("a", "/b", 0, replace=True)
    with pytest.raises(errors.AdapterError, match="1 adapters"):
        adapters.load("b", "/b", 0)
