"""Streams into pods: commands in containers, attached outputs, forwarded ports. Fills ``api.kinds.podstreams``."""
