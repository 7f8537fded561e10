"""Engine adapters: how each engine is launched, what its metrics mean, what it can do. ``contract`` is the extension point."""
