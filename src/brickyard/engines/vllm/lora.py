"""LoRA adapters of a running vLLM. It listens for them with ``--enable-lora`` and ``VLLM_ALLOW_RUNTIME_LORA_UPDATING=True`` only."""

from __future__ import annotations

from typing import Final

from brickyard.engines import adapters

PROTOCOL: Final = adapters.HttpProtocol("/v1/load_lora_adapter", "/v1/unload_lora_adapter")
