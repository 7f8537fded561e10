"""Job: pods that are to end."""
