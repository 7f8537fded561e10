"""SGLang: runs the machine's own installation, reads its metrics page."""
