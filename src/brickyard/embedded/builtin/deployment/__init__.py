"""Deployment: roll ReplicaSets from one pod template to the next."""
