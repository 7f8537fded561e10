"""Structural schemas: how custom resources are pruned, filled in and judged (``apiextensions.k8s.io/v1``).

``definition`` refuses schemas that are not structural, ``shape`` prunes and fills in, ``judge`` finds what is wrong, ``patterns``
translates regular expressions. CEL rules (``x-kubernetes-validations``) would join ``judge``.
"""
