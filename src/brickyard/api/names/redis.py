"""Keys in Redis that AIBrix's programs share, each literal once. What is our own starts with ``brickyard:``."""

from __future__ import annotations

from typing import Final

USER_PREFIX: Final = "aibrix-users/"
"""Completed by a user's name: JSON ``{"name", "rpm", "tpm"}``."""
USER_COUNTER_PREFIX: Final = "aibrix:"
"""Completed by a user's name, one of the two counters, and a window's number."""
RPM_COUNTER: Final = "_RPM_CURRENT:"
TPM_COUNTER: Final = "_TPM_CURRENT:"
MODEL_COUNTER_PREFIX: Final = "aibrix_model:"
"""Completed by a model's name, RPS_COUNTER, and a window's number."""
RPS_COUNTER: Final = "_MODEL_RPS_CURRENT:"

REQUEST_TRACE_PREFIX: Final = "aibrix:"
"""Completed by a model's name, REQUEST_TRACE, and Unix seconds: JSON of counts of requests by tokens."""
REQUEST_TRACE: Final = "_request_trace_"

GPU_PROFILE_PREFIX: Final = "aibrix:profile_"
"""Completed by a model's name, an underscore and a deployment's: what its engines can do, as the optimizer measured it."""

API_KEY_PREFIX: Final = "brickyard:api-key:"
"""Completed by a token's hash: JSON ``{"user", "created", "label"}``."""
USER_KEYS_PREFIX: Final = "brickyard:user-api-keys:"
"""Completed by a user's name: the set of hashes of their keys."""
BATCH_PREFIX: Final = "brickyard:settled:"
"""Completed by a batch's id: there while its charges must not be applied again."""

GATEWAYS_PREFIX: Final = "brickyard:gateways:"
"""Completed by a group's name: the channel on which its gateways talk. With one gateway's name behind it: what is for that one alone."""
