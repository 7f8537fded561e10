"""LoRA adapters of a running SGLang: vLLM's protocol outside ``/v1``. It takes them with ``--enable-lora`` only."""

from __future__ import annotations

from typing import Final

from brickyard.engines import adapters

PROTOCOL: Final = adapters.HttpProtocol("/load_lora_adapter", "/unload_lora_adapter")
