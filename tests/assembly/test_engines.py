import fnmatch

import pytest

from brickyard.assembly import engines


def test_the_engines_by_their_label() -> None:
    names = {"llamacpp", "sglang", "sim", "trtllm", "vllm", "xllm"}
    assert {name: engine.name for name, engine in engines.engines().items()} == {name: name for name in names}


def test_the_views_show_the_same_parts() -> None:
    assert engines.readers() == {name: engine.metrics for name, engine in engines.engines().items()}
    assert engines.launchers() == tuple(engine.launcher for engine in engines.engines().values() if engine.launcher)


def test_which_engine_has_which_part() -> None:
    parts = ("launcher", "series", "kv_events", "lora")
    found = {name: {part for part in parts if getattr(each, part)} for name, each in engines.engines().items()}
    assert found == {
        "llamacpp": {"launcher", "series"},
        "sglang": {"launcher", "series", "kv_events", "lora"},
        "sim": {"launcher", "series", "kv_events"},
        "trtllm": {"launcher", "series"},
        "vllm": {"launcher", "series", "kv_events", "lora"},
        "xllm": {"launcher", "series"},
    }


@pytest.mark.parametrize(
    ("image", "engine"),
    [
        ("brickyard/llamacpp:latest", "llamacpp"),
        ("ghcr.io/ggml-org/llama.cpp:server", "llamacpp"),
        ("vllm/vllm-openai:v0.7.1", "vllm"),
        ("brickyard/sim:latest", "sim"),
        ("aibrix/vllm-mock:nightly", "sim"),
        ("lmsysorg/sglang:v0.5.6", "sglang"),
        ("nvcr.io/nvidia/tensorrt-llm/release:1.2.0", "trtllm"),
        ("xllm/xllm-ai:latest", "xllm"),
        ("redis:7", None),
    ],
)
def test_an_image_belongs_to_one_engine(image: str, engine: str | None) -> None:
    found = [
        name
        for name, each in engines.engines().items()
        if each.launcher and any(fnmatch.fnmatchcase(image, pattern) for pattern in each.launcher.images)
    ]
    assert found == ([engine] if engine else [])
