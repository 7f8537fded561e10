"""Who can answer, now: a live table of endpoints fed by the pod watch, the engines' own pages and the gateway's leases."""
