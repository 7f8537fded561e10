"""Service: keep the EndpointSlices of a Service equal to the pods it selects."""
