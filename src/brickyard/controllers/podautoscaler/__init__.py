"""Keeps PodAutoscalers: measures what their targets do, asks ``scaling`` how many replicas that takes, and writes it."""
