"""llama.cpp: its server inside a wheel, run as a local process that understands llama-server's flags."""
