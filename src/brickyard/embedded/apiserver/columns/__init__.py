"""Columns of ``kubectl get``, equal to Kubernetes' own. ``cells`` has what all kinds use, one module per family of kinds the rest."""
