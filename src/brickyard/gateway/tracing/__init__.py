"""Spans of requests, for whoever collects them: the contract is all that the data plane knows; ``otel`` fills it."""
