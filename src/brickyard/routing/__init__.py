"""Routing core: pure decisions over snapshots. No I/O, no clock, no randomness of its own (import-linter sees to it)."""
