"""Endpoints: where a Service's pods are, in the form that older clients read."""
