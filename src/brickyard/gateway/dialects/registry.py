"""The dialects there are. A new endpoint is one module and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from brickyard.gateway.dialects import (
    audio,
    bare,
    chat,
    completions,
    contract,
    embeddings,
    judging,
    messages,
    responses,
)

_BUILT_IN: tuple[contract.Dialect, ...] = (
    chat.Chat(),
    completions.Completions(),
    responses.Responses(),
    messages.Messages(),
    messages.CountTokens(),
    embeddings.Embeddings(),
    judging.Rerank(),
    judging.Score(),
    judging.Classify(),
    bare.IMAGES,
    bare.VIDEO,
    audio.TRANSCRIPTIONS,
    audio.TRANSLATIONS,
    bare.TOKENIZE,
    bare.DETOKENIZE,
)


def dialects() -> Mapping[str, contract.Dialect]:
    """Every dialect by its path, in the order in which error messages list them."""
    return {dialect.path: dialect for dialect in _BUILT_IN}
