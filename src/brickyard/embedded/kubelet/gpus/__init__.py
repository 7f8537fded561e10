"""Which NVIDIA GPUs this machine has: asked of NVML, else of ``nvidia-smi``, else of the driver's files in /proc."""
