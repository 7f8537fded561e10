"""Anthropic's API, as far as we speak it ourselves."""
