"""Who holds which part of a prompt: what prefix routing asks, kept without engines' help or from what they tell.

    prompt ─► blocks.Hasher ─► hashes of its prefixes ─► prefix.PrefixIndex    what was sent where (a guess that costs nothing)
    tokens ─► residency.Chain ─► hashes of its blocks ─► residency.Residency   what engines say they hold (KV events)

Both sit on ``table.Table``: fixed arrays, set-associative as a processor's cache is, so that memory is bounded by construction and
nothing is ever moved, rehashed or collected. ``slots`` numbers endpoints by bits, ``events`` puts an engine's messages in order,
``accuracy`` compares what was predicted with what engines report.

Pure: no I/O, no clock, no randomness; ``now`` is an argument, in seconds of any clock that does not go back.
"""
