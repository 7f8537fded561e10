"""Forms with audio: what is read of them, and what is said about broken ones."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from brickyard.api import names
from brickyard.gateway import errors
from brickyard.gateway.dialects import audio, contract

TYPE = b'multipart/form-data; boundary="XX"'


def form(*parts: tuple[bytes, bytes], end: bytes = b"--XX--\r\n") -> bytes:
    pieces = (
        b'--XX\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name, content) for name, content in parts
    )
    return b"".join(pieces) + end


def file(content: bytes) -> bytes:
    head = b'--XX\r\nContent-Type: audio/wav\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    return head + content + b"\r\n"


def read(body: bytes, content_type: bytes = TYPE) -> contract.Meaning:
    return audio.TRANSCRIPTIONS.read(body, content_type)


def test_model_and_stream_are_read_past_the_file() -> None:
    body = file(b"RIFF\r\n--X\r\n\0\xff" * 1000) + form((b"stream", b"TRUE"), (b"model", b"whisper"), (b"user", b"ann"))
    assert read(body) == contract.Meaning("whisper", True, "ann")


@pytest.mark.parametrize(
    ("text", "stream"), [(b"1", True), (b"true", True), (b"false", False), (b"", False), (b"yes", False)]
)
def test_stream_is_true_or_one(text: bytes, stream: bool) -> None:
    assert read(form((b"model", b"w"), (b"stream", text))).stream is stream


def test_a_boundary_without_quotes_will_do() -> None:
    assert read(form((b"model", b"w")), b"Multipart/Form-Data; boundary=XX").model == "w"


@pytest.mark.parametrize(
    ("body", "content_type", "header", "param", "words"),
    [
        (b"{}", b"application/json", names.ERROR_BODY, None, "application/json: send a form"),
        (b"{}", b"", names.ERROR_BODY, None, "is none: send a form"),
        (form((b"model", b"w")), b"multipart/form-data", names.ERROR_MULTIPART, None, "names no boundary"),
        (form((b"file", b"x")), TYPE, names.ERROR_MULTIPART, "model", "names no model"),
        (form((b"model", b" ")), TYPE, names.ERROR_MULTIPART, "model", "names no model"),
        (form((b"model", b"w"), end=b""), TYPE, names.ERROR_MULTIPART, None, "ends before its last boundary"),
        (b"nonsense", TYPE, names.ERROR_MULTIPART, None, "cannot be read"),
        (b"", TYPE, names.ERROR_MULTIPART, None, "ends before its last boundary"),
        (form((b"model", b"w" * 5000)), TYPE, names.ERROR_MULTIPART, "model", "longer than 4096"),
        (form(*[(b"x", b"y")] * 300), TYPE, names.ERROR_MULTIPART, None, "more than 256 parts"),
    ],
)
def test_what_cannot_be_read_is_told(
    body: bytes, content_type: bytes, header: str, param: str | None, words: str
) -> None:
    with pytest.raises(errors.RefusedError) as caught:
        read(body, content_type)
    assert caught.value.error.status == 400
    assert words in caught.value.error.message
    assert caught.value.error.param == param
    assert (header, "true") in caught.value.headers


@hypothesis.given(
    st.binary(max_size=200), st.sampled_from([TYPE, b"multipart/form-data; boundary=", b"multipart/mixed"])
)
def test_any_bytes_are_understood_or_refused(body: bytes, content_type: bytes) -> None:
    found = verdict(body, content_type)
    assert found.model if isinstance(found, contract.Meaning) else found.error.status == 400


def verdict(body: bytes, content_type: bytes) -> contract.Meaning | errors.RefusedError:
    try:
        return read(body, content_type)
    except errors.RefusedError as refused:
        return refused
