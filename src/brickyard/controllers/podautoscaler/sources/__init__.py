"""Where an autoscaler's numbers come from: pods' metrics pages, the metrics APIs of the cluster, other services, Prometheus."""
