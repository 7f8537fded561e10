import pytest

from brickyard.engines import contract, errors
from brickyard.engines.sglang import lora as sglang
from brickyard.engines.vllm import lora as vllm

LISTING = b'{"object":"list","data":[{"id":"base","root":"base"},{"id":"sql","parent":"base"},{"id":7},"x"]}'


@pytest.mark.parametrize(
    ("protocol", "prefix"), [(vllm.PROTOCOL, "/v1"), (sglang.PROTOCOL, "")], ids=["vllm", "sglang"]
)
def test_what_is_asked(protocol: contract.LoraProtocol, prefix: str) -> None:
    assert protocol.list() == contract.Call("GET", "/v1/models")
    assert protocol.load("sql", "/adapters/sql") == contract.Call(
        "POST", f"{prefix}/load_lora_adapter", {"lora_name": "sql", "lora_path": "/adapters/sql"}
    )
    assert protocol.unload("sql") == contract.Call("POST", f"{prefix}/unload_lora_adapter", {"lora_name": "sql"})


@pytest.mark.parametrize(
    ("artifact", "path"),
    [
        ("huggingface://org/name", "org/name"),
        ("hf://org/name/", "org/name"),
        ("org/name", "org/name"),
        ("/adapters/sql", "/adapters/sql"),
        ("s3://bucket/sql", "s3://bucket/sql"),
    ],
)
def test_what_the_engine_calls_an_artifact(artifact: str, path: str) -> None:
    call = vllm.PROTOCOL.load("sql", artifact)
    assert call.body == {"lora_name": "sql", "lora_path": path}


@pytest.mark.parametrize("artifact", ["", "huggingface://", "hf:///"])
def test_an_artifact_that_names_nothing(artifact: str) -> None:
    with pytest.raises(errors.LoraError, match="names nothing: write huggingface://"):
        vllm.PROTOCOL.load("sql", artifact)


class TestListed:
    def test_names(self) -> None:
        assert vllm.PROTOCOL.listed(200, LISTING) == {"base", "sql"}
        assert vllm.PROTOCOL.listed(200, b'{"data":[]}') == frozenset()

    @pytest.mark.parametrize(
        ("status", "body", "said"),
        [
            (500, b"oops", "did not tell its models: it answered 500, oops"),
            (200, b"<html>", "has no `data`"),
            (200, b'{"data":null}', "has no `data`"),
            (200, b"[]", "has no `data`"),
        ],
    )
    def test_no_list(self, status: int, body: bytes, said: str) -> None:
        with pytest.raises(errors.LoraError, match=said):
            vllm.PROTOCOL.listed(status, body)


class TestLoaded:
    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (200, b"Success: LoRA adapter 'sql' added successfully."),
            (201, b""),
            (200, b'{"rid":null,"success":true,"error_message":"","loaded_adapters":{"sql":"/a"}}'),
            (200, b"[1]"),
        ],
    )
    def test_done(self, status: int, body: bytes) -> None:
        vllm.PROTOCOL.loaded(status, body)

    @pytest.mark.parametrize(
        ("status", "body", "retriable"),
        [
            (400, b'{"message":"The lora adapter \'sql\' has already been loaded.","code":400}', False),
            (404, b'{"message":"No adapter found for /x"}', False),
            (200, b'{"success":false,"error_message":"rank too high"}', False),
            (500, b"", False),
            (502, b"bad gateway", True),
            (503, b"starting", True),
            (429, b"", True),
        ],
    )
    def test_not_done(self, status: int, body: bytes, retriable: bool) -> None:
        with pytest.raises(errors.LoraError, match=f"did not load the adapter: it answered {status}") as caught:
            sglang.PROTOCOL.loaded(status, body)
        assert caught.value.retriable is retriable
        assert " ".join(body.decode().split()) in str(caught.value)

    def test_an_engine_without_the_path_says_how_to_start_it(self) -> None:
        with pytest.raises(errors.LoraError, match=r"--enable-lora.*VLLM_ALLOW_RUNTIME_LORA_UPDATING"):
            vllm.PROTOCOL.loaded(404, b'{"detail":"Not Found"}')

    def test_a_long_answer_is_cut(self) -> None:
        with pytest.raises(errors.LoraError) as caught:
            vllm.PROTOCOL.loaded(500, b"x" * 10_000)
        assert str(caught.value).count("x") == 4096


class TestUnloaded:
    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (200, b"Success: LoRA adapter 'sql' removed successfully."),
            (404, b'{"message":"The lora adapter \'sql\' cannot be found.","type":"NotFoundError"}'),
            (400, b'{"object":"error","message":"The lora adapter \'sql\' cannot be found.","code":400}'),
            (400, b'{"success":false,"error_message":"LoRA adapter sql does not exist"}'),
        ],
    )
    def test_gone(self, status: int, body: bytes) -> None:
        vllm.PROTOCOL.unloaded(status, body)

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (400, b'{"message":"lora_name is missing"}'),
            (200, b'{"success":false,"error_message":"busy"}'),
            (500, b"not found"),
            (503, b""),
            (404, b'{"detail":"Not Found"}'),
        ],
    )
    def test_perhaps_still_there(self, status: int, body: bytes) -> None:
        with pytest.raises(errors.LoraError, match=f"did not unload the adapter: it answered {status}"):
            vllm.PROTOCOL.unloaded(status, body)
