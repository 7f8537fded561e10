"""A Kubernetes API for one machine, good enough that foreign clients cannot tell on the paths it serves.

``store`` keeps objects, ``rest`` carries out verbs on them, ``catalog`` says which kinds exist, ``discovery``, ``openapi`` and ``tables``
describe them to clients, ``app`` is the HTTPS shell.
"""
