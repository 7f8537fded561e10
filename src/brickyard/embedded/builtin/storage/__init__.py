"""Storage: claims are bound to volumes, and volumes are folders of this machine."""
