"""KVCache: a distributed cache of attention keys and values."""
