"""Deployment: what AIBrix adds to Kubernetes' own kind."""
