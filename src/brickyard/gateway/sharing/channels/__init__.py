"""Ways between gateways: a hub on one machine, Redis between machines."""
