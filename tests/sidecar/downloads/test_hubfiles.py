import pytest

from brickyard.sidecar.downloads import errors, hubfiles, references

File = hubfiles.File


def choose(text: str, *paths: str, suffixes: frozenset[str] = frozenset()) -> tuple[list[str], str]:
    reference = references.parse(text)
    assert isinstance(reference, references.HubModel)
    chosen = hubfiles.choose(reference, [File(path, 1) for path in paths], suffixes)
    return [file.path for file in chosen.files], chosen.entry


GGUFS = ("README.md", "m-Q8_0.gguf", "m-Q4_K_M.gguf", "m-UD-Q4_K_M.gguf", "m-q5_k_m.gguf", "mmproj-m-Q4_K_M.gguf")
PARTS = tuple(f"Q6_K/m-Q6_K-{number:05}-of-00003.gguf" for number in (3, 1, 2))
LLAMA = (
    "config.json", "tokenizer.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
    "model.safetensors.index.json", "pytorch_model.bin", "original/consolidated.00.pth", "onnx/model.onnx", "m-Q4_0.gguf",
    "tf_model.h5", ".gitattributes", "README.md", "modeling_llama.py", "picture.PNG",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "files", "chosen", "entry"),
    [
        ("hf://o/m/m-Q8_0.gguf", GGUFS, ["m-Q8_0.gguf"], "m-Q8_0.gguf"),
        ("hf://o/m:q4_k_m", GGUFS, ["m-Q4_K_M.gguf"], "m-Q4_K_M.gguf"),
        ("hf://o/m:Q5_K_M", GGUFS, ["m-q5_k_m.gguf"], "m-q5_k_m.gguf"),
        ("hf://o/m", GGUFS, ["m-Q4_K_M.gguf"], "m-Q4_K_M.gguf"),
        ("hf://o/m", ("m-Q8_0.gguf", "m-Q2_K.gguf"), ["m-Q8_0.gguf"], "m-Q8_0.gguf"),
        ("hf://o/m", ("config.json", "weird.gguf"), ["weird.gguf"], "weird.gguf"),
        ("hf://o/m:Q6_K", PARTS, sorted(PARTS), PARTS[1]),
        ("hf://o/m", PARTS, sorted(PARTS), PARTS[1]),
        (f"hf://o/m/{PARTS[0]}", PARTS, sorted(PARTS), PARTS[1]),
        (
            "hf://o/m",
            LLAMA,
            ["config.json", "tokenizer.json", *LLAMA[2:5], "modeling_llama.py"],
            "",
        ),
        ("hf://o/m", ("config.json", "pytorch_model.bin", "a.onnx"), ["config.json", "pytorch_model.bin"], ""),
        ("hf://o/m:Q4_0", LLAMA, ["m-Q4_0.gguf"], "m-Q4_0.gguf"),
        ("hf://o/m/config.json", LLAMA, ["config.json"], "config.json"),
        ("hf://o/m", ("tokenizer.json",), ["tokenizer.json"], ""),
    ],
)
def test_what_is_fetched(text: str, files: tuple[str, ...], chosen: list[str], entry: str) -> None:
    assert choose(text, *files) == (chosen, entry)


def test_allowed_suffixes_hold_for_folders() -> None:
    allowed = frozenset({".json", ".safetensors"})
    assert choose("hf://o/m", *LLAMA, suffixes=allowed)[0] == ["config.json", "tokenizer.json", *LLAMA[2:5]]
    assert choose("hf://o/m/modeling_llama.py", *LLAMA, suffixes=allowed)[0] == ["modeling_llama.py"]


@pytest.mark.parametrize(
    ("text", "files", "said"),
    [
        ("hf://o/m/none.gguf", GGUFS, r"hf://o/m has no file none\.gguf\. It has: m-Q4_K_M\.gguf, m-Q8_0\.gguf"),
        ("hf://o/m/none.txt", ("a.json",), r"has no file none\.txt\. It has: a\.json"),
        ("hf://o/m:Q3_K", GGUFS, r"no GGUF file of quantisation Q3_K\. It has: m-Q4_K_M"),
        ("hf://o/m:Q4_K", ("m-Q4_K_M.gguf",), "no GGUF file of quantisation Q4_K"),
        ("hf://o/m:Q8_0", (), "It has no files of that kind"),
        ("hf://o/m", ("a-Q2_K.gguf", "b-Q3_K.gguf"), "no GGUF file that is chosen by itself"),
        ("hf://o/m", (), "has no file of a model"),
        ("hf://o/m", ("README.md", ".gitattributes"), r"has no file of a model\. It has: \.gitattributes, README\.md"),
        ("hf://o/m:Q6_K", PARTS[:2], "comes in 3 parts, and Q6_K/m-Q6_K-00002-of-00003.gguf is not there"),
        ("hf://o/m/none", tuple(f"{number:02}" for number in range(20)), "00, 01, .*, 11 and 8 more"),
    ],
)
def test_what_is_not_there(text: str, files: tuple[str, ...], said: str) -> None:
    with pytest.raises(errors.ModelNotFoundError, match=said):
        choose(text, *files)


@pytest.mark.parametrize("path", ["../a.gguf", "/etc/passwd", "a/../../b", "a//b", "a\\b"])
def test_a_listing_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(errors.CorruptError, match="leads out of its folder"):
        choose("hf://o/m", "a.gguf", path)
