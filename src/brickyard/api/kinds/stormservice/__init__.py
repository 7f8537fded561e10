"""StormService: replicas of a set of roles, such as prefill and decode."""
