"""xLLM: runs the machine's own ``xllm``, reads its metrics page."""
