"""PodAutoscaler: scales a workload by metrics of its pods."""
