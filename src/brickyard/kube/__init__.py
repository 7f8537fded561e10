"""The Kubernetes floor: the only room that speaks to a Kubernetes API.

Stacked: ``objects`` (pure dict algebra) < ``client`` < ``informers`` < ``reconcile``.
"""
