"""Port numbers that programs of AIBrix, and the engines beside them, agree on."""

from __future__ import annotations

from typing import Final

# Engines.
ENGINE: Final = 8000
SGLANG: Final = 30000
LMDEPLOY: Final = 23333
SGLANG_BOOTSTRAP: Final = 8998
KV_EVENTS: Final = 5557
KV_EVENTS_REPLAY: Final = 5559

# In the pods of models.
RUNTIME: Final = 8080
"""Our sidecar, its metrics included."""
RUNTIME_DEBUG: Final = 30081

# Gateway.
GATEWAY_GRPC: Final = 50052
GATEWAY_HTTP: Final = 8080
PPROF: Final = 6060
ENVOY_HTTP: Final = 80
ENVOY_HTTPS: Final = 443
ENVOY_SIDECAR: Final = 10080
ENVOY_ADMIN: Final = 19000

# Manager.
MANAGER_METRICS: Final = 8080
MANAGER_PROBES: Final = 8081
WEBHOOK: Final = 9443
WEBHOOK_SERVICE: Final = 443

# Services.
METADATA: Final = 8090
REDIS: Final = 6379
GPU_OPTIMIZER: Final = 8080
PROFILING: Final = 4040
CONSOLE_GRPC: Final = 50060
CONSOLE_HTTP: Final = 8080

# KVCache.
VINEYARD_RPC: Final = 9600
ETCD_CLIENT: Final = 2379
ETCD_PEER: Final = 2380
HPKV_RDMA: Final = 18512
HPKV_ADMIN: Final = 9100
INFINISTORE_SERVICE: Final = 12345
INFINISTORE_MANAGE: Final = 8088
KV_CACHE_WATCHER_METRICS: Final = 8000
