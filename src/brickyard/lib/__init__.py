"""Ground floor: clocks, tasks, back-off, settings, logs, errors. Knows nothing of Kubernetes, engines or HTTP."""
