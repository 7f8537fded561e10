"""Protobuf as Kubernetes speaks it.

``bodies`` reads what typed Go clients send. It stands on ``fields`` (which number is which field of which message, a shipped table)
and ``forms`` (values whose JSON is not their message). ``wire`` is the format below both, for ``openapi_binary`` too.
"""
