"""PodSet: pods that together are one replica of a role."""
