"""Kubernetes kinds: how each is named (``resources``), and typed views of what we read from them."""
