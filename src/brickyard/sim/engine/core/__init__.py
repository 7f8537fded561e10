"""What an engine decides: batching, blocks, adapters, hand-over, faults. No I/O, no clock, no randomness of its own."""
