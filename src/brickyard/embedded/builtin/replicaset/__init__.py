"""ReplicaSet: keep a number of pods alive."""
