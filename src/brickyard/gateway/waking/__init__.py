"""Models that sleep: known though they have no pod, asked for though they have no endpoint, woken by a word to their autoscaler."""
