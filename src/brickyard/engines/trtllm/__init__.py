"""TensorRT-LLM: runs the machine's own ``trtllm-serve``, reads its metrics page."""
