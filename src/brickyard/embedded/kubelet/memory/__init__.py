"""Memory limits of containers, held without the kernel's help: a watchdog that looks, and kills what is over its limit."""
