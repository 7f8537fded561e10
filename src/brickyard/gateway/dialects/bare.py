"""Endpoints of which the gateway only needs the model: tokenizing, images, video.

Everything else in their bodies is the engine's to judge.
"""

from __future__ import annotations

import dataclasses

from brickyard.gateway.dialects import contract, fields


@dataclasses.dataclass(frozen=True, slots=True)
class Bare:
    """``path``: its URL path; ``streams``: whether an answer may come in events."""

    path: str
    streams: bool = False

    def read(self, body: bytes, content_type: bytes = b"") -> contract.Meaning:
        meaning = fields.meaning(fields.load(body))
        return meaning if self.streams else fields.no_stream(meaning, f"answers of {self.path}")


TOKENIZE = Bare("/tokenize")
DETOKENIZE = Bare("/detokenize")
IMAGES = Bare("/v1/images/generations", streams=True)
VIDEO = Bare("/v1/video/generations")
