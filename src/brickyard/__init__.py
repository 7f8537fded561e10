"""Brickyard: the control plane and gateway that turn many LLM engines into one service.

Rooms, from the ground up (import-linter holds them to it): ``lib`` < ``api`` < ``engines | kube`` < ``routing`` <
``gateway | sidecar`` < ``assembly`` < ``embedded`` < ``cli``.
"""

__version__ = "0.1.0"
