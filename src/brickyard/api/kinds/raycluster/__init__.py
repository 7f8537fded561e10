"""RayCluster: KubeRay's kind, held in templates of ours."""
