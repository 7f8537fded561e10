"""Vocabulary: types and constants that every room speaks. No behaviour beyond parsing, no I/O."""
