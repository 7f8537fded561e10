"""Every label, annotation, header and finalizer of the system, each literal once.

Source of the ``aibrix.ai`` names: the AIBrix API surface, which Brickyard keeps. Names of our own start with ``brickyard.``
(labels) or ``x-brickyard-`` (headers).
"""

from __future__ import annotations

from typing import Final

# Labels on pods, Deployments and Services of a model.
MODEL_NAME: Final = "model.aibrix.ai/name"
"""Served model name. An annotation of the same key stands in where the name is no legal label value."""
MODEL_PORT: Final = "model.aibrix.ai/port"
"""Port the engine listens on, as text; absent or invalid means 8000."""
MODEL_ENGINE: Final = "model.aibrix.ai/engine"
"""vllm, sglang, llamacpp, …; label first, then annotation; absent means vllm."""
METRIC_PORT: Final = "model.aibrix.ai/metric-port"
"""Port of the engine's metrics page; absent means the model port."""
MODEL_CONFIG: Final = "model.aibrix.ai/config"
"""Pod annotation with routing profiles (JSON)."""

# Pods that the gateway leaves out.
RAY_NODE_TYPE: Final = "ray.io/node-type"
POD_GROUP_INDEX: Final = "stormservice.orchestration.aibrix.ai/pod-group-index"

# Request headers.
HEADER_ROUTING_STRATEGY: Final = "routing-strategy"
HEADER_USER: Final = "user"
HEADER_EXTERNAL_FILTER: Final = "external-filter"
HEADER_REQUEST_ID: Final = "x-request-id"
HEADER_TRACEPARENT: Final = "traceparent"

# Response headers.
HEADER_RESPONSE_REQUEST_ID: Final = "request-id"
HEADER_TARGET_POD: Final = "target-pod"
HEADER_TARGET_POD_IP: Final = "target-pod-ip"
HEADER_EXPLAIN: Final = "x-brickyard-explain"

# Error headers: which check refused the request.
ERROR_ROUTING: Final = "x-error-routing"
ERROR_BODY: Final = "x-error-request-body-processing"
ERROR_NO_MODEL_BACKENDS: Final = "x-error-no-model-backends"

DEFAULT_MODEL_PORT: Final = 8000
DEFAULT_ENGINE: Final = "vllm"
SYSTEM_NAMESPACE: Final = "aibrix-system"
