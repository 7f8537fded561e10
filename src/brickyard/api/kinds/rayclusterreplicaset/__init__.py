"""RayClusterReplicaSet: a number of equal Ray clusters."""
