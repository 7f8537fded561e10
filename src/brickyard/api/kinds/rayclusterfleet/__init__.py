"""RayClusterFleet: rolls out Ray clusters as a Deployment rolls out pods."""
