"""HorizontalPodAutoscaler: how many replicas a workload has, by what its pods measure."""
