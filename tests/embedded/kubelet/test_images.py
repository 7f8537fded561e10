"""Which command an image means."""

from __future__ import annotations

import pathlib

import pytest

from brickyard.embedded.kubelet import errors, images
from brickyard.engines import contract

# pattern, image, matches
PATTERNS = [
    ("vllm/vllm-openai:*", "vllm/vllm-openai:v0.7.1", True),
    ("vllm/vllm-openai:*", "docker.io/vllm/vllm-openai:v0.7.1", True),
    ("vllm/vllm-openai:*", "vllm/vllm-openai", True),
    ("vllm/vllm-openai:*", "other/vllm-openai:v1", False),
    ("*/vllm:*", "registry:5000/x/vllm:v1", True),
    ("my/tool", "my/tool:v1", True),
    ("my/tool", "my/tool", True),
    ("my/tool", "my/tool@sha256:0123", True),
    ("my/tool", "my/tools:v1", False),
    ("my/tool:v1", "my/tool:v2", False),
    ("docker.io/library/redis:*", "redis:7", True),
    ("host:5000/tool", "host:5000/tool:v1", True),
    ("brickyard/host", "brickyard/host:anything", True),
    ("My/*", "my/tool", False),
]


@pytest.mark.parametrize(("pattern", "image", "expected"), PATTERNS)
def test_patterns(pattern: str, image: str, expected: bool) -> None:
    assert images.matches(pattern, image) is expected


def spec(
    image: str, *args: str, command: tuple[str, ...] = (), env: dict[str, str] | None = None
) -> contract.ContainerSpec:
    return contract.ContainerSpec(image, command, args, env or {}, "127.64.0.1", 8000)


class Launcher:
    images = ("engine/*",)

    def launch(self, container: contract.ContainerSpec) -> contract.Launch:
        if container.args == ("bad",):
            raise contract.LaunchError("UnsupportedArgument", "say good")
        return contract.Launch(("engine", *container.args))


@pytest.fixture
def table(tmp_path: pathlib.Path) -> images.Images:
    (tmp_path / "images.yaml").write_text(
        "- image: my/tool\n  command: [tool, --bind, '$(BRICKYARD_POD_IP)', 7]\n"
        "- {image: 'engine/*', command: [never]}\n"
    )
    return images.Images([Launcher()], tmp_path / "images.yaml")


def test_launchers_come_first(table: images.Images) -> None:
    assert table.launch(spec("engine/x:1", "a")).argv == ("engine", "a")


def test_a_launchers_refusal_keeps_reason_and_words(table: images.Images) -> None:
    with pytest.raises(errors.NotStarted, match="say good") as caught:
        table.launch(spec("engine/x:1", "bad"))
    assert caught.value.reason == "UnsupportedArgument"


def test_the_users_command_stands_for_the_entry_point(table: images.Images) -> None:
    launch = table.launch(spec("my/tool:v3", "-v", env={"BRICKYARD_POD_IP": "127.64.0.1"}))
    assert launch.argv == ("tool", "--bind", "127.64.0.1", "7", "-v")


def test_a_containers_own_command_replaces_it(table: images.Images) -> None:
    assert table.launch(spec("my/tool", "-v", command=("other",))).argv == ("other", "-v")


def test_host_runs_what_the_container_says(table: images.Images) -> None:
    assert table.launch(spec("brickyard/host", "b", command=("a",))).argv == ("a", "b")


def test_host_without_a_command_is_refused(table: images.Images) -> None:
    with pytest.raises(errors.NotStarted, match="add `command`") as caught:
        table.launch(spec("brickyard/host:1", "b"))
    assert caught.value.reason == "CreateContainerError"


def test_an_unknown_image_names_file_line_and_way_out(table: images.Images, tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.NotStarted) as caught:
        table.launch(spec("docker.io/who/knows:v1"))
    assert caught.value.reason == "ErrImageNeverPull"
    for part in (str(tmp_path / "images.yaml"), '{image: "who/knows:*"', "brickyard/host"):
        assert part in str(caught.value)


def test_the_table_is_read_anew(table: images.Images, tmp_path: pathlib.Path) -> None:
    (tmp_path / "images.yaml").write_text("- {image: who/knows, command: [now]}")
    assert table.launch(spec("who/knows:v1")).argv == ("now",)


def test_no_file_is_an_empty_table(tmp_path: pathlib.Path) -> None:
    assert images.load(tmp_path / "images.yaml") == []
    (tmp_path / "images.yaml").write_text("# nothing yet\n")
    assert images.load(tmp_path / "images.yaml") == []


# content, what the error says
BROKEN = [
    ("- image: [", "is no YAML"),
    ("image: x", "must be a list of entries"),
    ("- x", "entry 1: write `image: …`"),
    ("- {image: a, command: [b]}\n- {image: a, cmd: [b]}", "entry 2: unknown field 'cmd'"),
    ("- {command: [b]}", "`image` must be a pattern"),
    ("- {image: 7, command: [b]}", "`image` must be a pattern"),
    ("- {image: a}", "must be a list that begins with a program"),
    ("- {image: a, command: b}", "must be a list that begins with a program"),
    ("- {image: a, command: []}", "must be a list that begins with a program"),
    ("- {image: a, command: [b, true]}", "put quotes around it"),
    ("- {image: a, command: [b, [c]]}", "put quotes around it"),
]


@pytest.mark.parametrize(("content", "message"), BROKEN)
def test_a_broken_table_says_where_and_what(tmp_path: pathlib.Path, content: str, message: str) -> None:
    file = tmp_path / "images.yaml"
    file.write_text(content)
    with pytest.raises(errors.BadImageTable, match=str(file)) as caught:
        images.load(file)
    assert message in str(caught.value)
    with pytest.raises(errors.NotStarted) as refused:
        images.Images([], file).launch(spec("who/knows"))
    assert refused.value.reason == "CreateContainerConfigError"


def test_a_folder_in_its_place_is_said(tmp_path: pathlib.Path) -> None:
    (tmp_path / "images.yaml").mkdir()
    with pytest.raises(errors.BadImageTable, match="cannot be read"):
        images.load(tmp_path / "images.yaml")
