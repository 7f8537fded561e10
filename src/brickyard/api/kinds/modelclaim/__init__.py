"""ModelClaim: a model activated in a pool of warm pods."""
