"""The native data plane: HTTP/1.1 in, HTTP/1.1 out, bytes in between left alone.

The way of a request: ``client`` (a connection) → ``reader`` (bytes to requests) → ``router`` (whose is it) → ``pages`` (ours), or
``exchange`` (an engine's): choose, lease, ``pool`` → ``upstream`` (a connection), whose response ``heads`` rewrites at the head
and nobody at the body. ``plane`` is what all connections share, ``sweeper`` the one timer, ``server`` the beginning and the end.
"""
