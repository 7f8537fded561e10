"""Balancer: Services have an address, and connections to it reach a pod."""
